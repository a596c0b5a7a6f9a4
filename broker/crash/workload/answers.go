package workload

import (
	"encoding/binary"
	"net"
	"sync"

	"entrepot/protocol/amqp/wire"
)

// answers is a socket that keeps how the broker has settled deliveries. A broker
// that could not make an outcome a fact settles with another state than the client
// said [amqp-transport 2.6.12]; go-amqp tells its caller of both as of a success.
// It is for one link with deliveries of one frame or of many, on one session.
type answers struct {
	net.Conn

	pending []byte // of the reading goroutine: not yet enough of a frame
	skip    int    // bytes of the current frame that are of no interest

	mu     sync.Mutex
	ids    map[string]uint32 // delivery-id by delivery-tag
	states map[uint32]wire.StateKind
}

func newAnswers(socket net.Conn) *answers {
	return &answers{Conn: socket, ids: map[string]uint32{}, states: map[uint32]wire.StateKind{}}
}

// Read implements net.Conn.
func (a *answers) Read(p []byte) (int, error) {
	n, err := a.Conn.Read(p)
	a.feed(p[:n])
	return n, err
}

// enough is how much of a frame is looked at: all of a disposition, and of a
// transfer what stands before the payload.
const enough = 512

// feed takes frames off what has come so far.
func (a *answers) feed(p []byte) {
	dropped := min(a.skip, len(p))
	a.skip -= dropped
	a.pending = append(a.pending, p[dropped:]...)
	for len(a.pending) >= 8 {
		if string(a.pending[:4]) == "AMQP" { // a protocol header
			a.pending = a.pending[8:]
			continue
		}
		size := int(binary.BigEndian.Uint32(a.pending))
		look := min(size, enough)
		if size < 8 || len(a.pending) < look {
			return
		}
		a.frame(a.pending[:look])
		have := min(size, len(a.pending))
		a.skip = size - have
		a.pending = a.pending[have:]
	}
	if len(a.pending) == 0 {
		a.pending = nil // else the next append would grow a buffer whose front is lost
	}
}

// frame notes a transfer's id and a disposition's state. What does not parse is for
// go-amqp to complain about.
func (a *answers) frame(f []byte) {
	body := f[min(4*int(f[4]), len(f)):]
	desc, err := wire.PeekDescriptor(body)
	if err != nil {
		return
	}
	r := wire.NewReader(body)
	a.mu.Lock()
	defer a.mu.Unlock()
	switch desc {
	case wire.DescTransfer:
		var t wire.Transfer
		if t.Decode(&r) == nil && t.DeliveryID.Set {
			a.ids[string(t.DeliveryTag)] = t.DeliveryID.V
		}
	case wire.DescDisposition:
		var d wire.Disposition
		if d.Decode(&r) != nil || d.Role != wire.RoleSender || !d.Settled {
			return
		}
		last := d.First
		if d.Last.Set {
			last = d.Last.V
		}
		for id := d.First; int32(last-id) >= 0; id++ { // serial numbers wrap
			a.states[id] = d.State.Kind
		}
	}
}

// agreed tells whether the broker has settled a delivery as the client said; to be
// asked once, after go-amqp has said that it is settled.
func (a *answers) agreed(tag []byte, said wire.StateKind) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	id, ok := a.ids[string(tag)]
	if !ok {
		return false
	}
	state := a.states[id]
	delete(a.ids, string(tag))
	delete(a.states, id)
	return state == said || state == wire.StateNone
}
