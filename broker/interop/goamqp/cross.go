package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"github.com/Azure/go-amqp"

	"entrepot/broker/interop/corpus"
)

// sent is what a suite writes down of each message that it sent to another.
type sent struct {
	Name string `json:"name"`
	Hex  string `json:"hex"`
}

func (e *env) exchangeFile(from, to string) string {
	return filepath.Join(e.Exchange, from+"-"+to+".json")
}

func (e *env) crossQueue(from, to string) string {
	return e.Prefix + "interop.cross." + from + "." + to
}

// tapped is a session whose transfers are recorded.
func (e *env) tapped() (*amqp.Session, *tap) {
	socket, err := net.Dial("tcp", e.Addr)
	must(err, "connect")
	wire := &tap{Conn: socket}
	conn, err := amqp.NewConn(e.ctx, wire, withAnonymous(nil))
	must(err, "open")
	e.closers = append(e.closers, func() { conn.Close() })
	return e.sessionOn(conn), wire
}

// crossSend sends what go-amqp can read of the corpus. It encodes anew, so what
// it writes down is what went over the wire.
func (e *env) crossSend(to string) {
	e.queue = e.crossQueue(suiteName, to)
	s, wire := e.tapped()
	l := e.sender(s, nil)
	var log []sent
	for _, c := range corpus.All() {
		if !c.GoAMQP {
			continue
		}
		m := new(amqp.Message)
		must(m.UnmarshalBinary(c.Bytes()), "decode "+c.Name)
		m.Header = &amqp.MessageHeader{Durable: true}
		e.send(l, m)
		log = append(log, sent{Name: c.Name})
	}
	payloads := wire.out.taken()
	want(len(payloads), len(log), "transfers on the wire")
	for i := range log {
		log[i].Hex = hex.EncodeToString(payloads[i])
	}
	b, err := json.Marshal(log)
	must(err, "write down what was sent")
	must(os.WriteFile(e.exchangeFile(suiteName, to), b, 0o644), "write down what was sent")
}

// crossReceive takes what another suite has sent and compares all but the
// header and the delivery-annotations, byte by byte.
func (e *env) crossReceive(from string) {
	b, err := os.ReadFile(e.exchangeFile(from, suiteName))
	must(err, "read what was sent")
	var log []sent
	must(json.Unmarshal(b, &log), "read what was sent")
	s, wire := e.tapped()
	e.queue = e.crossQueue(from, suiteName)
	r := e.receiver(s, credit(10))
	for _, c := range log {
		m, err := r.Receive(e.ctx, nil)
		must(err, "receive "+c.Name)
		must(r.AcceptMessage(e.ctx, m), "accept "+c.Name)
	}
	must(compare(log, wire.in.taken()), "compare with what "+from+" sent")
}

// compare says which messages differ from what was sent.
func compare(log []sent, payloads [][]byte) error {
	if len(payloads) != len(log) {
		return fmt.Errorf("%d messages were sent, %d came", len(log), len(payloads))
	}
	var wrong []error
	for i, s := range log {
		encoded, err := hex.DecodeString(s.Hex)
		if err != nil {
			return err
		}
		want, err := corpus.Kept(encoded)
		if err != nil {
			return err
		}
		got, err := corpus.Kept(payloads[i])
		if err != nil {
			return fmt.Errorf("%s: %w", s.Name, err)
		}
		if !bytes.Equal(got, want) {
			wrong = append(wrong, fmt.Errorf("%s: got %x, want %x", s.Name, got, want))
		}
	}
	return errors.Join(wrong...)
}
