package amqp

import (
	"time"

	"entrepot/protocol/amqp/wire"
)

// phase is where a connection stands between its first and its last byte. It
// follows the states of [amqp-transport 2.4.6], less those that differ only in
// what we have sent: we answer in the same turn.
type phase uint8

const (
	phaseHeader   phase = iota // the peer's protocol header is due
	phaseSASL                  // a SASL frame is due
	phaseSASLWait              // input waits for Authenticate
	phaseOpen                  // the peer's open is due
	phaseOpenWait              // input waits for Open or Close
	phaseOpened                // everything else
	phaseClosing               // our close is sent; only the peer's close matters
	phaseClosed                // nothing is read any more
)

// Conn is the engine of one connection. It owns its sessions, which own their
// links.
type Conn struct {
	cfg   *Config
	phase phase

	in  input
	out []byte
	// lent are bytes that the last event may alias, to be overwritten in test
	// builds; lentBuffer is an assembled message among them, to be used again.
	lent       []byte
	lentBuffer []byte
	// spareBuffer is for the next message of several frames.
	spareBuffer []byte
	// assembled counts the bytes of all unfinished messages.
	assembled uint64

	// authenticated: SASL is through. openSent: our open is in the output.
	authenticated bool
	openSent      bool
	remote        *wire.Open
	// peerFrame is the largest frame we may send, peerChannels the highest channel.
	peerFrame    uint32
	peerChannels uint16

	clock idle

	// sessions by the peer's channel, and by ours.
	sessions table[Session]
	channels slots[Session]
	links    int

	// touched sessions have something to say in TakeOutput.
	touched []*Session
	// notify are links that wait for an EventLinkFlow, those before notifyHead have
	// had it; queued is what other calls than Next brought about.
	notify     []*Link
	notifyHead int
	queued     []Event
	cursor     cursor

	// over: EventClosed is due, or was reported.
	over, reported bool
	closedBy       Event

	// Decoded in place, so that the hot frames allocate nothing.
	transfer    wire.Transfer
	flow        wire.Flow
	disposition wire.Disposition
}

// NewConn begins the engine of one connection. A dialling one has output at once.
// cfg is kept and must not change.
func NewConn(cfg *Config, now time.Time) *Conn {
	c := &Conn{cfg: cfg, peerFrame: wire.MinMaxFrameSize}
	c.clock.begin(now)
	if cfg.Role == Dialling {
		c.dial()
	}
	return c
}

// Receive hands over input that came at now. p must stay valid and unchanged until
// Next returns false; then nothing of it is kept.
// REQUIRES: Next has returned false since the last Receive.
func (c *Conn) Receive(p []byte, now time.Time) {
	assert(c.in.rest == nil, "Receive before Next has returned false")
	c.clock.received(now)
	c.in.rest = p
}

// ReceiveEOF tells that the socket is gone: nothing will come, nothing can be
// written. err may be nil. Next then reports EventClosed, unless it has already.
func (c *Conn) ReceiveEOF(err error) {
	text := "the peer hung up without a close"
	if err != nil {
		text = err.Error()
	}
	if c.phase == phaseClosing {
		c.finish(c.closedBy)
	}
	c.finish(Event{Err: &Error{Scope: ScopeConnection, Condition: wire.CondConnectionForced, Description: text}, Remote: true})
	c.phase = phaseClosed
	c.in.discard()
	c.out = nil
}

// Next goes on through the input until something happened that the owner must
// know, and fills in ev. It returns false when all input is consumed; a partial
// frame is kept inside. It also reports what actions, Tick and ReceiveEOF brought
// about, so call it after them too.
func (c *Conn) Next(ev *Event) bool {
	c.reclaim()
	*ev = Event{}
	for {
		if c.report(ev) {
			return true
		}
		c.reclaim() // a disposition that went on has ended, and its bytes may be used again
		happened, more := c.step(ev)
		if happened {
			return true
		}
		if !more {
			// A step without an event may have queued one.
			if c.report(ev) {
				return true
			}
			c.letInputGo()
			return false
		}
	}
}

// letInputGo drops what aliases the input: it is its owner's again.
func (c *Conn) letInputGo() {
	c.reclaim()
	c.transfer, c.flow, c.disposition = wire.Transfer{}, wire.Flow{}, wire.Disposition{}
	c.in.rest = nil
}

