package sim

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"entrepot/broker/sim/history"
)

var (
	seedFlag   = flag.Uint64("sim.seed", 0, "TestSweep: this seed only")
	fromFlag   = flag.Uint64("sim.from", 1, "TestSweep: the first seed")
	seedsFlag  = flag.Int("sim.seeds", 0, "TestSweep: how many seeds")
	timesFlag  = flag.Int("sim.times", 1, "TestSweep: how often each seed is run")
	nodesFlag  = flag.Int("sim.nodes", 0, "TestSweep: nodes, whatever the seed says")
	faultsFlag = flag.String("sim.faults", "", "TestSweep: these kinds of faults, by commas, whatever the seed says")
	dirFlag    = flag.String("sim.logs", os.TempDir(), "where the log of a failed run is left")
)

// judge fails the test for a run with violations, and leaves its log behind.
func judge(t *testing.T, r Report) {
	t.Helper()
	t.Log(r)
	if len(r.Violations) == 0 {
		return
	}
	name := filepath.Join(*dirFlag, fmt.Sprintf("sim-%d.log", r.Seed))
	require.NoError(t, os.WriteFile(name, []byte(r.String()+"\n"+r.Log()), 0o644))
	t.Errorf("seed %d: %d violations; the log is in %s", r.Seed, len(r.Violations), name)
}

// TestSweep is "make sim": as many seeds as one likes.
func TestSweep(t *testing.T) {
	first, count := *fromFlag, *seedsFlag
	if *seedFlag > 0 {
		first, count = *seedFlag, 1
	}
	if count == 0 {
		t.Skip("no seeds are asked for: -sim.seeds")
	}
	for seed := first; seed < first+uint64(count); seed++ {
		for range *timesFlag {
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				o := FromSeed(seed)
				if *nodesFlag > 0 {
					o.Nodes = *nodesFlag
				}
				if *faultsFlag != "" {
					o.Faults = nil
					for kind := range strings.SplitSeq(*faultsFlag, ",") {
						o.Faults = append(o.Faults, Fault(kind))
					}
				}
				judge(t, Run(t, seed, o))
			})
		}
	}
}

// A failing seed is kept, with a word about what it found. The worlds that seeds make
// change with FromSeed; these are written out.
var kept = []struct {
	found   string
	seed    uint64
	options Options
}{
	{"what a new data directory holds was gone after a power cut: its name was not synced",
		2, Options{Nodes: 3, Queues: 1, Producers: 2, Consumers: 3, Safety: 15 * time.Second, Faults: []Fault{Crash}, Pace: time.Second, Small: true}},
	{"the same on one node; and Pebble's goroutines outlived a store that had failed",
		4, Options{Nodes: 1, Queues: 1, Producers: 1, Consumers: 1, Safety: 15 * time.Second, Faults: []Fault{SlowLink, SyncError}, Pace: time.Second, Small: true}},
	{"a start that failed without a majority never ended; a look at the oldest message ended the node, because its removal was not applied again yet",
		5, Options{Nodes: 3, Queues: 3, Producers: 2, Consumers: 3, Safety: 20 * time.Second, Faults: []Fault{Restart, Transfer, WriteError, Crash}, Pace: time.Second}},
	{"two leaderships were given away at once, one waited for a lock",
		13, Options{Nodes: 3, Queues: 2, Producers: 2, Consumers: 2, Safety: 20 * time.Second, Faults: []Fault{Transfer, OneWay, Pause}, Pace: time.Second}},
	{"the store of a failed disk tried the same compaction over and over, at once, and time stood still",
		800110, Options{Nodes: 3, Queues: 2, Producers: 4, Consumers: 4, Safety: 31 * time.Second, Faults: []Fault{SyncError, Transfer, TableError}, Pace: 619 * time.Millisecond}},
}

func TestKeptSeeds(t *testing.T) {
	for _, k := range kept {
		t.Run(fmt.Sprint(k.seed), func(t *testing.T) {
			t.Parallel()
			t.Log(k.found)
			judge(t, Run(t, k.seed, k.options))
		})
	}
}

// A few worlds of every kind.
func TestWorlds(t *testing.T) {
	seeds := uint64(6)
	if testing.Short() {
		seeds = 2
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed+1), func(t *testing.T) {
			t.Parallel()
			judge(t, Run(t, seed+1, FromSeed(seed+1)))
		})
	}
}

// What happened to queues that are left alone has an order.
func TestOrderOfCalmQueues(t *testing.T) {
	for _, nodes := range []int{1, 3} {
		t.Run(fmt.Sprint(nodes), func(t *testing.T) {
			t.Parallel()
			r := Run(t, 1, Options{Nodes: nodes, Queues: 2, Producers: 2, Consumers: 2, Safety: 20 * time.Second, Small: true})
			judge(t, r)
			require.Positive(t, r.Linear, "a queue was looked at")
		})
	}
}

// A world in which somebody cheats is found out.
func TestSabotageIsNoticed(t *testing.T) {
	for name, c := range map[string]struct {
		how   Sabotage
		rules []string // one of them
	}{
		"lying disks":  {LyingDisks, []string{"lost", "stopped", "back from the dead"}},
		"silent thief": {SilentThief, []string{"lost"}},
		"forger":       {Forger, []string{"invented"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := Run(t, 1, Options{Nodes: 1, Queues: 1, Producers: 2, Consumers: 1, Safety: 10 * time.Second, Sabotage: c.how})
			require.True(t, slices.ContainsFunc(r.Violations, func(v history.Violation) bool { return slices.Contains(c.rules, v.Rule) }), "%v", r)
		})
	}
}
