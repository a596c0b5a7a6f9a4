package main

import (
	"math/rand/v2"
	"time"

	"entrepot/broker/crash/workload"
)

// plans cover what may meet a crash: a plain stream, a queue that only grows,
// competing consumers that come and go, every outcome, TTLs from far too short
// to far too long, a mix with pre-settled sends, and large messages.
func plans() []workload.Plan {
	small := []int{64, 256, 1024}
	const tick = 2 * time.Millisecond
	return []workload.Plan{
		{Address: "crash/plain", Burst: 4, Pause: tick,
			Producers: 2, Consumers: 1, Credit: 64, Sizes: small},
		{Address: "crash/backlog", Burst: 2, Pause: tick,
			Producers: 1, Consumers: 1, Credit: 4, Sizes: small, Thinks: 20 * time.Millisecond},
		{Address: "crash/competing", Burst: 2, Pause: tick,
			Producers: 2, Consumers: 3, Credit: 16, Sizes: small, Vanish: 0.002},
		{Address: "crash/outcomes", Burst: 2, Pause: tick,
			Producers: 1, Consumers: 2, Credit: 16, Sizes: small, GiveBack: 0.3, Reject: 0.05},
		{Address: "crash/ttl", Burst: 1, Pause: tick,
			Producers: 1, Consumers: 1, Credit: 8, Sizes: small, GiveBack: 0.1, Thinks: 2 * time.Millisecond,
			TTLs: []time.Duration{0, 50 * time.Millisecond, time.Second, 5 * time.Second, time.Hour}},
		{Address: "crash/settled", Burst: 2, Pause: tick,
			Producers: 1, Consumers: 1, Credit: 64, Sizes: small, SettledSends: 0.5},
		{Address: "crash/large", Burst: 2, Pause: 20 * tick,
			Producers: 1, Consumers: 1, Credit: 2, Sizes: []int{100_000, 1_000_000}, GiveBack: 0.1},
	}
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
