package amqp

import "entrepot/protocol/amqp/wire"

// refusedLinks is how many links beyond Config.MaxLinks may be there while they are
// being refused. A peer that goes on ends its session.
const refusedLinks = 256

// onAttach: the peer begins a link, or answers ours [amqp-transport 2.6.3].
func (s *Session) onAttach(ev *Event, body []byte) bool {
	a := new(wire.Attach)
	r := wire.NewReader(body)
	if err := a.Decode(&r); err != nil {
		return s.fail(ev, undecodable(ScopeSession, err))
	}
	c := s.conn
	// [amqp-transport 2.7.2] A peer that receives a handle outside the supported
	// range must close the connection with framing-error.
	if a.Handle > c.cfg.handleMax() {
		return c.fail(&Error{Condition: wire.CondFramingError, Description: "attach.handle: is above handle-max"})
	}
	// [amqp-transport 2.8.17] handle-in-use: an attach came with a handle that is
	// already in use for an attached link.
	if s.remote.get(a.Handle) != nil {
		return s.fail(ev, &Error{Condition: wire.CondHandleInUse, Description: "attach.handle: is in use"})
	}
	if l := s.answered(a); l != nil {
		return l.onAnswer(ev, a)
	}
	if c.links >= c.cfg.maxLinks()+refusedLinks {
		return s.fail(ev, &Error{Condition: wire.CondResourceLimitExceeded, Description: "attach: too many links"})
	}
	l := &Link{session: s, name: a.Name, sender: a.Role == wire.RoleReceiver}
	if !s.takeHandle(l) {
		return s.fail(ev, &Error{Condition: wire.CondResourceLimitExceeded, Description: "attach: our answer would need a handle above the peer's handle-max"})
	}
	l.meet(a)
	l.sndMode, l.rcvMode = a.SndSettleMode, a.RcvSettleMode
	if c.links > c.cfg.maxLinks() {
		l.Refuse(&Error{Condition: wire.CondResourceLimitExceeded, Description: "attach: too many links"})
		return false
	}
	ev.Kind, ev.Link, ev.Session = EventLinkAttached, l, s
	return true
}

// takeHandle: [amqp-transport 2.7.2] a peer must not attach a link with a handle
// outside the range that its partner can handle.
func (s *Session) takeHandle(l *Link) bool {
	n, ok := s.local.take(l, s.remoteHandles)
	if ok {
		l.localHandle = n
		s.conn.links++
	}
	return ok
}

// answered finds the link of ours that a answers, and takes it off the list.
// [amqp-transport 2.6.1] A link is named uniquely by its name and direction.
func (s *Session) answered(a *wire.Attach) *Link {
	for i, l := range s.offered {
		if l.name == a.Name && l.role() != a.Role {
			s.offered = append(s.offered[:i], s.offered[i+1:]...)
			return l
		}
	}
	return nil
}

// meet takes over what the peer's attach says.
func (l *Link) meet(a *wire.Attach) {
	l.peerAttach, l.hasRemote, l.remoteHandle = a, true, a.Handle
	l.peerMaxMessageSize = a.MaxMessageSize
	l.session.remote.set(a.Handle, l)
	if !l.sender {
		// [amqp-transport 2.7.3] initial-delivery-count must not be null if role is
		// sender; from one that leaves it out we take the usual 0.
		l.credit.meet(a.InitialDeliveryCount.Or(0))
	}
}

// onAnswer: the peer has attached its end of a link that we began.
func (l *Link) onAnswer(ev *Event, a *wire.Attach) bool {
	l.meet(a)
	if l.state == linkDetaching {
		return false // we have detached before the answer came
	}
	// [amqp-transport 2.6.3] Who refuses a link answers with an attach whose
	// terminus at its own side is null, and detaches.
	refused := a.Source == nil && a.UnknownSource == nil
	if l.sender {
		refused = a.Target == nil && a.Coordinator == nil && a.UnknownTarget == nil
	}
	if refused {
		l.state = linkRefused
		return false
	}
	l.state = linkAttached
	// [amqp-transport 2.7.3] Each end tells its own settle mode, and what it wishes
	// of the other.
	if l.sender {
		l.rcvMode = a.RcvSettleMode
	} else {
		l.sndMode = a.SndSettleMode
	}
	ev.Kind, ev.Link, ev.Session = EventLinkAttached, l, l.session
	return true
}

