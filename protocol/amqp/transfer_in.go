package amqp

import "entrepot/protocol/amqp/wire"

// reuseBuffer is the largest buffer of an assembled message that is kept for the
// next one.
const reuseBuffer = 1 << 20

// assembly is a delivery that arrives in several frames [amqp-transport 2.6.14].
type assembly struct {
	// active: a delivery has begun. The struct stays with the link for the next one.
	active bool
	// ignored: the delivery is not wanted; its frames are counted and dropped.
	ignored   bool
	id        uint32
	wide      uint64
	tag       [wire.MaxDeliveryTag]byte
	tagLen    uint8
	format    uint32
	settled   bool
	batchable bool
	buffer    []byte
}

// onTransfer: a frame with a message, or a part of one, has come.
func (s *Session) onTransfer(ev *Event, body []byte) bool {
	t := &s.conn.transfer
	r := wire.NewReader(body)
	if err := t.Decode(&r); err != nil {
		return s.fail(ev, undecodable(ScopeSession, err))
	}
	// [amqp-transport 2.8.17] window-violation: the peer violated the incoming window
	// of the session. Every frame counts, also one for a link that is ending.
	if !s.window.received() {
		return s.fail(ev, &Error{Condition: wire.CondWindowViolation, Description: "transfer: exceeds the session's incoming-window"})
	}
	if s.window.low() {
		s.oweFlow()
	}
	l := s.remote.get(t.Handle)
	switch {
	case l == nil:
		return s.unattached(ev, "transfer")
	case !l.live():
		return false // what was under way when we detached
	case l.sender:
		return l.fail(ev, &Error{Condition: wire.CondNotAllowed, Description: "transfer: came from the receiver of the link"})
	case l.assembly != nil && l.assembly.active:
		return l.onNextFrame(ev, t, r.Rest())
	}
	return l.onFirstFrame(ev, t, r.Rest())
}

// onFirstFrame begins a delivery, and mostly ends it too.
func (l *Link) onFirstFrame(ev *Event, t *wire.Transfer, payload []byte) bool {
	s := l.session
	if err := l.checkFirst(t); err != nil {
		if err.Scope == ScopeSession {
			return s.fail(ev, err)
		}
		return l.fail(ev, err)
	}
	s.in.last = widen(t.DeliveryID.V, s.in.last)
	s.window.numbered = true
	// [amqp-transport 2.6.13] The receiver must ignore resumed deliveries that are
	// not in its unsettled map, and ours has none. An aborted delivery is none.
	if t.Resume || t.Aborted {
		l.credit.giveBack()
		l.oweFlow()
		if t.More && !t.Aborted {
			l.startAssembly(t).ignored = true
		}
		return false
	}
	settled := t.Settled.Or(false)
	if !settled {
		second := l.rcvMode == wire.ReceiverSecond && t.RcvSettleMode.Or(l.rcvMode) == wire.ReceiverSecond
		s.in.push(entry{id: s.in.last, link: l, partial: t.More, second: second})
		l.unsettled++
	}
	if t.More {
		if err := l.gather(l.startAssembly(t), payload); err != nil {
			return l.fail(ev, err)
		}
		return false
	}
	// [amqp-transport 2.7.3] A message that exceeds max-message-size ends the link
	// with message-size-exceeded.
	if uint64(len(payload)) > l.maxMessageSize {
		return l.fail(ev, oversized())
	}
	ev.Kind, ev.Link, ev.Session = EventDelivery, l, s
	ev.Delivery = Delivery{ID: DeliveryID(t.DeliveryID.V), Tag: t.DeliveryTag, Format: t.MessageFormat.V,
		Settled: settled, Batchable: t.Batchable, Payload: payload}
	l.arrived()
	return true
}

// checkFirst holds the first frame of a delivery against the rules, and counts it.
func (l *Link) checkFirst(t *wire.Transfer) *Error {
	s := l.session
	// [amqp-transport 2.7.5] delivery-id and delivery-tag must be there on the first
	// transfer of a delivery.
	if !t.DeliveryID.Set {
		return &Error{Condition: wire.CondInvalidField, Description: "transfer.delivery-id: is missing on the first frame of a delivery"}
	}
	if t.DeliveryTag == nil {
		return &Error{Condition: wire.CondInvalidField, Description: "transfer.delivery-tag: is missing on the first frame of a delivery"}
	}
	// [amqp-transport 2.6.12] Delivery-ids are serial numbers in the scope of the
	// session. We ask that they rise, and not that they leave no gap: some clients
	// number by frames.
	if s.window.numbered && !serialAfter(t.DeliveryID.V, uint32(s.in.last)) {
		return &Error{Scope: ScopeSession, Condition: wire.CondInvalidField, Description: "transfer.delivery-id: does not follow the one before"}
	}
	// [amqp-transport 2.7.5] If first was negotiated, second must not be set.
	if t.RcvSettleMode.Or(wire.ReceiverFirst) == wire.ReceiverSecond && l.rcvMode == wire.ReceiverFirst {
		return &Error{Condition: wire.CondInvalidField, Description: "transfer.rcv-settle-mode: is second, but first was negotiated"}
	}
	// [amqp-transactions 4.5.8] A transaction that is not known must not be taken for
	// none: the message would be stored, whatever becomes of the transaction.
	if t.State.Kind == wire.StateTransactional {
		return &Error{Condition: wire.CondTransactionUnknownID, Description: "transfer.state: names a transaction that is not known"}
	}
	// [amqp-transport 2.8.18] transfer-limit-exceeded: the peer sent more than the
	// credit on the link allowed.
	if !l.credit.came() {
		return &Error{Condition: wire.CondTransferLimitExceeded, Description: "transfer: exceeds the link-credit"}
	}
	return nil
}

