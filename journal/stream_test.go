package journal

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"entrepot/queue"
)

// openStream opens a stream of the rig's shard.
func (r *rig) openStream() *Stream {
	r.t.Helper()
	st, err := r.shard.OpenStream(context.Background())
	require.NoError(r.t, err)
	return st
}

// streamed is a whole stream.
func (r *rig) streamed() []byte {
	r.t.Helper()
	st := r.openStream()
	b, err := io.ReadAll(st)
	require.NoError(r.t, err)
	require.EqualValues(r.t, st.Size, len(b), "Size is exact")
	require.NoError(r.t, st.Close())
	return b
}

// restore replaces the rig's state by a stream, as Raft does: the log loses all it
// has afterwards.
func (r *rig) restore(stream []byte) {
	r.t.Helper()
	x, err := r.shard.NewRestore()
	require.NoError(r.t, err)
	n, err := x.Write(stream)
	require.NoError(r.t, err)
	require.Equal(r.t, len(stream), n)
	r.commit(x)
}

func (r *rig) commit(x *Restore) {
	r.t.Helper()
	index, err := x.Finish()
	require.NoError(r.t, err)
	require.NoError(r.t, x.Commit())
	require.NoError(r.t, x.Abort(), "after Commit it does nothing")
	require.NoError(r.t, r.log.DeleteRange(r.log.First(), r.log.Last()))
	require.Zero(r.t, r.log.Last(), "Raft deletes everything")
	require.Equal(r.t, index, r.shard.AppliedIndex())
	require.Equal(r.t, index, r.shard.DurableIndex())
	require.Zero(r.t, r.shard.WindowBytes())
	r.next = index + 1
}

// history is what was applied to a shard, by index from 1 on.
type history [][]op

func (h history) twin(upTo uint64) *twin {
	tw := newTwin()
	for _, ops := range h[:upTo] {
		for _, o := range ops {
			tw.apply(o)
		}
	}
	return tw
}

// grow makes n more packs of random records and gives each to the rigs.
func (h *history) grow(rng *rand.Rand, n int, each func(i int), rigs ...*rig) {
	tw := h.twin(uint64(len(*h)))
	for i := range n {
		ops := randomOps(rng, tw)
		*h = append(*h, ops)
		for _, r := range rigs {
			r.do(func(b *queue.PackBuilder) { build(b, ops) })
		}
		if each != nil {
			each(i)
		}
	}
}

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
				require.NoError(t, src.store.db.Flush())
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
	require.NoError(t, src.store.db.Flush())
	require.NoError(t, src.store.db.Compact(context.Background(), []byte("A"), []byte("Z"), false))
	levels, err := src.store.db.SSTables()
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

