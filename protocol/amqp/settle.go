package amqp

import "entrepot/protocol/amqp/wire"

// Settle tells the sender what became of the deliveries first..last of this
// receiving link (ids of other links in between are left alone, and so are ids
// that are settled already). Neighbours with equal state merge into one disposition
// until TakeOutput; an Error in state must not change until then. On a link of
// rcv-settle-mode second, settled is overruled: the delivery stays unsettled until
// the sender settles, see EventPeerSettled.
func (l *Link) Settle(first, last DeliveryID, state wire.DeliveryState, settled bool) {
	s := l.session
	if l.sender || !l.live() {
		return
	}
	id, end := widen(uint32(first), s.in.last), widen(uint32(last), s.in.last)
	for id <= end {
		e := s.in.seek(id)
		if e == nil || e.id > end {
			return
		}
		id = e.id + 1
		if e.link != l || e.partial || e.told && (e.second || !settled) {
			continue
		}
		// [amqp-transport 2.8.3] second: the receiver settles only after it has sent
		// its disposition and got the sender's settlement.
		settles := settled && !e.second
		wireID := uint32(e.id)
		if settles {
			s.in.kill(e)
		} else {
			e.told = state.Kind != wire.StateReceived
		}
		s.dispose(wire.RoleReceiver, wireID, wireID, &state, settles)
	}
}

// SettleOut settles a delivery of a sending link that the peer left unsettled
// (Outcome.Settled is false). state may be StateNone. Merged like Settle.
func (l *Link) SettleOut(id DeliveryID, state wire.DeliveryState) {
	s := l.session
	if !l.sender || !l.live() {
		return
	}
	e := s.out.find(widen(uint32(id), s.out.last))
	if e == nil || e.link != l {
		return
	}
	s.settleOut(e)
	s.dispose(wire.RoleSender, uint32(id), uint32(id), &state, true)
}

// settleOut forgets a delivery of ours; its link may be ready again.
func (s *Session) settleOut(e *entry) {
	l := e.link
	s.out.kill(e)
	if l.starved {
		l.starved = false
		l.notify()
	}
}

// cursor is where Next is in a disposition of the peer's: there is one event for
// each delivery, and between two of them the owner may act.
type cursor struct {
	session *Session // nil: none
	next    uint64
	end     uint64
}

// onDisposition: the peer tells the state of a range of deliveries, of either
// direction, over any links of the session [amqp-transport 2.7.6].
func (s *Session) onDisposition(ev *Event, body []byte) bool {
	d := &s.conn.disposition
	r := wire.NewReader(body)
	if err := d.Decode(&r); err != nil {
		return s.fail(ev, undecodable(ScopeSession, err))
	}
	last := d.Last.Or(d.First)
	if serialAfter(d.First, last) {
		return s.fail(ev, &Error{Condition: wire.CondInvalidField, Description: "disposition.last: is before first"})
	}
	// A receiver speaks of what we have sent, a sender of what it has sent.
	near := s.out.last
	if d.Role == wire.RoleSender {
		near = s.in.last
	}
	s.conn.cursor = cursor{session: s, next: widen(d.First, near), end: widen(last, near)}
	return s.conn.walk(ev)
}

// walk goes on with the disposition; false when it is through.
func (c *Conn) walk(ev *Event) bool {
	k := &c.cursor
	for s := k.session; s.live(); {
		u := &s.out
		if c.disposition.Role == wire.RoleSender {
			u = &s.in
		}
		e := u.seek(k.next)
		if e == nil || e.id > k.end {
			break
		}
		k.next = e.id + 1
		if u == &s.out {
			if c.outcome(ev, s, e) {
				return true
			}
		} else if c.peerSettled(ev, s, e) {
			return true
		}
	}
	*k = cursor{}
	return false
}

// outcome handles what the receiver says about one delivery of ours.
func (c *Conn) outcome(ev *Event, s *Session, e *entry) bool {
	d := &c.disposition
	l := e.link
	terminal := d.State.Kind != wire.StateNone && d.State.Kind != wire.StateReceived
	if !d.Settled && !terminal {
		return false // no more than a progress report
	}
	// [amqp-transactions 4.5.8] As with a transfer: no transaction is known.
	if d.State.Kind == wire.StateTransactional {
		return l.fail(ev, &Error{Condition: wire.CondTransactionUnknownID, Description: "disposition.state: names a transaction that is not known"})
	}
	told := e.told
	id, ref := DeliveryID(e.id), e.ref
	if d.Settled {
		s.settleOut(e)
	} else {
		e.told = true
	}
	if told {
		return false
	}
	ev.Kind, ev.Link, ev.Session = EventOutcome, l, s
	ev.Outcome = Outcome{ID: id, Ref: ref, State: d.State, Settled: d.Settled}
	return true
}

// peerSettled handles what the sender says about deliveries that it has sent.
func (c *Conn) peerSettled(ev *Event, s *Session, e *entry) bool {
	if !c.disposition.Settled {
		return false // only settling matters to us
	}
	l, first := e.link, e.id
	if e.partial {
		s.in.kill(e) // its last frame will report it settled
		return false
	}
	last := first
	for {
		s.in.kill(e)
		if last == c.cursor.end {
			break
		}
		if e = s.in.find(last + 1); e == nil || e.link != l || e.partial {
			break
		}
		last = e.id
	}
	c.cursor.next = last + 1
	ev.Kind, ev.Link, ev.Session = EventPeerSettled, l, s
	ev.First, ev.Last = DeliveryID(first), DeliveryID(last)
	return true
}
