package journal

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"entrepot/queue"
)

// step does something that must not be seen: a round of some kind, a
// truncation of the log, a restart, a crash.
func step(r *rig, rng *rand.Rand) {
	switch k := rng.IntN(100); {
	case k < 12:
		require.NoError(r.t, r.shard.round(false)) // rows; bodies by budget
	case k < 16:
		r.spill()
	case k < 20:
		r.shard.mu.Lock()
		r.shard.deadBytes = reclaimBytes
		r.shard.mu.Unlock()
		require.NoError(r.t, r.shard.round(true))
	case k < 30:
		if first, last := r.log.First(), r.log.Last(); first > 0 {
			require.NoError(r.t, r.log.DeleteRange(first, first+rng.Uint64N(last-first+1)))
		}
	case k < 32:
		require.NoError(r.t, r.store.db.pebble.Flush())
	case k < 35:
		r.close()
		r.open()
	case k < 39:
		r.crash(rng.IntN(101), rng)
	}
}

// TestRandomLogs runs random logs with random rounds, restarts and crashes
// between their packs, and holds the shard against its twin. What the log has
// accepted is what is there: neither less nor more.
func TestRandomLogs(t *testing.T) {
	seeds := 25
	if testing.Short() {
		seeds = 5
	}
	for seed := range seeds {
		o := memOptions()
		o.WindowBytes = 64 << 10
		rng := rand.New(rand.NewPCG(uint64(seed), 1))
		r := newRig(t, o)
		r.origin.Node, r.compress = 7, seed%2 == 1
		tw := newTwin()
		for range 150 {
			ops := randomOps(rng, tw)
			r.do(func(b *queue.PackBuilder) {
				for _, o := range ops {
					o.build(b)
				}
			})
			step(r, rng)
			if rng.IntN(4) == 0 {
				r.again(rng)
			}
			if rng.IntN(5) == 0 {
				tw.check(t, r)
			}
		}
		tw.check(t, r)
		hash := r.shard.Hash()
		r.spill()
		checkNoLeaks(t, r)
		r.close()
		report, err := verifyFS(r.opts.FS, r.opts.Dir)
		require.NoError(t, err)
		require.Empty(t, report.Problems, "seed %d", seed)
		r.open()
		tw.check(t, r)
		require.Equal(t, hash, r.shard.Hash(), "seed %d: what was loaded is what was in memory", seed)
		r.close()
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// checkNoLeaks: after a spill of everything there is one Q key per message and
// nothing for what is gone.
func checkNoLeaks(t *testing.T, r *rig) {
	t.Helper()
	totals := r.shard.Totals()
	require.Len(t, r.keys(kindMessage), int(totals.Count), "bodies")
	require.Len(t, r.keys(kindHead), int(totals.Queues), "H rows")
	require.Len(t, r.keys(kindID), int(totals.Queues), "I rows")
	require.Len(t, r.keys(kindName), int(totals.Queues), "N rows")
}
