package amqp

import "entrepot/protocol/amqp/wire"

// Detach detaches the link, or closes it; err may be nil. What it had unsettled is
// forgotten. Frames for it are ignored until the peer's detach, with which
// EventLinkDetached comes.
func (l *Link) Detach(closed bool, err *Error) {
	switch {
	case !l.live():
	case l.state == linkProposed:
		l.Refuse(err)
	default:
		l.sendDetach(closed, err)
	}
}

// sendDetach ends our half of the link.
func (l *Link) sendDetach(closed bool, err *Error) {
	s := l.session
	if !s.live() {
		return
	}
	// What was said about the link's deliveries goes before.
	s.flushDispositions()
	d := wire.Detach{Handle: l.localHandle, Closed: closed, Error: err.toWire()}
	if !s.conn.send(s.localChannel, &d) {
		d.Error = shortened(d.Error)
		s.conn.send(s.localChannel, &d)
	}
	l.state = linkDetaching
	l.letGo()
}

// fail ends the link for a fault of the peer's, and nothing but the link.
// [amqp-transport 2.6.5] A link endpoint that can't go on after an error is
// detached with an error; if it is not attached yet, it is attached first.
func (l *Link) fail(ev *Event, err *Error) bool {
	l.end(err)
	if !l.session.live() {
		return false
	}
	ev.Kind, ev.Link, ev.Session, ev.Err, ev.Closed = EventLinkDetached, l, l.session, err, true
	return true
}

// failLater is fail for an action: the event comes with the next Next.
func (l *Link) failLater(err *Error) {
	var ev Event
	if l.fail(&ev, err) {
		l.session.conn.queued = append(l.session.conn.queued, ev)
	}
}

// endLater is Session.fail for an action.
func (s *Session) endLater(err *Error) {
	var ev Event
	if s.fail(&ev, err) {
		s.conn.queued = append(s.conn.queued, ev)
	}
}

func (l *Link) end(err *Error) {
	err.Scope = ScopeLink
	l.silent = true
	if l.state == linkProposed {
		l.sendNullAttach()
	}
	l.sendDetach(true, err)
}

// onDetach: the peer has ended its half of a link.
func (s *Session) onDetach(ev *Event, body []byte) bool {
	var d wire.Detach
	r := wire.NewReader(body)
	if err := d.Decode(&r); err != nil {
		return s.fail(ev, undecodable(ScopeSession, err))
	}
	l := s.remote.get(d.Handle)
	if l == nil {
		return s.unattached(ev, "detach")
	}
	remote := l.state != linkDetaching
	if remote {
		if l.state == linkProposed {
			l.sendNullAttach()
		}
		// [amqp-transport 2.6.6] Who closes a link sends a detach with closed set; the
		// partner answers with the same.
		l.sendDetach(d.Closed, nil)
		if s.state != sessionMapped {
			return false // the answer did not fit, and the session ends
		}
	}
	// [amqp-transport 2.6.4] Both are detached: the handles are free to be used
	// again.
	s.remote.set(d.Handle, nil)
	s.local.release(l.localHandle)
	s.conn.links--
	l.state = linkOver
	if l.silent {
		return false
	}
	l.silent = true
	ev.Kind, ev.Link, ev.Session, ev.Remote = EventLinkDetached, l, s, remote
	ev.Err, ev.Closed = fromWire(ScopeLink, d.Error), d.Closed
	return true
}
