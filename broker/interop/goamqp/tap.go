package main

import (
	"encoding/binary"
	"fmt"
	"net"
	"sync"
)

// tap is a socket that keeps the payloads of the transfer frames that come in.
// go-amqp shows a message only decoded, and what was sent must be compared byte
// by byte. Only single-frame messages of one link can be told apart, which is
// all that the corpus has.
type tap struct {
	net.Conn
	mu       sync.Mutex
	pending  []byte // input that is not yet a whole frame
	payloads [][]byte
	err      error
}

func (t *tap) Read(p []byte) (int, error) {
	n, err := t.Conn.Read(p)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pending = append(t.pending, p[:n]...)
	t.cut()
	return n, err
}

// cut takes whole frames and protocol headers off the pending input.
func (t *tap) cut() {
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
func (t *tap) frame(f []byte) {
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
	t.payloads = append(t.payloads, append([]byte(nil), body[end:]...))
}

// taken gives the payloads that have come.
func (t *tap) taken() ([][]byte, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.payloads, t.err
}