// Attach begins a link. EventLinkAttached or EventLinkDetached follows. Credit may
// be granted at once. Errors: ErrEnded, ErrNoHandle, ErrTooLarge (the attach does not
// fit into the peer's frames).
func (s *Session) Attach(o AttachOptions) (*Link, error) {
	if !s.live() {
		return nil, ErrEnded
	}
	if s.state == sessionBegun {
		// The peer's handle-max is not known yet; every peer has the lowest handles.
		s.remoteHandles = wire.DefaultHandleMax
	}
	l := &Link{session: s, name: o.Name, sender: o.Role == wire.RoleSender, Data: o.Data,
		sndMode: o.SndSettleMode, rcvMode: o.RcvSettleMode, state: linkOffered,
		maxMessageSize: or(o.MaxMessageSize, s.conn.cfg.maxMessageSize())}
	if s.conn.links >= s.conn.cfg.maxLinks() || !s.takeHandle(l) {
		return nil, ErrNoHandle
	}
	a := l.attachFrame()
	a.Source, a.Target = o.Source, o.Target
	a.OfferedCapabilities, a.DesiredCapabilities, a.Properties = o.OfferedCapabilities, o.DesiredCapabilities, o.Properties
	if !s.conn.send(s.localChannel, a) {
		s.local.release(l.localHandle)
		s.conn.links--
		return nil, ErrTooLarge
	}
	s.offered = append(s.offered, l)
	return l, nil
}

// attachFrame is what all our attaches have in common.
func (l *Link) attachFrame() *wire.Attach {
	a := &wire.Attach{Name: l.name, Handle: l.localHandle, Role: l.role(), SndSettleMode: l.sndMode, RcvSettleMode: l.rcvMode}
	if l.sender {
		a.InitialDeliveryCount = wire.Some[uint32](0)
	} else {
		a.MaxMessageSize = l.maxMessageSize
	}
	return a
}

// Accept answers a link that the peer began.
func (l *Link) Accept(o AcceptOptions) {
	if l.state != linkProposed || !l.live() {
		return
	}
	l.sndMode = o.SndSettleMode.Or(l.sndMode)
	l.rcvMode = o.RcvSettleMode.Or(l.rcvMode)
	l.maxMessageSize = or(o.MaxMessageSize, l.session.conn.cfg.maxMessageSize())
	a, peer := l.attachFrame(), l.peerAttach
	a.Source, a.UnknownSource = peer.Source, peer.UnknownSource
	if o.Source != nil {
		a.Source, a.UnknownSource = o.Source, nil
	}
	a.Target, a.Coordinator, a.UnknownTarget = peer.Target, peer.Coordinator, peer.UnknownTarget
	if o.Target != nil {
		a.Target, a.Coordinator, a.UnknownTarget = o.Target, nil, nil
	}
	a.OfferedCapabilities, a.DesiredCapabilities, a.Properties = o.OfferedCapabilities, o.DesiredCapabilities, o.Properties
	// [amqp-transport 2.6.13] We keep no unsettled deliveries of links that were
	// detached, and say so with a null unsettled map: the peer starts anew with
	// those that it knows of.
	if !l.session.conn.send(l.session.localChannel, a) {
		// [amqp-transport 2.8.15] frame-size-too-small: the smallest encoding of the
		// performative does not fit into the peer's frames.
		l.failLater(&Error{Condition: wire.CondFrameSizeTooSmall, Description: "attach: our answer does not fit into your max-frame-size"})
		return
	}
	l.state, l.peerAttach = linkAttached, nil
	if l.sender && (l.credit.left > 0 || l.credit.drain) {
		l.notify() // the peer's flow came before our answer
	}
	if l.owesFlow {
		l.owesFlow = false
		l.oweFlow()
	}
}

// Refuse answers a link that the peer began: attach with a null terminus, then
// detach with err. Frames for it are ignored until the peer's detach.
func (l *Link) Refuse(err *Error) {
	if l.state != linkProposed || !l.live() {
		return
	}
	l.silent = true
	l.sendNullAttach()
	l.sendDetach(true, err)
}

// sendNullAttach answers a link that is not to be: [amqp-transport 2.6.3] the
// terminus at our side is null.
func (l *Link) sendNullAttach() {
	a, peer := l.attachFrame(), l.peerAttach
	if l.sender {
		a.Target, a.Coordinator, a.UnknownTarget = peer.Target, peer.Coordinator, peer.UnknownTarget
	} else {
		a.Source, a.UnknownSource = peer.Source, peer.UnknownSource
	}
	s := l.session
	if s.conn.send(s.localChannel, a) {
		return
	}
	if !s.conn.send(s.localChannel, l.attachFrame()) {
		// Not even the name fits.
		s.endLater(&Error{Condition: wire.CondFrameSizeTooSmall, Description: "attach: the link's name does not fit into your max-frame-size"})
	}
}
