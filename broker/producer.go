package broker

import (
	"errors"
	"time"

	"entrepot/cluster"
	"entrepot/protocol/amqp"
	"entrepot/protocol/amqp/wire"
	"entrepot/queue"
)

const (
	// producerCredit is the most messages that a producer may have on the way to
	// us and unanswered; with large messages it is less, see producerBytes.
	producerCredit = 1024
	// producerBytes is about how many bytes those messages may have together.
	producerBytes = 4 << 20
	// producerLeast is the credit that a producer of the largest messages gets.
	producerLeast = 4
)

// A producer is a link on which a client sends us messages for one queue.
//
// Owner: the connection's owner.
type producer struct {
	scheduled
	conn *conn
	link *amqp.Link
	addr *address
	slot uint32
	name *nameHolder

	// underway are messages in packs, in the order they came, which is the order they
	// are answered in.
	underway fifo[underwayMessage]
	meanSize int  // of recent messages, in bytes
	over     bool // detached; the slot is kept until nothing is under way
}

// Tokens of a producer's messages in a pack.
//
//	63      33   32       31        0
//	+---------+--------+------------+
//	|  slot   | settled | delivery id |
//	+---------+--------+------------+
const tokenSettled = 1 << 32

func (p *producer) token(d *amqp.Delivery) uint64 {
	t := uint64(p.slot)<<33 | uint64(d.ID)
	if d.Settled {
		t |= tokenSettled
	}
	return t
}

// delivery stores a message, or says why not.
func (p *producer) delivery(d *amqp.Delivery) {
	if p.over {
		return
	}
	m := &p.conn.broker.metrics
	m.received.Add(1)
	p.meanSize += (len(d.Payload) - p.meanSize) / 8
	p.conn.schedule(p)

	now := p.conn.now
	deadline, flags, refusal := p.admit(d)
	if refusal != nil {
		m.refused(refusal.reason)
		if !d.Settled {
			p.link.Settle(d.ID, d.ID, refusal.state(), true)
		}
		return
	}
	p.addr.pend(len(d.Payload))
	p.conn.underwayBytes += len(d.Payload)
	batcher := p.addr.shard.batcher
	pack := batcher.Begin(len(d.Payload))
	pack.Builder.Enqueue(p.addr.id, deadline, flags, d.Payload)
	pack.Wait(p.conn, p.token(d))
	batcher.EndMore()
	p.conn.outbox(p.addr.shard).records = true
	p.underway.push(underwayMessage{now, len(d.Payload)})
}

// refusal is why a message is not stored.
type refusal struct {
	reason      string // as metrics count it
	condition   wire.Symbol
	description string
}

func (r *refusal) state() wire.DeliveryState {
	if r.condition == "" {
		return wire.DeliveryState{Kind: wire.StateReleased}
	}
	return rejected(r.condition, r.description)
}

func rejected(condition wire.Symbol, description string) wire.DeliveryState {
	return wire.DeliveryState{
		Kind:     wire.StateRejected,
		Rejected: wire.Rejected{Error: &wire.Error{Condition: condition, Description: description}},
	}
}

var (
	refusedStopping = &refusal{reason: "stopping"}
	refusedFormat   = &refusal{"format", wire.CondNotImplemented, "transfer.message-format: only format 0 (AMQP) can be stored"}
	refusedDisk     = &refusal{"disk-low", wire.CondResourceLimitExceeded, "the node is low on disk space"}
	refusedNode     = &refusal{"node-full", wire.CondResourceLimitExceeded, "the node holds as many messages as it may"}
	refusedQueue    = &refusal{"queue-full", wire.CondResourceLimitExceeded, "the queue holds as many messages as it may"}
)

// admit looks at a message and at the room for it, and fixes its deadline.
func (p *producer) admit(d *amqp.Delivery) (deadline int64, flags queue.Flags, r *refusal) {
	switch {
	case p.conn.broker.stopping.Load():
		return 0, 0, refusedStopping
	case d.Format != 0:
		return 0, 0, refusedFormat
	}
	sections, err := wire.ScanMessage(d.Payload)
	if err != nil {
		return 0, 0, malformed(err)
	}
	if r := p.room(len(d.Payload)); r != nil {
		return 0, 0, r
	}
	expiry, err := sections.Expiry(d.Payload)
	if err != nil {
		return 0, 0, malformed(err)
	}
	limits, e := p.addr.limits(), queueExpiry(expiry)
	if !limits.Expires(&e) {
		return 0, 0, nil // as most: nobody need know what time it is
	}
	return limits.Deadline(p.addr.shard.group.NowMillis(), e), 0, nil
}

func queueExpiry(e wire.Expiry) queue.Expiry {
	return queue.Expiry{
		HasTTL: e.TTL.Set, TTLMillis: e.TTL.V,
		HasAbsolute: e.AbsoluteExpiryTime.Set, AbsoluteMillis: int64(e.AbsoluteExpiryTime.V),
	}
}

