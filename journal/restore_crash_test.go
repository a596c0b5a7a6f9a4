package journal

import (
	"errors"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/require"

	"entrepot/journal/journaltest/crashfs"
)

// Phases of a receiver, as a crash may find it.
const (
	beforeCommit = iota
	inCommit
	afterCommit
)

// TestCrashInARestore stops the receiver's disk at random writes from before the
// first byte of a stream until some entries behind it have been applied, and opens
// what is there: the old state whole, with all that was accepted, or the new one
// whole; the old one for certain before Commit, the new one for certain after it.
func TestCrashInARestore(t *testing.T) {
	runs := 8
	if testing.Short() {
		runs = 2
	}
	for seed := range runs {
		for _, d := range []Durability{Fsync, OS} {
			crashInRestore(t, uint64(seed), d)
		}
	}
}

func crashInRestore(t *testing.T, seed uint64, d Durability) {
	rng := rand.New(rand.NewPCG(seed, uint64(d)))
	var theirs, mine history
	src := newRig(t, memOptions())
	theirs.grow(rng, 120, nil, src)
	stream := src.streamed()
	index := uint64(len(theirs))
	src.close()

	var phase atomic.Int32
	c := &crashPoints{fs: crashfs.New(), rng: rand.New(rand.NewPCG(seed, 99)), every: 1 << 30}
	c.phase = &phase
	o := memOptions()
	o.FS, o.WindowBytes, o.Durability = errorfs.Wrap(c.fs, c), 64<<10, d
	r := newRig(t, o)
	mine.grow(rng, 60, nil, r)
	require.NoError(t, r.shard.round(false))
	c.acked.Store(r.next - 1)
	c.setEvery(6)

	x, err := r.shard.NewRestore()
	require.NoError(t, err)
	rest := stream
	for len(rest) > 0 { // the old state goes on meanwhile
		n := min(len(rest), 1+rng.IntN(len(stream)/10))
		_, err := x.Write(rest[:n])
		require.NoError(t, err)
		rest = rest[n:]
		mine.grow(rng, 2, func(int) { c.acked.Store(r.next - 1) }, r)
		require.NoError(t, r.shard.round(rng.IntN(2) == 0))
	}
	_, err = x.Finish()
	require.NoError(t, err)
	phase.Store(inCommit)
	require.NoError(t, x.Commit())
	phase.Store(afterCommit)
	c.acked.Store(index)
	require.NoError(t, r.log.DeleteRange(r.log.First(), r.log.Last()))
	r.next = index + 1
	theirs.grow(rng, 10, func(int) { c.acked.Store(r.next - 1) }, r)
	c.setEvery(1 << 30)
	r.close()
	require.NotEmpty(t, c.points)
	for _, p := range c.points {
		checkRestoreCrash(t, p, d, mine, theirs, index)
	}
}

func checkRestoreCrash(t *testing.T, p crashPoint, d Durability, mine, theirs history, index uint64) {
	t.Helper()
	o := memOptions()
	o.FS, o.WindowBytes = p.fs, 64<<10
	r := &rig{t: t, opts: o, clock: 1_000_000}
	require.NoError(t, r.tryOpen(), "durability %s, phase %d, crash at %s", d, p.phase, p.op)
	have := r.next - 1
	restored := have >= index // the old state has fewer entries
	switch p.phase {
	case beforeCommit:
		require.False(t, restored, "not committed yet")
	case afterCommit:
		require.True(t, restored, "committed")
	}
	h := mine
	if restored {
		h = theirs
	}
	if d == Fsync && p.phase != inCommit {
		require.GreaterOrEqual(t, have, p.acked, "lost")
	}
	require.LessOrEqual(t, have, max(p.acked+1, index), "invented")
	h.twin(have).check(t, r)
	require.LessOrEqual(t, len(mustGenerations(t, r)), 1, "what a crash left is removed")
	r.spill()
	if d == Fsync {
		checkNoLeaks(t, r)
	}
	h = h[:have:have]
	h.grow(rand.New(rand.NewPCG(1, 1)), 5, nil, r)
	h.twin(uint64(len(h))).check(t, r)
	r.close()
}