// TestStreamOutlivesARestore: a shard that is itself restored under an open stream,
// so that its generation is removed, still gives the stream's state.
func TestStreamOutlivesARestore(t *testing.T) {
	src, dst := newRig(t, memOptions()), newRig(t, memOptions())
	defer src.close()
	defer dst.close()
	src.declare(1)
	src.enqueue(1, "old")
	nothing := dst.streamed()
	st := src.openStream()
	hash := src.shard.Hash()
	src.restore(nothing)
	require.Empty(t, src.keys(kindHead))
	b, err := io.ReadAll(st)
	require.NoError(t, err)
	require.NoError(t, st.Close())
	dst.restore(b)
	require.Equal(t, hash, dst.shard.Hash())
	require.Equal(t, []string{"old"}, payloads(dst.all(1, 10)))
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

// contentOf makes a rig with a little of everything and more frames than one.
func contentOf(t testing.TB) *rig {
	r := newRig(t, memOptions())
	for q := queue.ID(1); q <= 3; q++ {
		r.declare(q)
	}
	r.do(func(b *queue.PackBuilder) {
		for i := range 12 {
			b.Enqueue(queue.ID(1+i%3), int64(5000*(i%2)), 0, bytes.Repeat([]byte{byte(i)}, 9000))
		}
	})
	r.remove(1, 2, 1)
	r.do(func(b *queue.PackBuilder) { b.Modify(1, 3, 2, []byte("note")) })
	return r
}

// boundaries are the offsets where frames begin, and the end.
func boundaries(t *testing.T, stream []byte) []int {
	at := []int{0, preambleLen}
	for n := preambleLen; n < len(stream); {
		f, err := readFrameHead(stream[n:])
		require.NoError(t, err)
		n += frameOver + int(f.length)
		at = append(at, n)
	}
	require.Greater(t, len(at), 5, "several frames")
	return at
}

// refused gives the stream in random pieces and wants a *StreamError, and afterwards
// the old state.
func refused(t *testing.T, r *rig, stream []byte, rng *rand.Rand, why string, args ...any) {
	t.Helper()
	hash := r.shard.Hash()
	x, err := r.shard.NewRestore()
	require.NoError(t, err)
	for err == nil && len(stream) > 0 {
		n := min(len(stream), 1+rng.IntN(40_000))
		_, err = x.Write(stream[:n])
		stream = stream[n:]
	}
	if err == nil {
		_, err = x.Finish()
	}
	var bad *StreamError
	require.ErrorAs(t, err, &bad, append([]any{why}, args...)...)
	_, err = x.Write([]byte("more"))
	require.Error(t, err)
	require.ErrorIs(t, x.Commit(), ErrClosed)
	require.NoError(t, x.Abort())
	require.Equal(t, hash, r.shard.Hash())
}

// TestDamagedStreams cuts a stream at and around every frame, changes bytes there,
// and takes frames out, doubles and swaps them: none is taken for a stream, and the
// shard keeps what it has.
func TestDamagedStreams(t *testing.T) {
	src := contentOf(t)
	stream := src.streamed()
	src.close()
	dst := newRig(t, memOptions())
	dst.declare(1)
	dst.enqueue(1, "mine")
	dst.spill()
	rng := rand.New(rand.NewPCG(1, 1))
	at := boundaries(t, stream)
	for i, b := range at {
		for _, off := range []int{-5, -4, -1, 0, 1, 5, 13, 16, 17, 18, 25} {
			if n := b + off; n >= 0 && n < len(stream) {
				refused(t, dst, stream[:n], rng, "cut at %d (frame %d%+d)", n, i-1, off)
				bad := bytes.Clone(stream)
				bad[n] ^= byte(1 + rng.IntN(255))
				refused(t, dst, bad, rng, "changed at %d (frame %d%+d)", n, i-1, off)
			}
		}
	}
	for i := 1; i+2 < len(at); i++ {
		a, b, c := at[i], at[i+1], at[i+2]
		refused(t, dst, bytes.Join([][]byte{stream[:a], stream[b:]}, nil), rng, "frame %d left out", i-1)
		refused(t, dst, bytes.Join([][]byte{stream[:b], stream[a:]}, nil), rng, "frame %d twice", i-1)
		refused(t, dst, bytes.Join([][]byte{stream[:a], stream[b:c], stream[a:b], stream[c:]}, nil), rng, "frames %d and %d swapped", i-1, i)
	}
	refused(t, dst, append(bytes.Clone(stream), 0), rng, "something behind the end")
	require.Equal(t, []string{"mine"}, payloads(dst.all(1, 10)))
	require.Equal(t, []uint8{firstGeneration}, mustGenerations(t, dst), "nothing is left behind")
	dst.restore(stream)
	dst.close()
}

func mustGenerations(t *testing.T, r *rig) []uint8 {
	t.Helper()
	all, err := r.store.generationsOf(0)
	require.NoError(t, err)
	return all
}

// reframe changes the rows of a stream and gives it checksums that fit: what is
// refused now is refused for what it says.
func reframe(t *testing.T, stream []byte, change func(key, value []byte) (keep bool)) []byte {
	out := bytes.Clone(stream[:preambleLen])
	var totals rowTotals
	for at := preambleLen; at < len(stream); {
		f, err := readFrameHead(stream[at:])
		require.NoError(t, err)
		payload := bytes.Clone(stream[at+frameHeadLen : at+frameHeadLen+int(f.length)])
		at += frameOver + int(f.length)
		begin := len(out)
		out = beginFrame(out)
		switch f.kind {
		case frameHead:
			out = append(out, payload...)
		case frameEnd:
			out = totals.append(out)
		case frameRows:
			f.rows = 0
			for len(payload) > 0 {
				key, value, rest, err := readRow(payload)
				require.NoError(t, err)
				row := payload[:len(payload)-len(rest)]
				if change(key, value) {
					out = append(out, row...)
					totals.add(len(row))
					f.rows++
				}
				payload = rest
			}
		}
		out = endFrame(out, begin, f.kind, f.number, f.rows)
	}
	return out
}

// TestStreamsThatDoNotFit: whole frames, but rows that are damaged, missing or
// without each other.
func TestStreamsThatDoNotFit(t *testing.T) {
	src := contentOf(t)
	stream := src.streamed()
	src.close()
	dst := newRig(t, memOptions())
	defer dst.close()
	rng := rand.New(rand.NewPCG(1, 1))
	require.Equal(t, stream, reframe(t, stream, func(_, _ []byte) bool { return true }))
	for _, kind := range []byte(streamKinds) {
		n := 0
		refused(t, dst, reframe(t, stream, func(key, value []byte) bool {
			if key[0] == kind {
				n++
				if n == 1 {
					value[0] ^= 1
				}
			}
			return true
		}), rng, "a damaged %c row", kind)
		require.NotZero(t, n, "the stream has %c rows", kind)
	}
	for _, kind := range []byte("HBIQ") {
		n := 0
		refused(t, dst, reframe(t, stream, func(key, _ []byte) bool {
			if key[0] == kind {
				n++
			}
			return key[0] != kind || n != 2 && (kind != kindPage || n != 1)
		}), rng, "a %c row is missing", kind)
	}
	for range 300 { // any byte of any row
		at, n := rng.IntN(45), 0
		var hit byte
		changed := reframe(t, stream, func(key, value []byte) bool {
			if n++; n-1 == at {
				hit = key[0]
				row := value
				if rng.IntN(2) == 0 {
					row = key
				}
				row[rng.IntN(len(row))] ^= byte(1 + rng.IntN(255))
			}
			return true
		})
		if hit != kindDeadline && hit != 0 { // those have no checksum, being hints
			refused(t, dst, changed, rng, "a changed %c row", hit)
		}
	}
	other := bytes.Clone(stream)
	head := other[preambleLen:]
	binary.BigEndian.PutUint16(head[frameHeadLen:], 9)
	n := int(binary.BigEndian.Uint32(head[9:]))
	binary.BigEndian.PutUint32(head[frameHeadLen+n:], crc32.Checksum(head[frameHeadLen:frameHeadLen+n], castagnoli))
	refused(t, dst, other, rng, "another shard's")
}

// nowhere takes a stream and keeps nothing.
type nowhere struct{}

func (nowhere) head(stateRow) error   { return nil }
func (nowhere) row(_, _ []byte) error { return nil }
func (nowhere) end() error            { return nil }

// FuzzStream: whatever comes, the reader takes it or refuses it. The checksums of
// frames are made to fit, so that more than those is tried.
func FuzzStream(f *testing.F) {
	r := contentOf(f)
	b := r.streamed()
	r.close()
	f.Add(b[:2000], uint16(100))
	f.Add(b[len(b)-200:], uint16(7))
	f.Fuzz(func(t *testing.T, b []byte, chunk uint16) {
		whole := append([]byte(streamMagic), streamVersion)
		for number := uint32(0); len(b) > 6; number++ {
			n := min(int(binary.BigEndian.Uint16(b[4:])), len(b)-6)
			at := len(whole)
			whole = append(beginFrame(whole), b[6:6+n]...)
			whole = endFrame(whole, at, b[0], number, uint32(b[1]))
			b = b[6+n:]
		}
		var in streamReader
		for len(whole) > 0 {
			n := min(len(whole), 1+int(chunk))
			if err := in.write(whole[:n], nowhere{}); err != nil {
				var bad *StreamError
				require.ErrorAs(t, err, &bad)
				return
			}
			whole = whole[n:]
		}
	})
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
		o.Dir, o.FS = t.TempDir(), nil
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

// TestStreamsUnderTraffic opens streams while another goroutine applies at full speed
// and rounds run: each is the state of exactly the entries up to its index.
func TestStreamsUnderTraffic(t *testing.T) {
	o := memOptions()
	o.WindowBytes = 256 << 10
	src, ref, dst := newRig(t, o), newRig(t, memOptions()), newRig(t, memOptions())
	defer ref.close()
	defer dst.close()
	const streams = 8
	var mu sync.Mutex
	var packs [][]byte
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		rng := rand.New(rand.NewPCG(3, 3))
		tw := newTwin()
		for {
			select {
			case <-stop:
				return
			default:
			}
			ops := randomOps(rng, tw)
			data := src.pack(func(b *queue.PackBuilder) { build(b, ops) })
			mu.Lock()
			packs = append(packs, data)
			mu.Unlock()
			if _, err := src.try(data); err != nil {
				panic(err)
			}
		}
	}()
	var wg sync.WaitGroup
	got := make([][]byte, streams)
	index := make([]uint64, streams)
	for i := range streams {
		wg.Go(func() { // some at the same time
			for src.shard.AppliedIndex() < uint64(200*(1+i/2)) {
				runtime.Gosched()
			}
			st, err := src.shard.OpenStream(context.Background())
			if err != nil {
				panic(err)
			}
			if got[i], err = io.ReadAll(st); err != nil || int64(len(got[i])) != st.Size {
				panic(fmt.Sprint(err, st.Size))
			}
			index[i] = st.Index
			if err := st.Close(); err != nil {
				panic(err)
			}
		})
	}
	wg.Wait()
	close(stop)
	<-done
	order := []int{0, 1, 2, 3, 4, 5, 6, 7}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(index[a], index[b]) })
	for _, i := range order {
		for ref.next <= index[i] {
			_, err := ref.try(packs[ref.next-1])
			require.NoError(t, err)
		}
		dst.restore(got[i])
		require.Equal(t, ref.shard.Hash(), dst.shard.Hash(), "stream at %d", index[i])
		checkNoLeaks(t, dst)
	}
	src.close()
}

