package journal

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"entrepot/queue"
)

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
