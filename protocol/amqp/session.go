package amqp

import (
	"entrepot/protocol/amqp/wire"
)

type sessionState uint8

const (
	sessionBegun  sessionState = iota // our begin is sent, the peer's is due
	sessionMapped                     // both have begun
	sessionEnding                     // our end is sent, the peer's is due; input is dropped
	sessionOver
)

// Session is one session of a connection: a pair of channels, with windows that
// count transfer frames and numbers for deliveries in both directions.
type Session struct {
	// Data is the owner's.
	Data any

	conn  *Conn
	state sessionState
	// silent: the owner has had its EventSessionEnded.
	silent        bool
	localChannel  uint16
	remoteChannel uint16

	window window
	// nextDelivery numbers our deliveries; its low half is the delivery-id.
	nextDelivery uint64
	// in and out are the unsettled maps of what the peer and what we have sent.
	in, out unsettled

	// links by the peer's handle, and by ours. offered are those of our links whose
	// attach the peer has not answered.
	remote        table[Link]
	local         slots[Link]
	offered       []*Link
	remoteHandles uint32

	// partials are links whose message was cut off by the window, in that order;
	// blocked are links that want to know when it opens.
	// Invariant: window.outgoing is 0 if there are partials.
	partials []*Link
	blocked  []*Link

	// What TakeOutput will say: dispositions, links' flows, and the session's flow
	// if no link's flow says it too.
	pending []pendingRange
	flows   []*Link
	owesFlow,
	touched bool
}

// Conn is the session's connection.
func (s *Session) Conn() *Conn { return s.conn }

// live tells that frames may be sent on the session.
func (s *Session) live() bool {
	return s.state <= sessionMapped && s.conn.phase == phaseOpened
}

// touch remembers the session for flush.
func (s *Session) touch() {
	if !s.touched {
		s.touched = true
		s.conn.touched = append(s.conn.touched, s)
	}
}

// flush writes out what was held back for merging.
func (s *Session) flush() {
	s.touched = false
	if !s.live() {
		return
	}
	s.flushDispositions()
	for i, l := range s.flows {
		s.flows[i] = nil
		if l.owesFlow {
			l.sendFlow()
		}
	}
	s.flows = s.flows[:0]
	if s.owesFlow {
		s.sendFlow(&wire.Flow{})
	}
}

// newSession starts the wide delivery numbers high enough that no id of a peer's
// lies below zero.
func newSession(c *Conn) *Session {
	const first = 1 << 32
	s := &Session{conn: c, nextDelivery: first}
	s.in.last, s.out.last = first, first
	return s
}

// Begin begins a session. Links may be attached to it at once.
// REQUIRES: EventOpened was reported. Errors: ErrNotOpen, ErrNoChannel.
func (c *Conn) Begin() (*Session, error) {
	if c.phase != phaseOpened {
		return nil, ErrNotOpen
	}
	s := newSession(c)
	if !s.takeChannel() {
		return nil, ErrNoChannel
	}
	s.sendBegin(wire.Opt[uint16]{})
	return s, nil
}

// takeChannel: [amqp-transport 2.7.1] a peer must not use channel numbers outside
// the range that its partner can handle.
func (s *Session) takeChannel() bool {
	n, ok := s.conn.channels.take(s, uint32(s.conn.peerChannels))
	s.localChannel = uint16(n)
	return ok
}

func (s *Session) sendBegin(answers wire.Opt[uint16]) {
	cfg := s.conn.cfg
	s.window.begin(cfg.incomingWindow())
	s.conn.send(s.localChannel, &wire.Begin{
		RemoteChannel:  answers,
		NextOutgoingID: s.window.nextOutgoing,
		IncomingWindow: cfg.incomingWindow(),
		OutgoingWindow: outgoingWindow,
		HandleMax:      cfg.handleMax(),
	})
}