// TestOneRestoreAtATime, and the log does not go away under it.
func TestOneRestoreAtATime(t *testing.T) {
	r := newRig(t, memOptions())
	defer r.close()
	r.declare(1)
	for range 10 {
		r.enqueue(1, "x")
	}
	stream := r.streamed() // at 11
	for range 10 {
		r.enqueue(1, "x")
	}
	x, err := r.shard.NewRestore()
	require.NoError(t, err)
	_, err = r.shard.NewRestore()
	require.ErrorIs(t, err, ErrRestoring)
	_, err = x.Write(stream)
	require.NoError(t, err)
	r.spill()
	require.NoError(t, r.log.DeleteRange(1, 21))
	require.EqualValues(t, 12, r.log.First(), "what follows the stream stays")
	_, err = x.Finish()
	require.NoError(t, err)
	hash := r.shard.Hash()
	require.NoError(t, x.Commit())
	require.EqualValues(t, 11, r.shard.AppliedIndex())
	require.Len(t, r.all(1, 100), 10)
	for i := uint64(12); i <= 21; i++ {
		var e Entry
		require.NoError(t, r.log.Get(i, &e))
		_, err := r.shard.Apply(i, e.Data)
		require.NoError(t, err)
	}
	require.Equal(t, hash, r.shard.Hash(), "back where it was")

	require.NoError(t, r.log.DeleteRange(1, 20))
	r.spill()
	x, err = r.shard.NewRestore()
	require.NoError(t, err)
	_, err = x.Write(stream)
	require.NoError(t, err)
	_, err = x.Finish()
	require.NoError(t, err)
	require.ErrorIs(t, x.Commit(), ErrStaleStream, "the log begins at %d", r.log.First())
	require.NoError(t, x.Abort())
	require.Equal(t, hash, r.shard.Hash())
	require.Len(t, mustGenerations(t, r), 1)
}

