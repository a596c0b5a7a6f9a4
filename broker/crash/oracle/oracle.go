// Package oracle judges what clients saw of a broker that was killed again and
// again, or of a cluster whose nodes and network failed under them (weather.go has
// what is different then). It knows nothing of AMQP, sockets or processes: the workload tells it
// what it is about to do and what it saw, and the oracle says what of that no
// correct broker could have done.
//
// A kill leaves a client in doubt, so everything has three states. Neither
// doubt may be resolved by hope: what is in doubt may have happened or not, and
// both are legal; all the rest is not.
//
//	            Sending            Accepted
//	not sent ------------> unknown ---------> accepted     must come, until settled
//	                          | Refused
//	                          +-------------> refused      must never come
//
//	            Settling             Settled
//	delivered ------------> in doubt ---------> confirmed  must never come again
//	    ^                      |
//	    +----------------------+ delivered again: that settle was lost
//
// Invariant of its use: the workload calls Sending and Settling before the
// bytes can leave, and Accepted, Delivered and Settled after they came. Then a
// cause is always known before its effect, whatever the goroutines do.
package oracle

import (
	"fmt"
	"sync"
	"time"
)

// ID names a message. A producer is one sending link: it never comes back after
// its connection is lost, and sends N = 1, 2, 3 ... to one queue.
type ID struct {
	Producer uint32
	N        uint64
}

func (id ID) String() string { return fmt.Sprintf("%d/%d", id.Producer, id.N) }

// Consumer names one receiving link.
type Consumer uint32

// Send is what a producer is about to send.
type Send struct {
	ID    ID
	Queue string
	// TTL is the message's time to live; 0: it never expires.
	TTL time.Duration
	// MayVanish excludes the message from the count of lost ones: it is sent or
	// consumed pre-settled. It still may not be invented, changed or reordered.
	MayVanish bool
	At        time.Time
}

// Delivery is what a consumer received.
type Delivery struct {
	Consumer      Consumer
	ID            ID
	DeliveryCount uint32
	// TTL is the remaining time to live in the header, HasTTL whether there is one.
	TTL    time.Duration
	HasTTL bool
	At     time.Time
}

// Outcome is what a consumer says of a delivery.
type Outcome uint8

const (
	Accept  Outcome = iota + 1 // gone
	Reject                     // gone
	Release                    // back in its place, uncounted
	Fail                       // back in its place, delivery-count + 1
)

func (o Outcome) removes() bool { return o == Accept || o == Reject }

type sendState uint8

const (
	sendUnknown sendState = iota
	sendAccepted
	sendRefused
)

type settleState uint8

const (
	unsettled settleState = iota
	settleInDoubt
	settleConfirmed
)

// message is everything known of one message that was sent.
type message struct {
	Send
	state      sendState
	acceptedAt time.Time
	settle     settleState
	// confirmed is the tick of the last confirmation of a settle.
	confirmed uint64
	// doubted: some settle that removes it is in doubt for ever (cluster only).
	doubted bool
	// holder is the consumer that has it now, 0 for none that we know of, and
	// heldIn the life in which it got it.
	holder Consumer
	heldIn int
	// failed has the tick of every confirmed Fail outcome: their number is a lower
	// bound of delivery-count.
	failed     []uint64
	deliveries int
	trail      []step
	// returned is when it was last given back.
	returned time.Time
}

// consumer is one receiving link, and how far it has come with each producer.
type consumer struct {
	queue    string
	attached uint64 // tick
	gone     bool
	highest  map[uint32]uint64
	holds    map[ID]*message
}

// Oracle collects what was done and seen. Safe for concurrent use.
type Oracle struct {
	// slack is how late a clock of a busy machine may make a client look.
	// It is only used where a deadline is judged.
	slack time.Duration
	began time.Time

	mu sync.Mutex
	// life counts the stretches in which all is judged alike: from start to kill
	// of a broker, from calm to disturbance of a cluster and back.
	life      int
	stopping  bool
	weather   weather
	tick      uint64 // grows with every attach and every confirmed outcome
	messages  map[ID]*message
	consumers map[Consumer]*consumer
	// ordered is since when nothing goes back to its place unseen, but for what
	// disrupted tells: when a consumer of a queue last vanished. What that one
	// held without our having seen it went back.
	ordered   time.Time
	disrupted map[string]time.Time
	last      Consumer
	report    Report
}

