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

// crossSend sends what go-amqp can read of the corpus. It encodes anew, so what
// it writes down is its own encoding.
func (e *env) crossSend(to string) {
	e.queue = e.crossQueue(suiteName, to)
	l := e.sender(e.session(), nil)
	var log []sent
	for _, c := range corpus.All() {
		if !c.GoAMQP {
			continue
		}
		m := new(amqp.Message)
		must(m.UnmarshalBinary(c.Bytes()), "decode "+c.Name)
		m.Header = &amqp.MessageHeader{Durable: true}
		encoded, err := m.MarshalBinary()
		must(err, "encode "+c.Name)
		e.send(l, m)
		log = append(log, sent{c.Name, hex.EncodeToString(encoded)})
	}
	b, err := json.Marshal(log)
	must(err, "write down what was sent")
	must(os.WriteFile(e.exchangeFile(suiteName, to), b, 0o644), "write down what was sent")
}

// crossReceive takes what another suite has sent and compares all but the
// header and the delivery-annotations, byte by byte. It receives pre-settled:
// the payloads are read off the wire, and their order is the queue's.
func (e *env) crossReceive(from string) {
	b, err := os.ReadFile(e.exchangeFile(from, suiteName))
	must(err, "read what was sent")
	var log []sent
	must(json.Unmarshal(b, &log), "read what was sent")
	socket, err := net.Dial("tcp", e.Addr)
	must(err, "connect")
	wire := &tap{Conn: socket}
	conn, err := amqp.NewConn(e.ctx, wire, withAnonymous(nil))
	must(err, "open")
	defer conn.Close()
	e.queue = e.crossQueue(from, suiteName)
	r := e.receiver(e.sessionOn(conn), credit(10))
	for _, s := range log {
		m, err := r.Receive(e.ctx, nil)
		must(err, "receive "+s.Name)
		must(r.AcceptMessage(e.ctx, m), "accept "+s.Name)
	}
	payloads, err := wire.taken()
	must(err, "read the wire")
	must(compare(log, payloads), "compare with what "+from+" sent")
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
