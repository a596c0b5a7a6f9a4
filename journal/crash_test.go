package journal

import (
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/require"

	"entrepot/journal/journaltest/crashfs"
	"entrepot/queue"
)

// crashPoint is the disk as a crash at some write would have left it.
type crashPoint struct {
	fs    *crashfs.FS
	acked uint64 // entries whose Append had returned
	phase int32  // what the test was about
	op    string
}

// crashPoints takes clones of a file system at random writes.
type crashPoints struct {
	fs    *crashfs.FS
	acked atomic.Uint64
	phase *atomic.Int32 // nil: there is one only

	mu     sync.Mutex
	rng    *rand.Rand
	every  int
	points []crashPoint
}

// MaybeError is called before each operation; it never fails one.
func (c *crashPoints) MaybeError(op errorfs.Op) error {
	if op.Kind.ReadOrWrite() != errorfs.OpIsWrite {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rng.IntN(c.every) == 0 {
		acked := c.acked.Load() // before the clone: what was accepted must be in it
		var phase int32
		if c.phase != nil {
			phase = c.phase.Load()
		}
		c.points = append(c.points, crashPoint{
			fs:    c.fs.Crash(vfs.CrashCloneCfg{UnsyncedDataPercent: c.rng.IntN(3) * 50, RNG: c.rng}),
			acked: acked, phase: phase,
			op: op.Path,
		})
	}
	return nil
}

// setEvery makes about every n-th write a point.
func (c *crashPoints) setEvery(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.every = n
}

func (c *crashPoints) String() string { return "crash points" }

// TestCrashAtAnyWrite stops the disk at random writes of a random run, in the
// middle of whatever was going on, and opens what is there. Three states: an
// entry whose Append had returned is there; the one being appended may be; no
// other is. The state is that of exactly the entries that are there.
func TestCrashAtAnyWrite(t *testing.T) {
	runs := 8
	if testing.Short() {
		runs = 2
	}
	for seed := range runs {
		for _, d := range []Durability{Fsync, OS} {
			crashRun(t, uint64(seed), d)
		}
	}
}

func crashRun(t *testing.T, seed uint64, d Durability) {
	rng := rand.New(rand.NewPCG(seed, uint64(d)))
	c := &crashPoints{fs: crashfs.New(), rng: rand.New(rand.NewPCG(seed, 99)), every: 40}
	o := memOptions()
	o.FS, o.WindowBytes, o.Durability = errorfs.Wrap(c.fs, c), 64<<10, d
	r := newRig(t, o)
	r.origin.Node, r.compress = 7, seed%2 == 1
	tw := newTwin()
	packs := [][]op{nil} // by index
	for range 120 {
		ops := randomOps(rng, tw)
		packs = append(packs, ops)
		r.do(func(b *queue.PackBuilder) { build(b, ops) })
		c.acked.Store(r.next - 1)
		if rng.IntN(4) == 0 {
			r.again(rng)
			packs = append(packs, nil)
			c.acked.Store(r.next - 1)
		}
		switch rng.IntN(12) {
		case 0, 1:
			require.NoError(t, r.shard.round(false))
		case 2:
			r.shard.mu.Lock()
			r.shard.deadBytes = reclaimBytes
			r.shard.mu.Unlock()
			r.spill()
		case 3, 4:
			require.NoError(t, r.log.DeleteRange(r.log.First(), r.next-2))
		case 5:
			require.NoError(t, r.store.db.pebble.Flush())
		}
	}
	r.close()
	require.NotEmpty(t, c.points)
	for _, p := range c.points {
		checkCrash(t, p, d, packs)
	}
}

func build(b *queue.PackBuilder, ops []op) {
	for _, o := range ops {
		o.build(b)
	}
}

func checkCrash(t *testing.T, p crashPoint, d Durability, packs [][]op) {
	t.Helper()
	o := memOptions()
	o.FS, o.WindowBytes = p.fs, 64<<10
	r := &rig{t: t, opts: o, clock: 1_000_000}
	require.NoError(t, r.tryOpen(), "durability %s, crash at %s", d, p.op)
	have := r.next - 1
	require.LessOrEqual(t, have, p.acked+1, "crash at %s: invented", p.op)
	if d == Fsync {
		require.GreaterOrEqual(t, have, p.acked, "crash at %s: lost", p.op)
	}
	tw := newTwin()
	for _, ops := range packs[:have+1] {
		for _, o := range ops {
			tw.apply(o)
		}
	}
	tw.check(t, r)
	r.spill()
	tw.check(t, r)
	if d == Fsync {
		checkNoLeaks(t, r)
	}
	r.close()
}

// TestWriteErrors fails one write after another. The store must say so, once
// and for ever, accept nothing afterwards, and what it had accepted must be
// there when the disk is well again.
func TestWriteErrors(t *testing.T) {
	broken := errors.New("the disk is broken")
	for _, where := range []string{".log", tableDir} {
		for k := range 25 {
			mem := crashfs.New()
			var count, failAt atomic.Int64
			failAt.Store(1 << 60)
			inj := errorfs.InjectorFunc(func(op errorfs.Op) error {
				if op.Kind.ReadOrWrite() == errorfs.OpIsWrite && strings.Contains(op.Path, where) &&
					op.Kind != errorfs.OpRemove && op.Kind != errorfs.OpFileClose &&
					count.Add(1) >= failAt.Load() {
					return broken
				}
				return nil
			})
			o := memOptions()
			var told atomic.Int64
			o.FS = errorfs.Wrap(mem, inj)
			o.Hooks.Failed = func(error) { told.Add(1) }
			r := newRig(t, o)
			r.declare(1)
			count.Store(0)
			failAt.Store(int64(k + 1))
			var acked queue.Seq
			var err error
			for err == nil && acked < 200 {
				if _, err = r.try(r.pack(func(b *queue.PackBuilder) { b.Enqueue(1, 0, 0, make([]byte, 1000)) })); err == nil {
					acked++
				}
				if err == nil && acked%5 == 0 {
					err = r.shard.round(true)
				}
			}
			require.Error(t, err, "%s: write %d", where, k)
			require.EqualValues(t, 1, told.Load(), "told once")
			_, again := r.try(r.pack(func(b *queue.PackBuilder) { b.Enqueue(1, 0, 0, []byte("x")) }))
			require.Error(t, again, "nothing is accepted after a failure")
			require.Error(t, r.store.Close())

			o = memOptions()
			o.FS = mem.Crash(vfs.CrashCloneCfg{})
			r = newRig(t, o)
			got := queue.Seq(len(r.all(1, 100)))
			require.GreaterOrEqual(t, got, acked, "%s: write %d: lost", where, k)
			require.LessOrEqual(t, got, acked+1)
			r.close()
		}
	}
}