// onNextFrame goes on with a delivery.
func (l *Link) onNextFrame(ev *Event, t *wire.Transfer, payload []byte) bool {
	a := l.assembly
	// [amqp-transport 2.7.5] It is an error if delivery-id, delivery-tag or
	// message-format of a continuation differ from the first transfer's.
	if t.DeliveryID.Set && t.DeliveryID.V != a.id {
		return l.fail(ev, &Error{Condition: wire.CondInvalidField, Description: "transfer.delivery-id: differs within a delivery"})
	}
	if t.DeliveryTag != nil && string(t.DeliveryTag) != string(a.tag[:a.tagLen]) {
		return l.fail(ev, &Error{Condition: wire.CondInvalidField, Description: "transfer.delivery-tag: differs within a delivery"})
	}
	if t.MessageFormat.Set && t.MessageFormat.V != a.format {
		return l.fail(ev, &Error{Condition: wire.CondInvalidField, Description: "transfer.message-format: differs within a delivery"})
	}
	// [amqp-transport 2.7.5] If settled is true on any transfer of a delivery, then
	// it is settled.
	a.settled = a.settled || t.Settled.V
	if t.Aborted {
		// [amqp-transport 2.7.5] An aborted message should be discarded, and is
		// implicitly settled. Its credit is granted again.
		l.settleIn(a.wide)
		if !a.ignored {
			l.credit.giveBack()
			l.oweFlow()
		}
		l.dropAssembly()
		return false
	}
	if a.ignored {
		if !t.More {
			l.dropAssembly()
		}
		return false
	}
	if err := l.gather(a, payload); err != nil {
		return l.fail(ev, err)
	}
	return !t.More && l.complete(ev)
}

// startAssembly begins to put a delivery together.
func (l *Link) startAssembly(t *wire.Transfer) *assembly {
	if l.assembly == nil {
		l.assembly = new(assembly)
	}
	a, c := l.assembly, l.session.conn
	*a = assembly{active: true, id: t.DeliveryID.V, wide: l.session.in.last, format: t.MessageFormat.V,
		settled: t.Settled.V, batchable: t.Batchable}
	a.tagLen = uint8(copy(a.tag[:], t.DeliveryTag))
	a.buffer, c.spareBuffer = c.spareBuffer, nil
	return a
}

// gather adds the payload of one frame.
func (l *Link) gather(a *assembly, payload []byte) *Error {
	c := l.session.conn
	// [amqp-transport 2.7.3] message-size-exceeded, as soon as it is seen.
	if uint64(len(a.buffer))+uint64(len(payload)) > l.maxMessageSize {
		return oversized()
	}
	if c.assembled+uint64(len(payload)) > c.cfg.maxAssembly() {
		return &Error{Condition: wire.CondResourceLimitExceeded, Description: "transfer: too much of unfinished messages on this connection"}
	}
	a.buffer = append(a.buffer, payload...)
	c.assembled += uint64(len(payload))
	return nil
}

// complete reports a delivery whose last frame has come.
func (l *Link) complete(ev *Event) bool {
	s, a := l.session, l.assembly
	if e := s.in.find(a.wide); e == nil || e.link != l {
		a.settled = true // the sender settled it while it was arriving
	} else {
		e.partial = false
		if a.settled {
			s.in.kill(e)
		}
	}
	ev.Kind, ev.Link, ev.Session = EventDelivery, l, s
	ev.Delivery = Delivery{ID: DeliveryID(a.id), Tag: a.tag[:a.tagLen], Format: a.format,
		Settled: a.settled, Batchable: a.batchable, Payload: a.buffer}
	s.conn.lentBuffer = a.buffer
	a.buffer, a.active = nil, false
	l.arrived()
	return true
}

// arrived ends a drain whose credit is all used up.
func (l *Link) arrived() {
	if l.credit.drain && l.credit.left == 0 {
		l.credit.drain = false
		l.notify()
	}
}

// settleIn forgets a delivery that the sender has settled.
func (l *Link) settleIn(id uint64) {
	if e := l.session.in.find(id); e != nil && e.link == l {
		l.session.in.kill(e)
	}
}

// dropAssembly forgets a delivery that is still arriving.
func (l *Link) dropAssembly() {
	if l.assembly == nil || !l.assembly.active {
		return
	}
	c := l.session.conn
	c.assembled -= uint64(len(l.assembly.buffer))
	c.keepBuffer(l.assembly.buffer)
	*l.assembly = assembly{}
}

// keepBuffer keeps a buffer for the next message of several frames.
func (c *Conn) keepBuffer(b []byte) {
	if cap(b) <= reuseBuffer && cap(b) > cap(c.spareBuffer) {
		c.spareBuffer = b[:0]
	}
}

func oversized() *Error {
	return &Error{Condition: wire.CondMessageSizeExceeded, Description: "transfer: the message exceeds max-message-size"}
}
