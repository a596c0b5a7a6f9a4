package journal

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"entrepot/queue"
)

// TestStreamHeadToHead streams a shard with random content while it goes on
// working (rounds, cuts, flushes and truncations included), into an empty shard,
// one that has a part of the same history, and one that has something else. All
// must be as the sender was at the stream's index, and stay like it when the same
// entries are applied to all; through a restart too.
func TestStreamHeadToHead(t *testing.T) {
	seeds := 12
	if testing.Short() {
		seeds = 3
	}
	for seed := range seeds {
		rng := rand.New(rand.NewPCG(uint64(seed), 7))
		o := func() Options {
			o := memOptions()
			o.WindowBytes = 64 << 10
			return o
		}
		src, empty, stale, other := newRig(t, o()), newRig(t, o()), newRig(t, o()), newRig(t, o())
		var h, junk history
		h.grow(rng, 60, nil, src, stale)
		h.grow(rng, 60, func(int) { step(src, rng) }, src)
		junk.grow(rng, 100, func(int) { step(other, rng) }, other)

		st := src.openStream()
		require.EqualValues(t, len(h), st.Index)
		var stream bytes.Buffer
		h.grow(rng, 60, func(int) {
			switch rng.IntN(4) {
			case 0:
				require.NoError(t, src.shard.round(rng.IntN(2) == 0))
			case 1:
				src.shard.mu.Lock()
				src.shard.deadBytes = reclaimBytes
				src.shard.mu.Unlock()
				src.spill()
			case 2:
				require.NoError(t, src.store.db.pebble.Flush())
				require.NoError(t, src.log.DeleteRange(src.log.First(), src.next-2))
			}
			_, err := io.CopyN(&stream, st, rng.Int64N(4000))
			require.True(t, err == nil || err == io.EOF, "%v", err)
		}, src)
		_, err := io.Copy(&stream, st)
		require.NoError(t, err)
		require.EqualValues(t, st.Size, stream.Len())
		require.NoError(t, st.Close())

		for _, r := range []*rig{empty, stale, other} {
			r.restore(stream.Bytes())
			h.twin(st.Index).check(t, r)
			checkNoLeaks(t, r)
			for i := st.Index + 1; i <= uint64(len(h)); i++ { // what the sender did meanwhile
				r.do(func(b *queue.PackBuilder) { build(b, h[i-1]) })
			}
			require.Equal(t, src.shard.Hash(), r.shard.Hash(), "seed %d", seed)
		}
		h.grow(rng, 60, func(int) {
			step(empty, rng)
			step(other, rng)
		}, src, empty, stale, other)
		for _, r := range []*rig{src, empty, stale, other} {
			require.Equal(t, src.shard.Hash(), r.shard.Hash(), "seed %d", seed)
			h.twin(uint64(len(h))).check(t, r)
			r.spill()
			checkNoLeaks(t, r)
			r.close()
			report, err := verifyFS(r.opts.FS, r.opts.Dir)
			require.NoError(t, err)
			require.Empty(t, report.Problems)
			r.open()
			h.twin(uint64(len(h))).check(t, r)
			require.Equal(t, src.shard.Hash(), r.shard.Hash())
			if r != src {
				r.close()
			}
		}
		src.close()
	}
}

// TestStreamOfNothing: a shard to which nothing was applied has a stream too.
func TestStreamOfNothing(t *testing.T) {
	src, dst := newRig(t, memOptions()), newRig(t, memOptions())
	defer src.close()
	defer dst.close()
	stream := src.streamed()
	dst.declare(1)
	dst.enqueue(1, "something")
	dst.restore(stream)
	require.Zero(t, dst.shard.AppliedIndex())
	require.Equal(t, src.shard.Hash(), dst.shard.Hash())
	dst.declare(1)
	require.Empty(t, dst.all(1, 10))
}

// TestSettingsAndOriginsComeAlong: they are in the state row.
func TestSettingsAndOriginsComeAlong(t *testing.T) {
	src, dst := newRig(t, memOptions()), newRig(t, memOptions())
	defer src.close()
	defer dst.close()
	var b queue.PackBuilder
	b.Reset(nil)
	b.Setting("key", []byte("value"))
	_, err := src.try(b.Finish(src.clock, queue.Origin{Node: 7, Seq: 1}))
	require.NoError(t, err)
	dst.restore(src.streamed())
	value, ok := dst.shard.Setting("key")
	require.True(t, ok)
	require.Equal(t, "value", string(value))
	last, known := dst.shard.OriginSeq(7)
	require.True(t, known)
	require.EqualValues(t, 1, last)
}

