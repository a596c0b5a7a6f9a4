package amqp

import (
	"encoding/binary"

	"entrepot/protocol/amqp/wire"
)

// Outgoing is a message to send. Deliver copies what it needs.
type Outgoing struct {
	// Tag has at most 32 bytes; nil lets the engine make one up from the delivery's
	// id.
	Tag []byte
	// Format is the message format; 0 is AMQP's own.
	Format uint32
	// Settled sends it settled: there will be no Outcome. A link of snd-settle-mode
	// settled sends everything so, one of mode unsettled nothing.
	Settled bool
	// Batchable: the peer need not answer this one at once.
	Batchable bool
	// Ref comes back in Outcome.
	Ref uint64
	// The payload is Head followed by Body.
	Head, Body []byte
}

// Ready is how many deliveries Deliver will take now. If that is less than the
// credit, an EventLinkFlow comes when there may be room again.
func (l *Link) Ready() int {
	if !l.sender || l.state != linkAttached || !l.live() {
		return 0
	}
	n := l.room()
	if n < l.credit.left {
		l.awaitRoom()
	}
	return int(n)
}

// room is how many deliveries can go now.
// [amqp-transport 2.6.7] No more than the link's credit, and [2.5.6] no more than
// the session's window: each delivery needs one frame at least.
func (l *Link) room() uint32 {
	if l.rest != nil {
		return 0
	}
	limit := l.session.conn.cfg.maxUnsettled()
	return min(l.credit.left, l.session.window.outgoing, limit-min(limit, l.unsettled))
}

// awaitRoom has an EventLinkFlow come when there may be more room.
func (l *Link) awaitRoom() {
	if l.unsettled >= l.session.conn.cfg.maxUnsettled() {
		l.starved = true
	} else if !l.blocked {
		l.blocked = true
		l.session.blocked = append(l.session.blocked, l)
	}
}

// unblock tells a link that the window is open.
func (l *Link) unblock() {
	if l.blocked {
		l.blocked = false
		l.notify()
	}
}

// Deliver sends a message. The payload is copied: into the output as far as the
// session's window allows, the rest aside until the window opens.
// Errors: ErrDetached, ErrNotReady, ErrTooLarge.
func (l *Link) Deliver(o *Outgoing) (DeliveryID, error) {
	if !l.sender || l.state != linkAttached || !l.live() {
		return 0, ErrDetached
	}
	size := uint64(len(o.Head)) + uint64(len(o.Body))
	if limit := l.peerMaxMessageSize; limit != 0 && size > limit || len(o.Tag) > wire.MaxDeliveryTag {
		return 0, ErrTooLarge
	}
	if l.room() == 0 {
		if l.credit.left > 0 {
			l.awaitRoom()
		}
		return 0, ErrNotReady
	}
	s := l.session
	id := s.nextDelivery
	s.nextDelivery++
	settled := o.Settled && l.sndMode != wire.SenderUnsettled || l.sndMode == wire.SenderSettled
	s.out.last = id
	if !settled {
		s.out.push(entry{id: id, link: l, ref: o.Ref})
		l.unsettled++
	}
	l.credit.count++
	l.credit.left--
	l.sendFirst(o, uint32(id), settled)
	return DeliveryID(id), nil
}

// sendFirst writes the first frame of a delivery, and as many more as fit.
func (l *Link) sendFirst(o *Outgoing, id uint32, settled bool) {
	var made [4]byte
	t := wire.Transfer{
		Handle:        l.localHandle,
		DeliveryID:    wire.Some(id),
		DeliveryTag:   o.Tag,
		MessageFormat: wire.Some(o.Format),
		Settled:       wire.Opt[bool]{V: true, Set: settled},
		Batchable:     o.Batchable,
	}
	if o.Tag == nil {
		binary.BigEndian.PutUint32(made[:], id)
		t.DeliveryTag = made[:]
	}
	head, body := l.sendFrame(&t, o.Head, o.Body)
	if len(head)+len(body) == 0 {
		return
	}
	// The rest of a message of several frames.
	if head, body = l.sendMore(head, body); len(head)+len(body) > 0 {
		l.rest = append(append(make([]byte, 0, len(head)+len(body)), head...), body...)
		l.session.partials = append(l.session.partials, l)
	}
}

// sendMore writes continuation frames while the window is open.
func (l *Link) sendMore(head, body []byte) (restHead, restBody []byte) {
	t := wire.Transfer{Handle: l.localHandle}
	for len(head)+len(body) > 0 && l.session.window.outgoing > 0 {
		head, body = l.sendFrame(&t, head, body)
	}
	return head, body
}

// sendFrame writes one frame with as much of the payload as it takes, and returns
// what is left.
func (l *Link) sendFrame(t *wire.Transfer, head, body []byte) (restHead, restBody []byte) {
	s := l.session
	c := s.conn
	start := len(c.out)
	t.More = false
	c.out = t.Append(wire.BeginFrame(c.out, wire.FrameAMQP, s.localChannel))
	room := int(c.peerFrame) - (len(c.out) - start)
	if len(head)+len(body) > room {
		t.More = true
		c.out = t.Append(wire.BeginFrame(c.out[:start], wire.FrameAMQP, s.localChannel))
		room = int(c.peerFrame) - (len(c.out) - start)
	}
	n := min(room, len(head))
	c.out = append(c.out, head[:n]...)
	m := min(room-n, len(body))
	c.out = append(c.out, body[:m]...)
	wire.EndFrame(c.out, start)
	s.window.sent()
	return head[n:], body[m:]
}

// resume goes on with a message that the window had cut off; false if it is still
// not through.
func (l *Link) resume() bool {
	if l.rest == nil {
		return true // the link has ended meanwhile
	}
	_, l.rest = l.sendMore(nil, l.rest)
	if len(l.rest) > 0 {
		return false
	}
	l.rest = nil
	return true
}
