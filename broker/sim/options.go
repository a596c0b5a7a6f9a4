package sim

import (
	"math/rand/v2"
	"time"

	"entrepot/broker/config"
)

// Options say what world is made. FromSeed draws them.
type Options struct {
	Nodes     int // 1: a standalone node
	Shards    int // 0: as many as nodes
	Queues    int
	Producers int
	Consumers int
	// Safety is how long there are faults and traffic, in virtual time.
	Safety time.Duration
	// Faults are drawn from these. None: a calm world.
	Faults []Fault
	// Pace is the mean time between two faults.
	Pace time.Duration
	// Small keeps every queue's history so short that an order of all its steps can
	// be looked for.
	Small bool
	// TTLs: some messages have a time to live.
	TTLs bool
	// Sabotage breaks the world in a way that a checker must notice.
	Sabotage Sabotage

	window config.Size
}

// Sabotage is a lie that the checkers are tested with.
type Sabotage uint8

// The lies.
const (
	Honest      Sabotage = iota
	LyingDisks           // no disk syncs anything, and all machines crash once
	SilentThief          // somebody accepts messages and does not write it down
	Forger               // somebody sends messages and does not write it down
)

// FromSeed draws a world. Most have three nodes and all faults.
func FromSeed(seed uint64) Options {
	r := rand.New(rand.NewPCG(seed*0x9e3779b97f4a7c15, 0x0b71)) // neighbours differ in all bits
	o := Options{
		Nodes:     []int{3, 3, 3, 3, 3, 3, 1, 5}[r.IntN(8)],
		Queues:    1 + r.IntN(4),
		Producers: 1 + r.IntN(4),
		Consumers: 1 + r.IntN(4),
		Safety:    time.Duration(15+r.IntN(30)) * time.Second,
		Pace:      time.Duration(500+r.IntN(5000)) * time.Millisecond,
		TTLs:      r.IntN(3) == 0,
		Small:     r.IntN(3) == 0,
	}
	if r.IntN(3) == 0 {
		o.Shards = 1 + r.IntN(3)
	}
	kinds := allFaults(o.Nodes)
	switch r.IntN(8) {
	case 0: // calm
	case 1, 2, 3: // a few kinds, so that one is not always hidden behind another
		r.Shuffle(len(kinds), func(i, j int) { kinds[i], kinds[j] = kinds[j], kinds[i] })
		o.Faults = kinds[:1+r.IntN(3)]
	default:
		o.Faults = kinds
	}
	return o
}

func (o *Options) fill(r *rand.Rand) {
	if o.Nodes == 0 {
		o.Nodes = 3
	}
	if o.Safety == 0 {
		o.Safety = 30 * time.Second
	}
	if o.Pace == 0 {
		o.Pace = 3 * time.Second
	}
	o.Queues, o.Producers, o.Consumers = max(o.Queues, 1), max(o.Producers, 1), max(o.Consumers, 1)
	if o.window = 1 * config.MiB; r.IntN(2) == 0 {
		o.window = 64 * config.KiB
	}
}
