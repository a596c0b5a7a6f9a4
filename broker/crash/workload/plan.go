// Package workload is the load of the suites that break brokers: producers and
// consumers on go-amqp, so that no code of the broker judges itself, which tell
// package oracle what they are about to do and what they saw.
package workload

import (
	"math/rand/v2"
	"time"

	"entrepot/broker/crash/oracle"
)

// Plan is what happens on one queue. All queues run at the same time.
type Plan struct {
	Address   string
	Producers int
	Consumers int
	Credit    int32
	// Each producer sends Burst messages every Pause: enough to have packs and
	// spills under way at any moment, and no more than can be counted quickly.
	Burst int
	Pause time.Duration
	// Sizes of bodies, one of which is drawn for each message.
	Sizes []int
	// TTLs, one of which is drawn for each message. nil: none has a TTL.
	TTLs []time.Duration
	// GiveBack and Reject are the shares of outcomes other than accepted.
	GiveBack, Reject float64
	// SettledSends is the share of pre-settled sends. They are not counted.
	SettledSends float64
	// Vanish is the chance that a consumer drops its connection after a delivery.
	Vanish float64
	// Thinks is how long a consumer waits before each settle: a slow consumer
	// lets a backlog grow, so that what comes later starts with one.
	Thinks time.Duration
}

// Draining is the plan of the last consumer: it accepts everything at once.
func (p Plan) Draining() *Plan {
	p.Credit, p.GiveBack, p.Reject, p.Vanish, p.Thinks = 256, 0, 0, 0, 0
	return &p
}

// outcome draws what a consumer says of a delivery.
func (p *Plan) outcome(r *rand.Rand) oracle.Outcome {
	switch x := r.Float64(); {
	case x < p.Reject:
		return oracle.Reject
	case x < p.Reject+p.GiveBack/2:
		return oracle.Release
	case x < p.Reject+p.GiveBack:
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
