package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"entrepot/broker/brokerproc"
	"entrepot/broker/crash/oracle"
)

// fault is one thing that goes wrong, drawn but not yet done.
type fault struct {
	kind string
	text string // what exactly, for people
	// strike does it, waits, and heals it. An error ends the run: it is the
	// harness's own, or the cluster can't be brought back.
	strike func(ctx context.Context) error
}

// kind is a way in which things go wrong.
type kind struct {
	name   string
	weight int
	// nodes is how many the fleet must have.
	nodes int
	// alone: not together with a fault of the network.
	alone bool
	draw  func(a *arena, r *rand.Rand) fault
}

// arena is what faults work on.
type arena struct {
	*fleet
	oracle *oracle.Oracle
	disk   *smallDisk // nil: none
	result *Result
}

// processFaults strike processes, networkFaults what is between them. One of each
// may come together.
var processFaults = []kind{
	{name: "kill", weight: 6, nodes: 1, draw: drawKill},
	{name: "pause", weight: 4, nodes: 1, draw: drawPause},
	{name: "transfer", weight: 3, nodes: 2, alone: true, draw: drawTransfer},
	{name: "rolling-restart", weight: 2, nodes: 1, alone: true, draw: drawRolling},
	{name: "wipe", weight: 1, nodes: 3, alone: true, draw: drawWipe},
	{name: "disk-full", weight: 2, nodes: 1, alone: true, draw: drawDiskFull},
}

var networkFaults = []kind{
	{name: "partition", weight: 5, nodes: 2, draw: drawPartition},
	{name: "delay", weight: 2, nodes: 2, draw: drawDelay},
}

// drawKill kills any subset, all included, and starts it again; one in four is
// killed once more while it recovers.
func drawKill(a *arena, r *rand.Rand) fault {
	victims := subset(r, a.nodes())
	away := between(r, 0, 6*time.Second)
	again := time.Duration(0)
	if r.IntN(4) == 0 {
		again = between(r, time.Millisecond, 500*time.Millisecond)
	}
	text := fmt.Sprintf("kill -9 of %s, away for %v", names(victims), away)
	if again > 0 {
		text += fmt.Sprintf(", and again %v after the start", again)
	}
	return fault{"kill", text, func(ctx context.Context) error {
		for _, n := range victims {
			go a.kill(n) // at the same time
		}
		for _, n := range victims {
			a.kill(n)
			a.result.Kills++
		}
		if err := sleep(ctx, away); err != nil {
			return err
		}
		if again > 0 {
			for _, n := range victims {
				if err := a.launch(n); err != nil {
					return err
				}
			}
			if err := sleep(ctx, again); err != nil {
				return err
			}
			for _, n := range victims {
				a.kill(n)
				a.result.Kills++
			}
		}
		return a.startAll(ctx)
	}}
}

// drawPause stops one node, sometimes two, where they are.
func drawPause(a *arena, r *rand.Rand) fault {
	nodes := a.nodes()
	r.Shuffle(len(nodes), func(i, j int) { nodes[i], nodes[j] = nodes[j], nodes[i] })
	victims := nodes[:1]
	if len(nodes) > 1 && r.IntN(4) == 0 {
		victims = nodes[:2]
	}
	for_ := between(r, time.Second, 20*time.Second)
	return fault{"pause", fmt.Sprintf("SIGSTOP of %s for %v", names(victims), for_), func(ctx context.Context) error {
		for _, n := range victims {
			if err := n.Process.Pause(); err != nil {
				return fmt.Errorf("pause %s: %w", n.ID, err)
			}
			a.result.Pauses++
		}
		err := sleep(ctx, for_)
		for _, n := range victims {
			_ = n.Process.Resume() // an error: it is gone, and its watcher tells
		}
		return err
	}}
}

// drawTransfer moves some leaderships, one after the other.
func drawTransfer(a *arena, r *rand.Rand) fault {
	times := 1 + r.IntN(4)
	choices := make([]int, times)
	for i := range choices {
		choices[i] = int(r.Int32())
	}
	return fault{"transfer", fmt.Sprintf("%d planned transfers", times), func(ctx context.Context) error {
		shards, err := a.shards(ctx)
		if err != nil || shards == 0 {
			return fmt.Errorf("transfer: %d shards: %w", shards, err)
		}
		nodes := a.nodes()
		for _, c := range choices {
			limited, cancel := context.WithTimeout(ctx, operateLimit)
			_, err := a.operate(limited, "transfer", fmt.Sprint(c%shards), nodes[(c>>8)%len(nodes)].ID)
			cancel()
			if err != nil {
				a.oracle.Blame(oracle.Stuck, fmt.Sprintf("a planned transfer: %v", err))
				continue
			}
			a.result.Transfers++
			if err := sleep(ctx, time.Second); err != nil {
				return err
			}
		}
		return nil
	}}
}

// drawRolling ends every node in order, one after the other, and starts it again.
func drawRolling(a *arena, _ *rand.Rand) fault {
	return fault{"rolling-restart", "rolling restart", func(ctx context.Context) error {
		for _, n := range a.nodes() {
			if err := a.stop(n); err != nil {
				a.oracle.Blame(oracle.Unclean, fmt.Sprintf("%s after SIGTERM: %v", n.ID, err))
			}
			a.result.Terms++
			if err := a.startAll(ctx); err != nil {
				return err
			}
			if err := a.caughtUp(ctx); err != nil { // a careful operator waits for that
				return err
			}
		}
		return nil
	}}
}

const (
	// stopLimit is what the broker promises to need after SIGTERM, and some more.
	stopLimit = 15 * time.Second
	// operateLimit is how long an operator tries.
	operateLimit = 60 * time.Second
)

// subset draws one or more nodes, in their order: all of them once in six times.
func subset(r *rand.Rand, nodes []*brokerproc.Node) []*brokerproc.Node {
	if r.IntN(6) == 0 {
		return nodes
	}
	r.Shuffle(len(nodes), func(i, j int) { nodes[i], nodes[j] = nodes[j], nodes[i] })
	some := nodes[:1+r.IntN(max(len(nodes)-1, 1))]
	slices.SortFunc(some, func(a, b *brokerproc.Node) int { return strings.Compare(a.ID, b.ID) })
	return some
}

func names(nodes []*brokerproc.Node) string {
	var ids []string
	for _, n := range nodes {
		ids = append(ids, n.ID)
	}
	return strings.Join(ids, ",")
}

// between draws a time, in whole milliseconds.
func between(r *rand.Rand, least, most time.Duration) time.Duration {
	return (least + time.Duration(r.Int64N(int64(most-least)))).Truncate(time.Millisecond)
}

// sleep waits; an error if ctx ends before.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
