package amqp

import "entrepot/protocol/amqp/wire"

// outgoingWindow is what we announce. It has no limit of its own: what we send is
// bounded by the peer's incoming window and its credit.
const outgoingWindow = 1<<31 - 1

// window is the flow control of a session [amqp-transport 2.5.6]. It counts
// transfer frames. The owner takes messages in as fast as they come, so our window
// is always announced in full again: what slows a sender down is link credit, and
// never the window, for a session carries many links.
type window struct {
	// nextIncoming is the transfer-id that the next frame of the peer has; incoming
	// is how many of them it may send by what we announced last.
	nextIncoming uint32
	incoming     uint32
	size         uint32

	// nextOutgoing is the transfer-id of our next frame; outgoing is how many the
	// peer takes (its remote-incoming-window).
	nextOutgoing uint32
	outgoing     uint32
	// known: the peer's begin has come. numbered: its first delivery has come.
	known, numbered bool
}

func (w *window) begin(size uint32) { w.size, w.incoming = size, size }

func (w *window) begun(b *wire.Begin) {
	w.known = true
	w.nextIncoming = b.NextOutgoingID
	w.outgoing = b.IncomingWindow
}

// received counts a transfer frame of the peer's; false if it had no right to.
func (w *window) received() bool {
	if w.incoming == 0 {
		return false
	}
	w.incoming--
	w.nextIncoming++
	return true
}

// low tells that it is time to announce the window again.
func (w *window) low() bool { return w.incoming <= w.size/2 }

func (w *window) sent() {
	assert(w.outgoing > 0, "a transfer is sent into a closed window")
	w.outgoing--
	w.nextOutgoing++
}

// update takes over what the peer's flow says of its incoming window; false if it
// claims frames that we have not sent.
func (w *window) update(f *wire.Flow) bool {
	// [amqp-transport 2.5.6] remote-incoming-window := next-incoming-id of the flow +
	// incoming-window of the flow - next-outgoing-id of the endpoint. A peer that had
	// not seen our begin leaves next-incoming-id out: then initial-outgoing-id (ours
	// is 0) is taken for it.
	underway := w.nextOutgoing - f.NextIncomingID.Or(0)
	if underway > 1<<31 {
		return false
	}
	w.outgoing = 0
	if f.IncomingWindow > underway {
		w.outgoing = f.IncomingWindow - underway
	}
	return true
}

// fill writes the session's half of a flow; with it the whole window is announced.
func (w *window) fill(f *wire.Flow) {
	// [amqp-transport 2.7.4] next-incoming-id must be set if the peer's begin was
	// seen, and must not be if it was not.
	f.NextIncomingID = wire.Opt[uint32]{V: w.nextIncoming, Set: w.known}
	f.IncomingWindow = w.size
	f.NextOutgoingID = w.nextOutgoing
	f.OutgoingWindow = outgoingWindow
	w.incoming = w.size
}

// sendFlow completes and sends a flow.
func (s *Session) sendFlow(f *wire.Flow) {
	s.window.fill(f)
	s.owesFlow = false
	c := s.conn
	start := len(c.out)
	c.out = f.Append(wire.BeginFrame(c.out, wire.FrameAMQP, s.localChannel))
	wire.EndFrame(c.out, start)
}

// oweFlow promises a flow of the session.
func (s *Session) oweFlow() {
	s.owesFlow = true
	s.touch()
}

// onFlow: the peer tells the state of the session, and maybe of a link.
func (s *Session) onFlow(ev *Event, body []byte) bool {
	f := &s.conn.flow
	r := wire.NewReader(body)
	if err := f.Decode(&r); err != nil {
		return s.fail(ev, undecodable(ScopeSession, err))
	}
	if !s.window.update(f) {
		return s.fail(ev, &Error{Condition: wire.CondInvalidField, Description: "flow.next-incoming-id: is ahead of what was sent"})
	}
	s.wake()
	if !f.Handle.Set {
		if f.Echo {
			// [amqp-transport 2.7.4] With echo the peer asks for our state at the
			// earliest convenient opportunity.
			s.oweFlow()
		}
		return false
	}
	l := s.remote.get(f.Handle.V)
	if l == nil {
		return s.unattached(ev, "flow")
	}
	return l.onFlow(ev, f)
}

// unattached: [amqp-transport 2.8.17] a frame other than attach came for a handle
// that is not attached.
func (s *Session) unattached(ev *Event, performative string) bool {
	return s.fail(ev, &Error{Condition: wire.CondUnattachedHandle, Description: performative + ".handle: is not attached"})
}

// wake goes on where the window had closed: first with the messages that it cut
// off, then by telling the links that had more to send.
func (s *Session) wake() {
	for len(s.partials) > 0 && s.window.outgoing > 0 {
		l := s.partials[0]
		if !l.resume() {
			return
		}
		n := copy(s.partials, s.partials[1:])
		s.partials[n] = nil
		s.partials = s.partials[:n]
	}
	if s.window.outgoing == 0 || len(s.blocked) == 0 {
		return
	}
	// The link that was first the last time is now last, or it could take the whole
	// window again and again.
	for _, l := range s.blocked[1:] {
		l.unblock()
	}
	s.blocked[0].unblock()
	clear(s.blocked)
	s.blocked = s.blocked[:0]
}
