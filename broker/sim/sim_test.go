package sim

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
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

func TestOneNodeCalm(t *testing.T) {
	judge(t, Run(t, 1, Options{Nodes: 1, Queues: 2, Producers: 2, Consumers: 2, Safety: 20 * time.Second}))
}

func TestThreeNodesCalm(t *testing.T) {
	judge(t, Run(t, 1, Options{Nodes: 3, Queues: 2, Producers: 2, Consumers: 2, Safety: 20 * time.Second}))
}