// onBegin: the peer begins a session, or answers ours [amqp-transport 2.5.1].
func (c *Conn) onBegin(ev *Event, channel uint16, body []byte) bool {
	var b wire.Begin
	r := wire.NewReader(body)
	if err := b.Decode(&r); err != nil {
		return c.fail(undecodable(ScopeConnection, err))
	}
	if c.sessions.get(uint32(channel)) != nil {
		return c.fail(&Error{Condition: wire.CondIllegalState, Description: "begin: a session is there on this channel"})
	}
	var s *Session
	if b.RemoteChannel.Set {
		// [amqp-transport 2.7.2] remote-channel names the channel of the begin that is
		// answered; it is set in answers only.
		s = c.channels.get(uint32(b.RemoteChannel.V))
		if s == nil || s.hasRemote() {
			return c.fail(&Error{Condition: wire.CondInvalidField, Description: "begin.remote-channel: no begin of ours waits for an answer there"})
		}
	} else {
		s = newSession(c)
		if !s.takeChannel() {
			return c.fail(&Error{Condition: wire.CondNotAllowed, Description: "begin: our answer would need a channel above the peer's channel-max"})
		}
		s.sendBegin(wire.Some(channel))
	}
	s.remoteChannel = channel
	s.remoteHandles = b.HandleMax
	s.window.begun(&b)
	c.sessions.set(uint32(channel), s)
	if s.state == sessionEnding {
		return false // we have ended it before the answer came
	}
	s.state = sessionMapped
	s.wake()
	ev.Kind, ev.Session = EventSessionBegun, s
	return true
}

// hasRemote tells that the peer's begin has come.
func (s *Session) hasRemote() bool {
	return s.conn.sessions.get(uint32(s.remoteChannel)) == s
}

// onSessionFrame handles the frames that belong to a session.
func (c *Conn) onSessionFrame(ev *Event, channel uint16, d wire.Descriptor, body []byte) bool {
	s := c.sessions.get(uint32(channel))
	if s == nil {
		return c.fail(&Error{Condition: wire.CondIllegalState, Description: d.String() + ": no session has begun on this channel"})
	}
	if d == wire.DescEnd {
		return s.onEnd(ev, body)
	}
	if s.state == sessionEnding {
		// [amqp-transport 2.5.5] END SENT, DISCARDING: after an error all frames but
		// the peer's end are dropped silently.
		return false
	}
	switch d {
	case wire.DescTransfer:
		return s.onTransfer(ev, body)
	case wire.DescDisposition:
		return s.onDisposition(ev, body)
	case wire.DescFlow:
		return s.onFlow(ev, body)
	case wire.DescAttach:
		return s.onAttach(ev, body)
	case wire.DescDetach:
		return s.onDetach(ev, body)
	}
	return c.fail(&Error{Condition: wire.CondNotImplemented, Description: d.String() + ": is no performative of a frame"})
}

// End ends the session; err may be nil. EventSessionEnded comes with the peer's
// end.
func (s *Session) End(err *Error) {
	if s.live() {
		s.sendEnd(err)
	}
}

func (s *Session) sendEnd(err *Error) {
	s.flush()
	if !s.conn.send(s.localChannel, &wire.End{Error: err.toWire()}) {
		s.conn.send(s.localChannel, &wire.End{Error: shortened(err.toWire())})
	}
	s.state = sessionEnding
	s.abandon()
}

// fail ends the session for a fault of the peer's.
// [amqp-transport 2.5.4] When a session can't go on after an error, it is ended
// with an end that says why.
func (s *Session) fail(ev *Event, err *Error) bool {
	err.Scope = ScopeSession
	s.sendEnd(err)
	s.silent = true
	ev.Kind, ev.Session, ev.Err = EventSessionEnded, s, err
	return true
}

// onEnd: the peer's end has come.
func (s *Session) onEnd(ev *Event, body []byte) bool {
	var f wire.End
	r := wire.NewReader(body)
	remote := s.state != sessionEnding
	if err := f.Decode(&r); err != nil && remote {
		s.fail(ev, undecodable(ScopeSession, err)) // it ends all the same
	} else if remote {
		// [amqp-transport 2.5.2] The partner of one that ends answers with an end.
		s.sendEnd(nil)
	}
	s.state = sessionOver
	s.conn.sessions.set(uint32(s.remoteChannel), nil)
	s.conn.channels.release(uint32(s.localChannel))
	if s.silent {
		return ev.Kind != EventNone
	}
	ev.Kind, ev.Session, ev.Remote, ev.Err = EventSessionEnded, s, remote, fromWire(ScopeSession, f.Error)
	return true
}

// abandon forgets the links of an ending session, and what they hold.
func (s *Session) abandon() {
	s.in, s.out = unsettled{}, unsettled{}
	for _, l := range s.local.used {
		if l != nil {
			l.letGo()
			l.state = linkOver
			s.conn.links--
		}
	}
	s.local, s.remote = slots[Link]{}, table[Link]{}
	s.offered, s.partials, s.blocked, s.pending, s.flows = nil, nil, nil, nil, nil
	s.owesFlow = false
}
