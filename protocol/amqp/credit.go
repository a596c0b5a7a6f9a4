package amqp

import "entrepot/protocol/amqp/wire"

// credit is the flow control of a link [amqp-transport 2.6.7].
type credit struct {
	// count is the delivery-count: of what was sent, or has come.
	count uint32
	// left is how many deliveries may still be sent, or come.
	left uint32
	// limit is, at a receiving link, the highest count that any flow of ours has
	// allowed. Credit that was taken back may have been used before the sender heard
	// of it, so this is what is enforced.
	limit uint32
	// available is how many messages wait at the sender.
	available uint32
	// drain: at a receiving link, we wait for the sender to finish; at a sending
	// link, the receiver waits for us.
	drain bool
	// flag is the drain mode that the receiver last set, which the sender's flows
	// repeat.
	flag bool
	// known: the sender's delivery-count is known.
	known bool
}

// meet sets the receiver's count to the sender's initial one.
func (k *credit) meet(initial uint32) {
	k.limit += initial - k.count
	k.count = initial
	k.known = true
}

// grant sets the receiver's credit.
func (k *credit) grant(n uint32) {
	k.left = n
	if end := k.count + n; serialAfter(end, k.limit) {
		k.limit = end
	}
}

// came counts a delivery that began to arrive; false if it had no right to.
func (k *credit) came() bool {
	if k.count == k.limit {
		return false
	}
	k.count++
	if k.left > 0 {
		k.left--
	}
	return true
}

// giveBack makes up for a delivery that came to nothing.
func (k *credit) giveBack() { k.grant(k.left + 1) }

// advance takes over the sender's count, which runs ahead of ours when it lets go
// of credit. One behind ours may be: some count a delivery when its last frame goes.
func (k *credit) advance(count uint32) {
	if !serialAfter(count, k.count) {
		return
	}
	if serialAfter(count, k.limit) {
		count = k.limit
	}
	k.left -= min(k.left, count-k.count)
	k.count = count
}

// Credit is how many more deliveries may come, or be sent.
func (l *Link) Credit() uint32 { return l.credit.left }

// Available is what the sending peer last said it has waiting.
func (l *Link) Available() uint32 { return l.credit.available }

// Draining: a receiving link waits for the sender to finish a drain; on a sending
// link the peer waits for us: send what there is, then call Drained.
func (l *Link) Draining() bool { return l.credit.drain }

// GrantTo sets the credit of a receiving link. The flow is merged until
// TakeOutput. Credit and Unsettled together never exceed Config.MaxUnsettled. Less
// than Credit takes credit back, but what the peer has sent before it hears of it
// still comes. It may be called before Accept.
func (l *Link) GrantTo(credit uint32) {
	if l.sender || !l.live() {
		return
	}
	limit := l.session.conn.cfg.maxUnsettled()
	credit = min(credit, limit-min(limit, l.unsettled))
	if credit == l.credit.left && !l.credit.flag {
		return
	}
	l.credit.grant(credit)
	l.credit.drain, l.credit.flag = false, false
	l.oweFlow()
}

// Drain asks the sender to use up its credit now or let it go. EventLinkFlow with
// Draining false tells that it did; the credit is then 0.
func (l *Link) Drain() {
	if l.sender || !l.live() {
		return
	}
	l.credit.drain, l.credit.flag = true, true
	l.oweFlow()
}

// Drained uses up all credit and tells the receiver so.
// [amqp-transport 2.6.7] A sender that has drain set and nothing to send advances
// its delivery-count until the credit is consumed, and sends its flow state.
func (l *Link) Drained() {
	if !l.sender || !l.live() || !l.credit.drain {
		return
	}
	l.credit.count += l.credit.left
	l.credit.left = 0
	l.credit.drain = false
	l.oweFlow()
}

// SetAvailable says how many messages wait at a sending link; it is told with the
// next flow of this link.
func (l *Link) SetAvailable(n uint32) {
	if l.sender {
		l.credit.available = n
	}
}

// oweFlow promises a flow of the link. If our attach is still to be sent, Accept
// keeps the promise.
func (l *Link) oweFlow() {
	if l.state == linkProposed {
		l.owesFlow = true
	}
	if l.owesFlow {
		return
	}
	l.owesFlow = true
	l.session.flows = append(l.session.flows, l)
	l.session.touch()
}

// sendFlow tells the state of the link, and of its session with it.
func (l *Link) sendFlow() {
	l.owesFlow = false
	if !l.live() {
		return
	}
	f := wire.Flow{
		Handle: wire.Some(l.localHandle),
		// [amqp-transport 2.7.4] delivery-count must not be set by a receiver that has
		// not seen the sender's attach.
		DeliveryCount: wire.Opt[uint32]{V: l.credit.count, Set: l.sender || l.credit.known},
		LinkCredit:    wire.Some(l.credit.left),
		Drain:         l.credit.flag,
	}
	if l.sender {
		f.Available = wire.Some(l.credit.available)
	}
	l.session.sendFlow(&f)
}

// onFlow: the peer tells the state of the link.
func (l *Link) onFlow(ev *Event, f *wire.Flow) bool {
	if !l.live() {
		return false
	}
	if f.Echo {
		l.oweFlow()
	}
	if l.sender {
		l.receiverFlow(f)
	} else {
		l.senderFlow(f)
	}
	if l.state == linkProposed {
		return false // Accept will tell
	}
	ev.Kind, ev.Link, ev.Session = EventLinkFlow, l, l.session
	return true
}

// receiverFlow: the receiver sets our credit.
func (l *Link) receiverFlow(f *wire.Flow) {
	k := &l.credit
	if f.LinkCredit.Set {
		// [amqp-transport 2.6.7] link-credit of the sender := delivery-count of the
		// receiver + link-credit of the receiver - delivery-count of the sender. A
		// receiver that has not seen our attach leaves its count out: then it is our
		// initial one, 0. One ahead of ours can't be; it is taken for ours.
		underway := k.count - f.DeliveryCount.Or(0)
		if underway > 1<<31 {
			underway = 0
		}
		k.left = f.LinkCredit.V - min(f.LinkCredit.V, underway)
	}
	k.drain, k.flag = f.Drain, f.Drain
	if f.Drain && k.left == 0 {
		// Drain is always answered, also when there is nothing to let go of.
		k.drain = false
		l.oweFlow()
	}
}

// senderFlow: the sender tells what it has, and what it lets go.
func (l *Link) senderFlow(f *wire.Flow) {
	k := &l.credit
	if f.Available.Set {
		k.available = f.Available.V
	}
	if f.DeliveryCount.Set {
		k.advance(f.DeliveryCount.V)
	}
	if k.left == 0 {
		k.drain = false
	}
}
