package main

import (
	"math/rand/v2"
	"time"

	"entrepot/broker/crash/oracle"
)

// queuePlan is what happens on one queue. All queues run at the same time.
type queuePlan struct {
	address   string
	producers int
	consumers int
	credit    int32
	// Each producer sends burst messages every pause: enough to have packs and
	// spills under way at any moment, and no more than can be counted quickly.
	burst int
	pause time.Duration
	// sizes of bodies, one of which is drawn for each message.
	sizes []int
	// ttls, one of which is drawn for each message. nil: none has a TTL.
	ttls []time.Duration
	// giveBack and reject are the shares of outcomes other than accepted.
	giveBack, reject float64
	// settledSends is the share of pre-settled sends. They are not counted.
	settledSends float64
	// vanish is the chance that a consumer drops its connection after a delivery.
	vanish float64
	// thinks is how long a consumer waits before each settle: a slow consumer
	// lets a backlog grow, so that later rounds start with one.
	thinks time.Duration
}

// plans cover what may meet a crash: a plain stream, a queue that only grows,
// competing consumers that come and go, every outcome, TTLs from far too short
// to far too long, a mix with pre-settled sends, and large messages.
func plans() []queuePlan {
	small := []int{64, 256, 1024}
	const tick = 2 * time.Millisecond
	return []queuePlan{
		{address: "crash/plain", burst: 4, pause: tick,
			producers: 2, consumers: 1, credit: 64, sizes: small},
		{address: "crash/backlog", burst: 2, pause: tick,
			producers: 1, consumers: 1, credit: 4, sizes: small, thinks: 20 * time.Millisecond},
		{address: "crash/competing", burst: 2, pause: tick,
			producers: 2, consumers: 3, credit: 16, sizes: small, vanish: 0.002},
		{address: "crash/outcomes", burst: 2, pause: tick,
			producers: 1, consumers: 2, credit: 16, sizes: small, giveBack: 0.3, reject: 0.05},
		{address: "crash/ttl", burst: 1, pause: tick,
			producers: 1, consumers: 1, credit: 8, sizes: small, giveBack: 0.1, thinks: 2 * time.Millisecond,
			ttls: []time.Duration{0, 50 * time.Millisecond, time.Second, 5 * time.Second, time.Hour}},
		{address: "crash/settled", burst: 2, pause: tick,
			producers: 1, consumers: 1, credit: 64, sizes: small, settledSends: 0.5},
		{address: "crash/large", burst: 2, pause: 20 * tick,
			producers: 1, consumers: 1, credit: 2, sizes: []int{100_000, 1_000_000}, giveBack: 0.1},
	}
}

// draining is the plan of the last consumer: it accepts everything at once.
func (q queuePlan) draining() *queuePlan {
	q.credit, q.giveBack, q.reject, q.vanish, q.thinks = 256, 0, 0, 0, 0
	return &q
}

// outcome draws what a consumer says of a delivery.
func (q *queuePlan) outcome(r *rand.Rand) oracle.Outcome {
	switch x := r.Float64(); {
	case x < q.reject:
		return oracle.Reject
	case x < q.reject+q.giveBack/2:
		return oracle.Release
	case x < q.reject+q.giveBack:
		return oracle.Fail
	default:
		return oracle.Accept
	}
}

func pick[T any](r *rand.Rand, from []T) (v T) {
	if len(from) > 0 {
		v = from[r.IntN(len(from))]
	}
	return v
}

// ending is how a round ends.
type ending struct {
	after    time.Duration // of load
	graceful bool          // SIGTERM instead of SIGKILL
	// again is how long after the restart the broker is killed once more, while
	// it still recovers. 0: not.
	again time.Duration
}

// stopLimit is what the broker promises to need after SIGTERM.
const stopLimit = 10 * time.Second

// drawEnding: one in five rounds is a SIGTERM, one in five has a second kill
// during recovery.
func drawEnding(r *rand.Rand) ending {
	e := ending{after: 200*time.Millisecond + time.Duration(r.Int64N(int64(1800*time.Millisecond)))}
	switch r.IntN(5) {
	case 0:
		e.graceful = true
	case 1:
		e.again = time.Duration(1 + r.Int64N(int64(150*time.Millisecond)))
	}
	return e
}
