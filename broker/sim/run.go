package sim

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"entrepot/broker/sim/history"
)

// Report is what came of a run.
type Report struct {
	Seed       uint64
	Options    Options
	Violations []history.Violation
	history.Counts
	Faults    map[string]int // how often each kind was done
	Virtual   time.Duration  // how long the world lasted
	Linear    int            // queues for which an order of all steps was found
	Undecided int            // and for which that was not found out
	log       string
}

// Log is what the brokers and the world logged, the last lines of it.
func (r Report) Log() string { return r.log }

// String is the report in a few lines.
func (r Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d: %d nodes, %v of virtual time; %d sent, %d accepted, %d refused, %d in doubt; %d deliveries, %d again (%d false news), %d settles confirmed; queues in order %d, undecided %d; faults:",
		r.Seed, r.Options.Nodes, r.Virtual.Round(time.Second), r.Sent, r.Accepted, r.Refused, r.InDoubt,
		r.Deliveries, r.Again, r.FalseNews, r.Confirmed, r.Linear, r.Undecided)
	for _, kind := range slices.Sorted(maps.Keys(r.Faults)) {
		fmt.Fprintf(&b, " %s %d", kind, r.Faults[kind])
	}
	for _, v := range r.Violations {
		fmt.Fprintf(&b, "\n  %v", v)
	}
	return b.String()
}

// patience is how long Porcupine may think about a queue.
const patience = 2 * time.Second

// Run makes one world and lets it live.
func Run(t *testing.T, seed uint64, o Options) Report {
	t.Helper()
	var w *world
	var virtual time.Duration
	inBubble(t, func() {
		start := time.Now()
		w = newWorld(seed, o)
		w.live()
		virtual = time.Since(start)
	})
	r := Report{
		Seed: seed, Options: w.options, Virtual: virtual, Faults: w.injected, Counts: w.history.Counts(), log: w.lines.String(),
		Violations: append(w.found, w.history.Check(history.Rules{ClocksJump: w.jumped, Slack: slack})...),
	}
	if o.Small {
		w.judgeOrder(&r) // in real time
	}
	return r
}

// slack is how much later than the client thinks a message may expire: a leader's
// clock is slewed by at most 1 % (of two minutes), and is not finer than a tick.
const slack = 2 * time.Second

// judgeOrder asks for each queue whether there is an order of its steps.
func (w *world) judgeOrder(r *Report) {
	for _, queue := range w.queues {
		switch w.history.Linear(queue, patience) {
		case history.Linear:
			r.Linear++
		case history.Undecided:
			r.Undecided++
		case history.Illegal:
			r.Violations = append(r.Violations, history.Violation{Rule: "linear", Text: queue + ": there is no order of its steps"})
		}
	}
}

// live is a world's life: it forms, has traffic and faults, is healed, is drained.
func (w *world) live() {
	defer w.stop()
	if !w.start() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), w.options.Safety)
	defer cancel()
	for range w.options.Producers {
		p := producer{w, w.fork()}
		w.clients.Go(func() { p.run(ctx) })
	}
	for range w.options.Consumers {
		c := consumer{w, w.fork()}
		w.clients.Go(func() { c.run(ctx) })
	}
	w.cheat(ctx)
	w.makeTrouble(ctx)
	w.clients.Wait()
	w.drain()
}
