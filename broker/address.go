package broker

import (
	"sync"
	"sync/atomic"

	"entrepot/queue"
)

// An address is the runtime of a queue that links are attached to. It exists in
// the directory while one is; a queue without links has no runtime at all.
type address struct {
	name  string
	id    queue.ID
	shard *shard

	policy *queue.Policy
	narrow atomic.Pointer[queue.Limits] // the policy's limits, narrowed by what was declared

	// gate is shut while the queue is full.
	gate    gate
	pending pending

	consumers atomic.Int64 // links attached
	unsettled atomic.Int64 // deliveries out with them

	mu        sync.Mutex
	producers map[*producer]struct{}
	deleted   bool

	links int // Owner: directory.mu
}

func (a *address) ref() queueRef { return queueRef{a.shard.id, a.id} }

func (a *address) limits() *queue.Limits { return a.narrow.Load() }

// lost: the queue is no more, which this node has not heard of: its replica was
// fed from a stream meanwhile, which tells what is and not what was.
func (a *address) lost() {
	b := a.shard.broker
	b.goAside(func() { b.directory.queueDeleted(a.ref()) })
}

// narrowBy sets the limits from the policy and what was declared.
func (a *address) narrowBy(declared queue.Limits) {
	limits := a.policy.Limits.Narrow(declared)
	a.narrow.Store(&limits)
}

// pend counts a message that is on its way into the queue.
func (a *address) pend(sizeBytes int) {
	a.pending.add(1, int64(sizeBytes))
	a.shard.broker.node.pending.add(1, int64(sizeBytes))
}

// unpend: a message has got there, or will not. It counted twice since it was
// applied, so now there may be more room than whoever looked then could see.
func (a *address) unpend(sizeBytes int) {
	a.pending.add(-1, -int64(sizeBytes))
	a.shard.broker.node.pending.add(-1, -int64(sizeBytes))
	if a.gate.shut.Load() {
		a.reopen()
	}
	a.shard.broker.node.reopen()
}

// pending are messages in packs that are not answered yet: they count for limits.
type pending struct{ messages, bytes atomic.Int64 }

func (p *pending) add(n, sizeBytes int64) {
	p.messages.Add(n)
	p.bytes.Add(sizeBytes)
}

// plus adds what is pending to what is there.
func (p *pending) plus(messages, bytes uint64) (uint64, uint64) {
	return messages + uint64(max(0, p.messages.Load())), bytes + uint64(max(0, p.bytes.Load()))
}

// full tells whether a message of size bytes would exceed the queue's limits, and
// shuts the gate if so.
func (a *address) full(sizeBytes int) bool {
	l := a.limits()
	if l.MaxMessages == 0 && l.MaxBytes == 0 {
		return false
	}
	messages, bytes := a.held()
	if l.MaxMessages != 0 && messages+1 > l.MaxMessages || l.MaxBytes != 0 && bytes+uint64(sizeBytes) > l.MaxBytes {
		a.shut()
		return true
	}
	return false
}

// roomMessages is how many more messages the queue may take, for a producer's
// credit.
func (a *address) roomMessages() uint32 {
	l := a.limits()
	if l.MaxMessages == 0 && l.MaxBytes == 0 {
		return producerCredit
	}
	messages, bytes := a.held()
	if l.MaxBytes != 0 && bytes >= l.MaxBytes || l.MaxMessages != 0 && messages >= l.MaxMessages {
		a.shut()
		return 0
	}
	if l.MaxMessages == 0 {
		return producerCredit
	}
	return uint32(min(producerCredit, l.MaxMessages-messages))
}

// shut closes the gate, and opens it again at once if room was made meanwhile.
func (a *address) shut() {
	if a.gate.close() {
		a.shard.watched.add(a)
	}
	a.reopen()
}

// reopen opens the gate if a tenth of the queue's room is free again: fewer, and a
// producer would be woken for every message that leaves.
func (a *address) reopen() (open bool) {
	l := a.limits()
	messages, bytes := a.held()
	if l.MaxMessages != 0 && messages > l.MaxMessages-(l.MaxMessages+9)/10 ||
		l.MaxBytes != 0 && bytes > l.MaxBytes-(l.MaxBytes+9)/10 {
		return false
	}
	a.gate.open()
	return true
}

// held is what is in the queue and on its way there.
func (a *address) held() (messages, bytes uint64) {
	state, _ := a.shard.journal.Queue(a.id)
	return a.pending.plus(state.Count, state.Bytes)
}

// addProducer makes p one of those that are told when the queue is deleted.
func (a *address) addProducer(p *producer) {
	a.mu.Lock()
	gone := a.deleted
	if !gone {
		if a.producers == nil {
			a.producers = map[*producer]struct{}{}
		}
		a.producers[p] = struct{}{}
	}
	a.mu.Unlock()
	if gone {
		p.conn.post(p.queueGone)
	}
}

func (a *address) removeProducer(p *producer) {
	a.mu.Lock()
	delete(a.producers, p)
	a.mu.Unlock()
}

// queueDeleted detaches the producers. Consumers hear it from the dispatcher.
func (a *address) queueDeleted() {
	a.mu.Lock()
	producers := a.producers
	a.producers, a.deleted = nil, true
	a.mu.Unlock()
	for p := range producers {
		p.conn.post(p.queueGone)
	}
}

func (a *address) producerCount() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.producers)
}
