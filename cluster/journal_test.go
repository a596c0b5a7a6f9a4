package cluster

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"entrepot/journal"
	"entrepot/journal/journaltest/crashfs"
	"entrepot/queue"
)

// shardFSM is the FSM of a broker without the broker: the journal's shard.
type shardFSM struct{ *journal.Shard }

func (f shardFSM) Apply(index uint64, data []byte) (Result, error) {
	a, err := f.Shard.Apply(index, data)
	if err != nil || a.AllOK {
		return Result{Verdict: a.Verdict}, err
	}
	return Result{Verdict: a.Verdict, Replies: a.Replies}, nil
}

// onJournal starts a group over a journal and waits until it leads.
func onJournal(t testing.TB, cfg Config, o journal.Options) (*Group, *journal.Store) {
	t.Helper()
	store, err := journal.Open(o)
	require.NoError(t, err)
	shard, err := store.Shard(0)
	require.NoError(t, err)
	cfg.Store, cfg.FSM = store, shardFSM{shard}
	led := make(chan bool, 1)
	cfg.OnLeader = func(leader bool, _ uint64) {
		if leader {
			led <- true
		}
	}
	g, err := Start(cfg)
	require.NoError(t, err)
	<-led
	return g, store
}

// declare makes queue 1.
func declare(b *Batcher, w Waiter) {
	p := b.Begin(0)
	p.Builder.Declare("q", nil)
	p.Wait(w, 0)
	b.End()
}

// live reads every payload of queue 1.
func live(t testing.TB, s *journal.Store) (all []string) {
	shard, err := s.Shard(0)
	require.NoError(t, err)
	for from := queue.Seq(1); ; {
		l, err := shard.Load(1, from, 1000, 1<<20, nil)
		require.NoError(t, err)
		for _, m := range l.Messages {
			all = append(all, string(m.Payload))
		}
		if len(l.Messages) == 0 {
			return all
		}
		from = l.Next
	}
}

// Power is cut at an arbitrary moment, with half of what was not synced gone:
// everything that was accepted before is there, in order, and nothing twice.
func TestPowerCutLosesNothingAccepted(t *testing.T) {
	for seed := range uint64(5) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			fs := crashfs.New()
			// Small enough for marks, truncation and spills to happen.
			o := journal.Options{Dir: "data", FS: fs, WindowBytes: 16 << 10}
			cfg := testConfig(t, nil)
			cfg.SnapshotEntries, cfg.TrailingLogs = 16, 4
			g, store := onJournal(t, cfg, o)
			w := newRecorder()
			w.left.Add(1)
			declare(g.Batcher(), w)
			for i := range 400 {
				w.enqueue(g.Batcher(), uint64(i+1), fmt.Sprintf("%0500d", i))
				if i%7 == 0 {
					w.left.Wait()
				}
			}
			w.mu.Lock()
			accepted := len(w.order) - 1 // the declaration
			w.mu.Unlock()
			crashed := fs.Crash(vfs.CrashCloneCfg{
				UnsyncedDataPercent: 50, RNG: rand.New(rand.NewPCG(seed, seed)),
			})
			w.left.Wait()
			stop(t, g)
			require.NoError(t, store.Close())

			o.FS = crashed
			g, store = onJournal(t, cfg, o)
			got := live(t, store)
			require.GreaterOrEqual(t, len(got), accepted)
			for i, p := range got {
				require.Equal(t, fmt.Sprintf("%0500d", i), p)
			}
			stop(t, g)
			require.NoError(t, store.Close())
		})
	}
}

func BenchmarkJournal(b *testing.B) {
	for _, size := range []int{256, 1024} {
		for _, inFlight := range []int{1, 64, 256, 1024} {
			b.Run(fmt.Sprintf("size=%d/inflight=%d", size, inFlight), func(b *testing.B) {
				store, err := journal.Open(journal.Options{Dir: filepath.Join(b.TempDir(), "data")})
				require.NoError(b, err)
				defer store.Close()
				shard, err := store.Shard(0)
				require.NoError(b, err)
				cfg := testConfig(b, shardFSM{shard})
				cfg.Store = store
				benchmark(b, cfg, Start, size, inFlight, 1)
			})
		}
	}
}

// BenchmarkJournalAppend is the bare log: what BenchmarkJournal with one in
// flight is held against.
func BenchmarkJournalAppend(b *testing.B) {
	store, err := journal.Open(journal.Options{Dir: filepath.Join(b.TempDir(), "data")})
	require.NoError(b, err)
	defer store.Close()
	l, err := store.Log(0)
	require.NoError(b, err)
	bareAppend(b, l)
}