// TestLogAfterRestore: Raft deletes all entries, whether they lie before or behind
// the stream's index, and appends from the next one on. A crash may come before it
// has deleted them.
func TestLogAfterRestore(t *testing.T) {
	src := newRig(t, memOptions())
	src.declare(1)
	for range 9 {
		src.enqueue(1, "x")
	}
	stream := src.streamed() // at 10
	src.close()
	for _, c := range []struct {
		entries     int // in the receiver's log
		applied     int // of them
		deletes     bool
		restarts    bool
		description string
	}{
		{0, 0, true, true, "empty"},
		{5, 5, true, true, "behind"},
		{5, 2, true, true, "behind, not all applied"},
		{15, 3, true, true, "with another end, not applied"},
		{5, 5, false, true, "a crash before the deletion"},
		{5, 5, false, false, "no deletion at all"},
		{10, 4, false, true, "up to the index, not deleted"},
	} {
		r := newRig(t, memOptions())
		for i := range c.entries {
			e := Entry{Index: uint64(i + 1), Term: 1, Data: r.pack(func(b *queue.PackBuilder) { b.Declare("other", nil) })}
			require.NoError(t, r.log.Append([]Entry{e}))
			if i < c.applied {
				_, err := r.shard.Apply(e.Index, e.Data)
				require.NoError(t, err)
			}
		}
		x, err := r.shard.NewRestore()
		require.NoError(t, err)
		_, err = x.Write(stream)
		require.NoError(t, err)
		x.SetMark("snapshot", []byte(c.description))
		_, err = x.Finish()
		require.NoError(t, err)
		require.NoError(t, x.Commit())
		if c.deletes {
			require.NoError(t, r.log.DeleteRange(r.log.First(), r.log.Last()))
			require.Zero(t, r.log.Last(), c.description)
		}
		if r.next = 11; c.restarts {
			r.crash(0, nil)
		}
		mark, err := r.store.Marks(0).Get("snapshot")
		require.NoError(t, err)
		require.Equal(t, c.description, string(mark))
		require.EqualValues(t, 10, r.shard.AppliedIndex(), c.description)
		require.EqualValues(t, 11, r.next, c.description)
		r.enqueue(1, "next")
		require.EqualValues(t, 11, r.log.Last(), c.description)
		r.crash(0, nil)
		require.Len(t, r.all(1, 100), 10, c.description)
		r.close()
	}
}

