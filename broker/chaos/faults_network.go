package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// drawPartition cuts directions between nodes, so that what is sent there waits.
func drawPartition(a *arena, r *rand.Rand) fault {
	nodes := a.nodes()
	r.Shuffle(len(nodes), func(i, j int) { nodes[i], nodes[j] = nodes[j], nodes[i] })
	alone, others := nodes[0].ID, nodes[1:]
	var cuts []direction
	text := ""
	switch shape := r.IntN(6); {
	case shape == 0: // who hears nothing believes that all others are gone
		text = alone + " hears nobody"
		for _, n := range others {
			cuts = append(cuts, direction{n.ID, alone})
		}
	case shape == 1: // who is not heard must not go on leading
		text = "nobody hears " + alone
		for _, n := range others {
			cuts = append(cuts, direction{alone, n.ID})
		}
	case shape == 2 && len(others) > 1: // the third one hears both
		text = fmt.Sprintf("%s and %s do not hear each other", alone, others[0].ID)
		cuts = both(alone, others[0].ID)
	case shape == 3 && len(others) > 1:
		text = "nobody hears anybody"
		for i, n := range nodes {
			for _, m := range nodes[i+1:] {
				cuts = append(cuts, both(n.ID, m.ID)...)
			}
		}
	default:
		text = alone + " is cut off"
		for _, n := range others {
			cuts = append(cuts, both(alone, n.ID)...)
		}
	}
	lasts := between(r, time.Second, 20*time.Second)
	reset := r.IntN(3) == 0 && a.network.cannot("reset") == ""
	if reset {
		text += ", with connections reset"
	}
	return fault{"partition", fmt.Sprintf("%s for %v", text, lasts), func(ctx context.Context) error {
		a.result.Partitions++
		for _, d := range cuts {
			if err := a.network.cut(d); err != nil {
				return err
			}
			if reset {
				a.network.reset(d.from, d.to)
			}
		}
		return errors.Join(sleep(ctx, lasts), a.network.heal())
	}}
}

// drawDelay makes some directions slow.
func drawDelay(a *arena, r *rand.Rand) fault {
	lasts := between(r, 2*time.Second, 15*time.Second)
	delay := between(r, 5*time.Millisecond, 400*time.Millisecond)
	var slow []direction
	nodes := a.nodes()
	for _, n := range nodes {
		for _, m := range nodes {
			if n != m && r.IntN(2) == 0 {
				slow = append(slow, direction{n.ID, m.ID})
			}
		}
	}
	return fault{"delay", fmt.Sprintf("%v more in %d directions for %v", delay, len(slow), lasts), func(ctx context.Context) error {
		a.result.Delays++
		for _, d := range slow {
			if err := a.network.slow(d, delay); err != nil {
				return err
			}
		}
		return errors.Join(sleep(ctx, lasts), a.network.heal())
	}}
}

func both(a, b string) []direction { return []direction{{a, b}, {b, a}} }