// TestExceptedDeadlinesComeAlong: a message whose time has been swept while it was
// out with a consumer keeps its deadline row through a stream, a restart, and the next
// sweep on the receiver.
func TestExceptedDeadlinesComeAlong(t *testing.T) {
	src, dst := newRig(t, memOptions()), newRig(t, memOptions())
	defer src.close()
	src.declare(1)
	src.do(func(b *queue.PackBuilder) {
		for range 3 {
			b.Enqueue(1, 1000, 0, []byte("x"))
		}
	})
	src.spill()
	src.do(func(b *queue.PackBuilder) {
		b.Remove(1, queue.Expired, []queue.Run{{First: 1, Count: 1, Bytes: 1}})
		b.Expire(1500, []queue.Ref{{Queue: 1, Seq: 2}, {Queue: 1, Seq: 3}})
	})
	dst.restore(src.streamed())
	due := func(r *rig) []DueRun {
		r.shard.RestartDue()
		runs, _, err := r.shard.Due(5000, 100, nil)
		require.NoError(t, err)
		return runs
	}
	want := []DueRun{{1, queue.Run{First: 2, Count: 2, Bytes: 2}}}
	require.Equal(t, want, due(dst))
	dst.do(func(b *queue.PackBuilder) { b.Expire(2000, nil) })
	dst.spill()
	require.Equal(t, want, due(dst), "after the next sweep")
	dst.close()
	dst.open()
	dst.do(func(b *queue.PackBuilder) { b.Expire(2500, nil) })
	dst.spill()
	require.Equal(t, want, due(dst), "after a restart and another")
	dst.close()
}

// TestExciseUnderAnOpenStream: when everything a stream has yet to read is settled
// and cut out of Pebble, the stream still has it.
func TestExciseUnderAnOpenStream(t *testing.T) {
	src, dst := newRig(t, memOptions()), newRig(t, memOptions())
	defer src.close()
	defer dst.close()
	src.declare(1)
	body := bytes.Repeat([]byte("b"), 2000)
	const n = 500
	for range n {
		src.enqueue(1, string(body))
	}
	first, second := src.openStream(), src.openStream()
	hash := src.shard.Hash()
	src.remove(1, 1, n)
	src.shard.deadBytes = reclaimBytes
	src.spill()
	require.NoError(t, src.store.db.pebble.Flush())
	require.NoError(t, src.store.db.pebble.Compact(context.Background(), []byte("A"), []byte("Z"), false))
	levels, err := src.store.db.tables()
	require.NoError(t, err)
	for _, tables := range levels {
		for i := range tables {
			require.NotEqual(t, byte(kindMessage), tables[i].Smallest.UserKey[0], "all tables of bodies were cut out")
		}
	}
	for _, st := range []*Stream{first, second} {
		b, err := io.ReadAll(st)
		require.NoError(t, err)
		require.EqualValues(t, st.Size, len(b))
		require.NoError(t, st.Close())
		require.NoError(t, st.Close(), "twice is no error")
		_, err = st.Read(make([]byte, 1))
		require.ErrorIs(t, err, ErrClosed)
		dst.restore(b)
		require.Equal(t, hash, dst.shard.Hash())
		require.Len(t, dst.all(1, 100), n)
	}
}

func TestStreamHeedsItsContextAndTheStoresEnd(t *testing.T) {
	r := newRig(t, memOptions())
	r.declare(1)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := r.shard.OpenStream(ctx)
	require.ErrorIs(t, err, context.Canceled)
	r.enqueue(1, "Apply is held no more")
	st := r.openStream()
	r.close()
	_, err = st.Read(make([]byte, 10))
	require.ErrorIs(t, err, ErrClosed)
	require.NoError(t, st.Close())
}

// TestStreamMemory: what a sender and a receiver hold does not grow with the shard.
func TestStreamMemory(t *testing.T) {
	live := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	const bodySize = 4000
	used := func(messages int) uint64 {
		o := memOptions()
		o.Dir, o.FS, o.CacheBytes = t.TempDir(), nil, 1<<20 // the cache fills with what is read
		src := newRig(t, o)
		defer src.close()
		o.Dir = t.TempDir()
		dst := newRig(t, o)
		defer dst.close()
		src.declare(1)
		for range messages / 50 {
			src.do(func(b *queue.PackBuilder) {
				for range 50 {
					b.Enqueue(1, 0, 0, make([]byte, bodySize))
				}
			})
		}
		src.spill()
		require.NoError(t, src.log.DeleteRange(1, src.log.Last()))
		before := live()
		st := src.openStream()
		x, err := dst.shard.NewRestore()
		require.NoError(t, err)
		var most uint64
		buf := make([]byte, 32<<10)
		for n := 0; ; n++ {
			k, err := st.Read(buf)
			if err == io.EOF {
				break
			}
			require.NoError(t, err)
			_, err = x.Write(buf[:k])
			require.NoError(t, err)
			if n%50 == 0 {
				most = max(most, live())
			}
		}
		require.NoError(t, st.Close())
		dst.commit(x)
		require.Equal(t, src.shard.Hash(), dst.shard.Hash())
		return most - min(most, before)
	}
	small, large := used(1000), used(10_000) // 4 MB and 40 MB
	t.Logf("live heap beside the shard itself: %d KiB for 4 MB, %d KiB for 40 MB", small>>10, large>>10)
	require.Less(t, large, small+8<<20)
}