// New makes an oracle. slack is the lateness it forgives where it judges TTLs.
func New(slack time.Duration) *Oracle {
	return &Oracle{
		slack: slack, began: time.Now(), life: 1, ordered: time.Now(),
		messages:  map[ID]*message{},
		consumers: map[Consumer]*consumer{},
		disrupted: map[string]time.Time{},
	}
}

// Stopping says that the broker is about to be killed: from now on nothing that
// is settled can be in doubt, because Settling refuses.
func (o *Oracle) Stopping() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.stopping = true
}

// Restarted says that the broker ended and all its clients have noticed.
// REQUIRES: no call of a client of the former life is still to come.
func (o *Oracle) Restarted() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.life++
	o.stopping = false
	for _, c := range o.consumers {
		for _, m := range c.holds {
			m.holder = 0
		}
	}
	o.consumers = map[Consumer]*consumer{}
	o.ordered = time.Now()
}

// Sending says that a message is about to be handed to the client.
func (o *Oracle) Sending(s Send) {
	o.mu.Lock()
	defer o.mu.Unlock()
	m := &message{Send: s}
	o.messages[s.ID] = m
	o.note(m, sent, 0)
	o.report.Sent++
}

// Accepted says that the broker has answered accepted.
func (o *Oracle) Accepted(id ID, at time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	m := o.messages[id]
	m.state, m.acceptedAt = sendAccepted, at
	o.note(m, accepted, 0)
	o.report.Accepted++
}

// Refused says that the broker has answered rejected or released: it says that
// it did not store the message.
func (o *Oracle) Refused(id ID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	m := o.messages[id]
	m.state = sendRefused
	o.note(m, refused, 0)
	o.report.Refused++
}

// Attached gives a new consumer of a queue its name.
func (o *Oracle) Attached(queue string) Consumer {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.last++
	o.tick++
	o.consumers[o.last] = &consumer{queue: queue, attached: o.tick, highest: map[uint32]uint64{}, holds: map[ID]*message{}}
	return o.last
}

// Detached says that a consumer is about to end with deliveries unsettled, seen
// or unseen. What it had goes back; what it reports later is not counted.
func (o *Oracle) Detached(c Consumer) {
	o.mu.Lock()
	defer o.mu.Unlock()
	left, ok := o.consumers[c]
	if !ok || left.gone {
		return
	}
	now := time.Now()
	left.gone = true
	o.disrupted[left.queue] = now
	for _, m := range left.holds {
		m.holder, m.returned = 0, now
		o.note(m, detached, c)
	}
	left.holds, left.highest = nil, nil
}

// Settling says that a consumer is about to send an outcome. If it answers
// false, the outcome must not be sent: the consumer or the broker is ending.
func (o *Oracle) Settling(c Consumer, id ID, out Outcome) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	from, m := o.consumers[c], o.messages[id]
	if o.stopping || from == nil || from.gone || m == nil || m.holder != c {
		return false
	}
	o.take(m)
	o.note(m, settling[out], c)
	switch {
	case !out.removes():
		m.returned = time.Now()
	case m.settle != settleConfirmed: // else what it was given was stale
		m.settle = settleInDoubt
	}
	return true
}

// Settled says that the broker has confirmed an outcome: it has settled the
// delivery too. It holds even if the consumer has ended meanwhile.
func (o *Oracle) Settled(id ID, out Outcome) {
	o.mu.Lock()
	defer o.mu.Unlock()
	m := o.messages[id]
	o.note(m, confirmed, 0)
	o.report.Settled++
	o.tick++
	if out.removes() {
		m.settle, m.confirmed = settleConfirmed, o.tick
	}
	if out == Fail {
		m.failed = append(m.failed, o.tick)
	}
}

// give notes that a consumer has a message now, and take that nobody has.
func (o *Oracle) give(m *message, c *consumer, name Consumer) {
	o.take(m)
	m.holder, m.heldIn = name, o.life
	c.holds[m.ID] = m
}

func (o *Oracle) take(m *message) {
	if c := o.consumers[m.holder]; c != nil {
		delete(c.holds, m.ID)
	}
	m.holder = 0
}
