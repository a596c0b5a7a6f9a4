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
	gate gate
	// pending are messages in packs that are not applied yet: they count for the
	// queue's limits.
	pendingMessages, pendingBytes atomic.Int64

	consumers atomic.Int64 // links attached
	unsettled atomic.Int64 // deliveries out with them

	mu        sync.Mutex
	producers map[*producer]struct{}
	deleted   bool

	links int // Owner: directory.mu
}

func (a *address) limits() *queue.Limits { return a.narrow.Load() }

// narrowBy sets the limits from the policy and what was declared.
func (a *address) narrowBy(declared queue.Limits) {
	limits := a.policy.Limits.Narrow(declared)
	a.narrow.Store(&limits)
}

// pend counts a message that is on its way into the queue (n is 1) or has got
// there (n is -1).
func (a *address) pend(n, sizeBytes int64) {
	a.pendingMessages.Add(n)
	a.pendingBytes.Add(sizeBytes)
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
	a.gate.close()
	a.shard.watch(a)
}

// reopen opens the gate if a tenth of the queue's room is free again: fewer, and a
// producer would be woken for every message that leaves.
func (a *address) reopen() (open bool) {
	l := a.limits()
	messages, bytes := a.held()
	if l.MaxMessages != 0 && messages > l.MaxMessages-(l.MaxMessages+9)/10 ||
		l.MaxBytes != 0 && bytes > l.MaxBytes-l.MaxBytes/10 {
		return false
	}
	a.gate.open()
	return true
}

// held is what is in the queue and on its way there.
func (a *address) held() (messages, bytes uint64) {
	state, _ := a.shard.journal.Queue(a.id)
	return state.Count + uint64(max(0, a.pendingMessages.Load())), state.Bytes + uint64(max(0, a.pendingBytes.Load()))
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