func malformed(err error) *refusal {
	r := &refusal{"malformed", wire.CondDecodeError, err.Error()}
	if de := (*wire.DecodeError)(nil); errors.As(err, &de) {
		r.condition, r.description = de.Condition, de.Description()
	}
	return r
}

// room says why a message of size bytes can't be taken now; nil: it can.
func (p *producer) room(size int) *refusal {
	node := p.conn.broker.node
	switch {
	case node.disk.shut.Load():
		return refusedDisk
	case node.full(size):
		return refusedNode
	case p.addr.full(size):
		return refusedQueue
	}
	return nil
}

// flow: the sender may have let go of credit, or settled what we have answered
// (rcv-settle-mode second), so that it may have credit again.
func (p *producer) flow() { p.conn.schedule(p) }

func (p *producer) outcome(*amqp.Outcome) {}

// turn sets the sender's credit to what may be on its way: "to producers: full:
// first no credit, then rejected".
func (p *producer) turn() {
	if p.over {
		return
	}
	want, have := p.wantCredit(), p.link.Credit()
	if have <= want/2 || have > want {
		p.link.GrantTo(want)
	}
}

func (p *producer) wantCredit() uint32 {
	b := p.conn.broker
	if b.stopping.Load() || b.node.disk.wait(p) || b.node.full(0) && b.node.gate.wait(p) {
		return 0
	}
	room := p.addr.roomMessages()
	if room == 0 {
		if !p.addr.gate.wait(p) { // there is room already
			p.conn.schedule(p)
		}
		return 0
	}
	if p.addr.shard.waitWhileBusy(p) {
		return 0
	}
	window := uint32(max(producerLeast, min(producerCredit, producerBytes/max(1, p.meanSize))))
	inFlight := uint32(p.underway.len())
	if inFlight >= window {
		return 0
	}
	return min(window-inFlight, room)
}

// answered tells the sender what became of a message.
func (p *producer) answered(token uint64, reply queue.Reply, err error) {
	sent := p.unpend()
	if p.over {
		p.forgetIfAnswered()
		return
	}
	state := p.verdict(reply, err)
	m := &p.conn.broker.metrics
	if state.Kind == wire.StateAccepted {
		m.accepted.Add(1)
		m.acceptLatency.Observe(int64(p.conn.now.Sub(sent.at)))
	}
	if token&tokenSettled == 0 {
		id := amqp.DeliveryID(uint32(token))
		p.link.Settle(id, id, state, true)
	}
	p.conn.schedule(p)
}

// unpend takes the oldest message off what is under way.
func (p *producer) unpend() underwayMessage {
	sent := p.underway.pop()
	p.conn.underwayBytes -= sent.sizeBytes
	p.addr.unpend(sent.sizeBytes)
	return sent
}

// verdict is the outcome of a message whose pack has been answered.
func (p *producer) verdict(reply queue.Reply, err error) wire.DeliveryState {
	switch {
	case errors.Is(err, cluster.ErrUnknownOutcome):
		p.conn.broker.metrics.refused("outcome-unknown")
		return wire.DeliveryState{Kind: wire.StateModified, Modified: wire.Modified{DeliveryFailed: true}}
	case err == nil && reply.Status == queue.NoQueue:
		p.addr.lost()
		fallthrough
	case err != nil, reply.Status != queue.OK: // certainly not stored
		p.conn.broker.metrics.refused("unavailable")
		return wire.DeliveryState{Kind: wire.StateReleased}
	}
	return wire.DeliveryState{Kind: wire.StateAccepted}
}

func (p *producer) session() *amqp.Session { return p.link.Session() }

func (p *producer) rest() { p.underway.trim() }

// queueGone: the queue was deleted.
func (p *producer) queueGone() { p.expel(deletedError(p.addr.name)) }

// expelled: another link has taken the name.
func (p *producer) expelled() { p.expel(stolenError()) }

func (p *producer) expel(err *amqp.Error) {
	if !p.over {
		p.link.Detach(true, err)
		p.detached()
	}
}

// detached gives back what the link held.
func (p *producer) detached() {
	if p.over {
		return
	}
	p.over = true
	b := p.conn.broker
	b.node.disk.forget(p)
	b.node.gate.forget(p)
	p.addr.gate.forget(p)
	p.addr.shard.busy.forget(p)
	p.addr.shard.adrift.forget(p)
	b.names.release(p.name)
	b.metrics.linksIn.Add(-1)
	p.addr.removeProducer(p)
	p.addr.shard.producers.Add(-1)
	p.forgetIfAnswered()
}

// forgetIfAnswered ends a producer whose link is over. Its slot, and the address
// with what is pending there, are kept until all answers have come.
func (p *producer) forgetIfAnswered() {
	if p.underway.len() == 0 {
		p.conn.freeSlot(p.slot)
		p.conn.broker.directory.release(p.addr)
	}
}

// gone: the answers to what is under way will not come here any more.
func (p *producer) gone() {
	for p.underway.len() > 0 {
		p.unpend()
	}
	p.forgetIfAnswered()
}

// underwayMessage is a message in a pack that is not answered yet.
type underwayMessage struct {
	at        time.Time
	sizeBytes int
}