// TestRestoreOnABrokenDisk fails one write after another of a restore. Whoever
// restores hears of it. A table that cannot be written ends the restore and nothing
// else; the WAL ends the store. When the disk is well again, the old state is there,
// or the new one.
func TestRestoreOnABrokenDisk(t *testing.T) {
	src := contentOf(t)
	stream := src.streamed()
	want := src.shard.Hash()
	src.close()
	broken := errors.New("the disk is broken")
	for _, where := range []string{tableDir, ".log", "MANIFEST"} {
		failed := 0
		for k := 1; ; k++ {
			mem := crashfs.New()
			var count, failAt atomic.Int64
			failAt.Store(1 << 60)
			inj := errorfs.InjectorFunc(func(op errorfs.Op) error {
				if op.Kind.ReadOrWrite() == errorfs.OpIsWrite && strings.Contains(op.Path, where) &&
					op.Kind != errorfs.OpRemove && op.Kind != errorfs.OpFileClose &&
					count.Add(1) == failAt.Load() {
					return broken
				}
				return nil
			})
			o := memOptions()
			o.FS = errorfs.Wrap(mem, inj)
			r := newRig(t, o)
			r.declare(1)
			r.enqueue(1, "mine")
			old := r.shard.Hash()
			count.Store(0)
			failAt.Store(int64(k))
			err := tryRestore(r.shard, stream)
			hit := count.Load() >= int64(k)
			failAt.Store(1 << 60)
			if !hit {
				require.NoError(t, err)
				require.NotZero(t, failed)
				r.close()
				break
			}
			if err == nil { // Pebble copies where it cannot link
				require.Equal(t, want, r.shard.Hash())
				r.close()
				continue
			}
			failed++
			if r.store.failure.get() == nil {
				require.Equal(t, tableDir, where)
				require.Equal(t, old, r.shard.Hash())
				r.enqueue(1, "goes on")
				require.NoError(t, tryRestore(r.shard, stream), "once the disk is well")
				require.Equal(t, want, r.shard.Hash())
				r.close()
				continue
			}
			_ = r.store.Close()
			o.FS = mem.Crash(vfs.CrashCloneCfg{})
			r = newRig(t, o)
			require.Contains(t, []uint64{old, want}, r.shard.Hash(), "%s: write %d", where, k)
			r.close()
		}
	}
}

// tryRestore is a whole restore, ended as its users do.
func tryRestore(s *Shard, stream []byte) error {
	x, err := s.NewRestore()
	if err != nil {
		return err
	}
	if _, err = x.Write(stream); err == nil {
		if _, err = x.Finish(); err == nil {
			err = x.Commit()
		}
	}
	return errors.Join(err, x.Abort())
}

// TestGenerationsGoRound: behind 255 comes 1, or the next that has no rows.
func TestGenerationsGoRound(t *testing.T) {
	src, r := contentOf(t), newRig(t, memOptions())
	stream := src.streamed()
	src.close()
	r.shard.space.g = 253 // as if it had been restored so often; it has no rows yet
	for _, g := range []uint8{254, 255, 1, 2} {
		r.restore(stream)
		require.Equal(t, g, r.shard.space.g)
		require.Equal(t, []uint8{g}, mustGenerations(t, r))
	}
	require.Len(t, r.all(1, 10), 3)
	key := (space{0, 3}).queueKey(nil, kindHead, 1)
	require.NoError(t, r.store.db.pebble.Set(key, []byte("left over"), nil))
	g, err := r.shard.freeGeneration()
	require.NoError(t, err)
	require.EqualValues(t, 4, g)
	r.close()
	r.open()
	require.Equal(t, []uint8{2}, mustGenerations(t, r), "what is left over goes when the shard is loaded")
	r.close()
}

// TestAbortLeavesNothing, whenever it comes; and no file of the tables' directory
// stays.
func TestAbortLeavesNothing(t *testing.T) {
	src, r := contentOf(t), newRig(t, memOptions())
	stream := src.streamed()
	src.close()
	r.declare(1)
	r.spill()
	hash := r.shard.Hash()
	for _, n := range []int{0, 5, 100, len(stream) / 2, len(stream) - 1, len(stream)} {
		x, err := r.shard.NewRestore()
		require.NoError(t, err)
		_, err = x.Write(stream[:n])
		require.NoError(t, err)
		if n == len(stream) {
			_, err = x.Finish()
			require.NoError(t, err)
		}
		require.NoError(t, x.Abort())
		_, err = x.Write(nil)
		require.ErrorIs(t, err, ErrClosed)
		_, err = x.Finish()
		require.ErrorIs(t, err, ErrClosed)
		require.Equal(t, []uint8{firstGeneration}, mustGenerations(t, r))
		files, err := r.opts.FS.List(r.opts.FS.PathJoin(testDir, tableDir))
		require.NoError(t, err)
		require.Empty(t, files)
	}
	require.Equal(t, hash, r.shard.Hash())
	r.enqueue(1, "x")
	r.close()
}
