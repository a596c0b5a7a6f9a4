package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"sync"
)

// tap is a socket that keeps the payloads of the transfer frames that go by.
// go-amqp shows a message only decoded, encodes maps in random order, and what
// was sent must be compared with what came byte by byte. Only single-frame
// messages of one link can be told apart, which is all that the corpus has.
type tap struct {
	net.Conn
	in, out transfers
}

func (t *tap) Read(p []byte) (int, error) {
	n, err := t.Conn.Read(p)
	t.in.feed(p[:n])
	return n, err
}

func (t *tap) Write(p []byte) (int, error) {
	t.out.feed(p)
	return t.Conn.Write(p)
}

// transfers finds the transfer frames in one direction of a connection.
type transfers struct {
	mu       sync.Mutex
	pending  []byte // not yet a whole frame
	payloads [][]byte
	err      error
}

// feed takes whole frames and protocol headers off what has come so far.
func (t *transfers) feed(p []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pending = append(t.pending, p...)
	for len(t.pending) >= 8 {
		if string(t.pending[:4]) == "AMQP" {
			t.pending = t.pending[8:]
			continue
		}
		size := int(binary.BigEndian.Uint32(t.pending))
		if size < 8 || len(t.pending) < size {
			return
		}
		t.frame(t.pending[:size])
		t.pending = t.pending[size:]
	}
}

// frame keeps the payload if it is a transfer: what follows the performative
// [amqp-transport 2.7.5], a described list.
func (t *transfers) frame(f []byte) {
	body := f[4*int(f[4]):]
	if len(body) < 5 || body[0] != 0x00 || body[1] != 0x53 || body[2] != 0x14 {
		return
	}
	var end int
	switch body[3] {
	case 0xc0:
		end = 5 + int(body[4])
	case 0xd0:
		end = 8 + int(binary.BigEndian.Uint32(body[4:]))
	default:
		t.err = fmt.Errorf("a transfer whose fields are encoded as %#x", body[3])
		return
	}
	t.payloads = append(t.payloads, bytes.Clone(body[end:]))
}

// taken gives the payloads so far.
func (t *transfers) taken() [][]byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	must(t.err, "read the wire")
	return t.payloads
}