// TestRestoreWhileReading: readers see the old state or the new one, never a mixture,
// and Load's *CorruptionError for a body that went with the old generation never.
func TestRestoreWhileReading(t *testing.T) {
	src, dst := newRig(t, memOptions()), newRig(t, memOptions())
	src.declare(1)
	src.enqueue(1, "s", "s", "s", "s")
	src.spill()
	dst.declare(1)
	dst.enqueue(1, "d", "d")
	dst.spill()
	streams := [][]byte{src.streamed(), dst.streamed()}
	stop, done := make(chan struct{}), make(chan error, 1)
	go func() {
		done <- func() error {
			for {
				select {
				case <-stop:
					return nil
				default:
				}
				l, err := dst.shard.Load(1, 0, 100, 1000, nil)
				if err != nil {
					return err
				}
				if got := string(bytes.Join([][]byte{l.Messages[0].Payload, l.Messages[1].Payload}, nil)); got != "ss" && got != "dd" {
					return errors.New(got)
				}
				if _, _, ok, err := dst.shard.Lookup(queueName(1)); err != nil || !ok {
					return errors.Join(err, errors.New("no name"))
				}
				if _, _, err := dst.shard.Due(1<<40, 10, nil); err != nil {
					return err
				}
			}
		}()
	}()
	for i := range 60 {
		dst.restore(streams[i%2])
	}
	close(stop)
	require.NoError(t, <-done)
	src.close()
	dst.close()
}