// reclaim takes back what the last event lent.
func (c *Conn) reclaim() {
	if c.lent != nil && c.cursor.session == nil { // else the disposition goes on
		scribble(c.lent)
		c.lent = nil
	}
	if c.lentBuffer != nil {
		scribble(c.lentBuffer)
		c.assembled -= uint64(len(c.lentBuffer))
		c.keepBuffer(c.lentBuffer)
		c.lentBuffer = nil
	}
}

// report fills in the next event that needs no more input.
func (c *Conn) report(ev *Event) bool {
	if c.cursor.session != nil && c.walk(ev) {
		return true
	}
	if len(c.queued) > 0 {
		*ev = c.queued[0]
		c.queued = c.queued[1:]
		return true
	}
	for c.notifyHead < len(c.notify) {
		l := c.notify[c.notifyHead]
		c.notify[c.notifyHead] = nil
		c.notifyHead++
		l.notified = false
		if l.live() {
			ev.Kind, ev.Link, ev.Session = EventLinkFlow, l, l.session
			return true
		}
	}
	c.notify, c.notifyHead = c.notify[:0], 0
	if c.over && !c.reported {
		c.reported = true
		*ev = c.closedBy
		return true
	}
	return false
}

// step consumes one unit of input. more is false when none is complete.
func (c *Conn) step(ev *Event) (happened, more bool) {
	switch c.phase {
	case phaseHeader:
		return false, c.stepHeader()
	case phaseSASLWait, phaseOpenWait:
		if !c.in.hold() {
			c.fail(&Error{Condition: wire.CondResourceLimitExceeded, Description: "too much was sent ahead of our answer"})
		}
		return false, false
	case phaseClosed:
		c.in.discard()
		return false, false
	}
	h, frame, ok := c.cut()
	if !ok {
		return false, false
	}
	if h.Type == wire.FrameSASL {
		happened = c.onSASL(ev, h.Body(frame))
	} else {
		happened = c.onFrame(ev, h.Channel, h.Body(frame))
	}
	if happened {
		c.lent = frame
	}
	return happened, true
}

// cut takes the next whole frame from the input.
func (c *Conn) cut() (h wire.FrameHeader, frame []byte, ok bool) {
	p := c.in.peek(wire.FrameHeaderSize)
	if p == nil {
		return h, nil, false
	}
	// [amqp-security 5.3.1] A SASL frame is at most MIN-MAX-FRAME-SIZE, 512 bytes.
	limit := uint32(wire.MinMaxFrameSize)
	if c.phase != phaseSASL {
		// [amqp-transport 2.7.1] A peer must not send frames larger than its partner
		// can handle: one that is oversized closes the connection with framing-error.
		// It is seen in the header, before anything of it is kept.
		limit = c.cfg.maxFrameSize()
	}
	h, err := wire.ParseFrameHeader(p, limit)
	if err == nil && (h.Type == wire.FrameSASL) != (c.phase == phaseSASL) {
		// [amqp-security 5.3.2] SASL frames have their place between the SASL header
		// and the outcome, and nothing else has its place there.
		err = &wire.DecodeError{Condition: wire.CondFramingError, Reason: "a frame of this type has no place here"}
	}
	if err != nil {
		c.fail(undecodable(ScopeConnection, err))
		// Where the next frame begins, nobody knows.
		c.in.discard()
		return h, nil, false
	}
	frame = c.in.peek(int(h.Size))
	if frame == nil {
		return h, nil, false
	}
	c.in.skip(int(h.Size))
	return h, frame, true
}

// Waiting tells that input waits for Authenticate or Open. The owner should not
// read on: no more than 256 KiB is kept.
func (c *Conn) Waiting() bool { return c.phase == phaseSASLWait || c.phase == phaseOpenWait }

// Done tells that nothing more is to be read or written: close the socket. It is
// true only after the output has been taken.
func (c *Conn) Done() bool { return c.phase == phaseClosed && len(c.out) == 0 }

// RemoteOpen is the peer's open, nil before it has come.
func (c *Conn) RemoteOpen() *wire.Open { return c.remote }
