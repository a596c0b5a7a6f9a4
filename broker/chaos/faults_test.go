package main

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"entrepot/broker/crash/oracle"
)

// planned is a harness whose nodes are never started.
func planned(t *testing.T, s settings) *harness {
	t.Helper()
	h, err := newHarness(s, "no binary", t.TempDir(), t.Logf)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, h.fleet.close()) })
	return h
}

func TestASeedFixesTheFaults(t *testing.T) {
	const faults = "kill,pause,transfer,rolling-restart,wipe,partition,delay"
	drawn := func(seed uint64) (texts []string) {
		h := planned(t, settings{seed: seed, nodes: 3, faults: faults})
		for range 100 {
			for _, f := range h.draw() {
				texts = append(texts, f.text)
			}
		}
		return texts
	}
	require.Equal(t, drawn(7), drawn(7))
	require.NotEqual(t, drawn(7), drawn(8))
}

func TestEveryFaultIsDrawn(t *testing.T) {
	const faults = "kill,pause,transfer,rolling-restart,wipe,partition,delay" // a full disk needs leave to mount
	h := planned(t, settings{seed: 1, nodes: 3, faults: faults})
	seen := map[string]int{}
	both := 0
	for range 500 {
		drawn := h.draw()
		for _, f := range drawn {
			seen[f.kind]++
		}
		if len(drawn) == 2 {
			both++
			require.Contains(t, []string{"kill", "pause"}, drawn[0].kind, "what an operator does, he does on a sound network")
		}
	}
	require.Len(t, seen, 7, "%v", seen)
	require.Positive(t, both)
}

func TestAStandaloneBrokerHasNoNetworkToBreak(t *testing.T) {
	h := planned(t, settings{seed: 1, nodes: 1, faults: "kill,pause,transfer,partition"})
	for range 100 {
		drawn := h.draw()
		require.Len(t, drawn, 1)
		require.Contains(t, []string{"kill", "pause"}, drawn[0].kind)
	}
	_, err := newHarness(settings{nodes: 1, faults: "partition"}, "no binary", t.TempDir(), t.Logf)
	require.Error(t, err, "nothing would happen")
}

func TestSubsetsAreOfEverySize(t *testing.T) {
	h := planned(t, settings{seed: 1, nodes: 3, faults: "kill"})
	r := rand.New(rand.NewPCG(1, 1))
	sizes := map[int]bool{}
	for range 200 {
		some := subset(r, h.nodes())
		sizes[len(some)] = true
	}
	require.Equal(t, map[int]bool{1: true, 2: true, 3: true}, sizes)
}

func TestUnknownFaultsAreRefused(t *testing.T) {
	require.ErrorContains(t, (&settings{nodes: 3, faults: "kill,flood"}).check(), `"flood"`)
	require.NoError(t, (&settings{nodes: 3}).check())
	require.Error(t, (&settings{}).check())
}

func TestARunInWhichNothingHappenedIsNoSuccess(t *testing.T) {
	require.Error(t, (&Result{}).vacuous())
	require.Error(t, (&Result{Episodes: 10, Report: oracle.Report{Accepted: 1000, Settled: 99}}).vacuous())
	require.NoError(t, (&Result{Episodes: 10, Report: oracle.Report{Accepted: 1000, Settled: 100}}).vacuous())
}

func TestBetweenIsInItsBounds(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 100 {
		d := between(r, time.Second, 2*time.Second)
		require.GreaterOrEqual(t, d, time.Second)
		require.Less(t, d, 2*time.Second)
	}
}
