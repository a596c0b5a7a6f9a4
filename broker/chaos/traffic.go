package main

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"entrepot/broker/crash/oracle"
	"entrepot/broker/crash/workload"
)

// tenth of a second and so on: what a queue's producers do together is some hundred
// messages a second, so that a quarter of an hour can be counted.
const tick = 10 * time.Millisecond

// watched is the queue that is told of pauses: it has a producer and a consumer at
// each node, so it stands still only if its shard does.
const watched = "chaos/watched"

// plans cover what may meet a fault. Queues spread over the shards by their names;
// see also broker/crash, which has the same mix for one broker.
func plans(nodes int) []workload.Plan {
	small := []int{64, 256, 1024}
	return []workload.Plan{
		{Address: watched, Burst: 1, Pause: tick,
			Producers: nodes, Consumers: nodes, Credit: 64, Sizes: small},
		// Nobody takes from it before the end: what was stored twice or in the wrong
		// order can hide nowhere.
		{Address: "chaos/resting", Burst: 1, Pause: tick,
			Producers: nodes, Sizes: small},
		{Address: "chaos/backlog", Burst: 1, Pause: tick,
			Producers: 2, Consumers: 1, Credit: 4, Sizes: small, Thinks: 20 * time.Millisecond},
		{Address: "chaos/competing", Burst: 2, Pause: tick,
			Producers: 2, Consumers: 3, Credit: 16, Sizes: small, Vanish: 0.001},
		{Address: "chaos/outcomes", Burst: 2, Pause: tick,
			Producers: 1, Consumers: 2, Credit: 16, Sizes: small, GiveBack: 0.3, Reject: 0.05},
		{Address: "chaos/ttl", Burst: 1, Pause: tick,
			Producers: 1, Consumers: 1, Credit: 8, Sizes: small, GiveBack: 0.1, Thinks: 2 * time.Millisecond,
			TTLs: []time.Duration{0, 50 * time.Millisecond, time.Second, 5 * time.Second, time.Hour}},
		{Address: "chaos/large", Burst: 1, Pause: 50 * tick,
			Producers: 1, Consumers: 1, Credit: 2, Sizes: []int{100_000, 1_000_000}, GiveBack: 0.1},
	}
}

// traffic is the clients, which live as long as the run and move between nodes.
type traffic struct {
	fleet  *fleet
	oracle *oracle.Oracle
	pauses *pauses

	sending, receiving      context.Context
	stopSending, stopTaking context.CancelFunc
	producers, consumers    sync.WaitGroup
	mu                      sync.Mutex
	random                  *rand.Rand
	names                   uint32 // producers named so far
}

const (
	// attachLimit is how long a client waits for a node before it tries another.
	attachLimit = 5 * time.Second
	// retryPause is between two tries.
	retryPause = 100 * time.Millisecond
	// patience is how long a producer that ends waits for its last answers.
	patience = 30 * time.Second
	// shortLife and longLife are those of a producer's connection.
	shortLife, longLife = 5 * time.Second, 60 * time.Second
)

// startTraffic starts all clients of the plans.
func startTraffic(ctx context.Context, f *fleet, o *oracle.Oracle, p *pauses, plans []workload.Plan, random *rand.Rand) *traffic {
	t := &traffic{fleet: f, oracle: o, pauses: p, random: random}
	t.sending, t.stopSending = context.WithCancel(ctx)
	t.receiving, t.stopTaking = context.WithCancel(ctx)
	for i := range plans {
		plan := &plans[i]
		for k := range plan.Producers {
			t.producers.Go(func() { t.produce(plan, k) })
		}
		for k := range plan.Consumers {
			t.consumers.Go(func() { t.consume(plan, k) })
		}
	}
	return t
}

// produce is one producer, under a new name for each connection.
func (t *traffic) produce(plan *workload.Plan, number int) {
	for t.sending.Err() == nil {
		r, name := t.fork()
		p := &workload.Producer{
			Plan: plan, Name: name, Oracle: t.oracle, Random: r, Login: t.fleet.login(),
			Patience: patience, AttachLimit: attachLimit, Seen: t.pauses.seen(plan.Address, "accepted"),
		}
		life, end := context.WithTimeout(t.sending, between(r, shortLife, longLife))
		p.Run(life, t.address(r, number, plan.Producers))
		end()
		_ = sleep(t.sending, retryPause)
	}
}

func (t *traffic) consume(plan *workload.Plan, number int) {
	for t.receiving.Err() == nil {
		r, _ := t.fork()
		c := &workload.Consumer{
			Plan: plan, Oracle: t.oracle, Random: r, Login: t.fleet.login(),
			AttachLimit: attachLimit, Seen: t.pauses.seen(plan.Address, "delivered"),
		}
		_ = c.AttachOnce(t.receiving, t.address(r, number, plan.Consumers)) // its node's end is no error of ours
		_ = sleep(t.receiving, retryPause)
	}
}

// address is where a client connects: if there are as many of a plan as nodes, each
// keeps to its own, else anywhere.
func (t *traffic) address(r *rand.Rand, number, of int) string {
	all := t.fleet.addresses()
	if of >= len(all) {
		return all[number%len(all)]
	}
	return all[r.IntN(len(all))]
}

// fork gives a client a source of random choices and a producer's name of its own.
func (t *traffic) fork() (*rand.Rand, uint32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.names++
	return rand.New(rand.NewPCG(t.random.Uint64(), uint64(t.names))), t.names
}

// stop ends the producers, and when those have their answers the consumers.
func (t *traffic) stop() {
	t.stopSending()
	t.producers.Wait()
	t.stopTaking()
	t.consumers.Wait()
}
