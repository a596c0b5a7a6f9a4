package journal

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"entrepot/queue"
)

// TestSpillAgainstSettle runs everything at once: one goroutine applies, one
// settles what it has loaded in order (through the one that applies), one runs
// rounds without a pause, one looks. A body that a round writes while it is
// being settled must neither come back nor be missed.
func TestSpillAgainstSettle(t *testing.T) {
	const messages = 5000
	o := memOptions()
	o.WindowBytes = 32 << 10
	r := newRig(t, o)
	r.declare(1)
	var settled queue.Seq // highest sequence number whose removal was applied
	settles := make(chan queue.Run, 16)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	background := func(f func()) {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					f()
				}
			}
		})
	}
	background(func() { require.NoError(t, r.shard.round(true)) })
	background(func() {
		_, _, err := r.shard.Due(1<<40, 10, nil)
		require.NoError(t, err)
		_, err = r.shard.List("", "", 10)
		require.NoError(t, err)
		_, _, _, err = r.shard.Lookup(queueName(1))
		require.NoError(t, err)
	})
	wg.Go(func() { // the consumer
		for next := queue.Seq(1); next <= messages; {
			l, err := r.shard.Load(1, next, 7, 1<<20, nil)
			require.NoError(t, err)
			for _, m := range l.Messages {
				require.Equal(t, next, m.Seq, "in order, none missed")
				require.Len(t, m.Payload, 100+int(m.Seq%50))
				next++
			}
			if n := len(l.Messages); n > 0 {
				settles <- queue.Run{First: next - queue.Seq(n), Count: uint32(n)}
			}
		}
		close(settles)
	})
	sent := 0
	for open := true; open; {
		r.do(func(b *queue.PackBuilder) {
			for i := 0; i < 20 && sent < messages; i++ {
				sent++
				b.Enqueue(1, int64(1000+sent%3), 0, make([]byte, 100+sent%50))
			}
			for more := true; more && open; {
				select {
				case run, ok := <-settles:
					if open = ok; ok {
						settled = run.End() - 1
						b.Remove(1, queue.Settled, []queue.Run{run})
					}
				default:
					more = false
				}
			}
		})
	}
	close(stop)
	wg.Wait()
	require.EqualValues(t, messages, settled)
	r.spill()
	require.Empty(t, r.keys(kindMessage), "nothing is left behind")
	r.close()
}

// TestNamesWhileRoundsEnd: what was applied is seen at once, in whichever of
// fresh, committing or rows a round has put it by then. A lookup that had read
// the row before the round and what is pending after it once gave the old
// specification.
func TestNamesWhileRoundsEnd(t *testing.T) {
	r := newRig(t, memOptions())
	r.declare(1)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				require.NoError(t, r.shard.round(false))
			}
		}
	})
	for i := range 1000 {
		spec := fmt.Sprint(i)
		r.do(func(b *queue.PackBuilder) { b.Update(1, []byte(spec)) })
		_, got, ok, err := r.shard.Lookup(queueName(1))
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, spec, string(got))
		list, err := r.shard.List("", "", 10)
		require.NoError(t, err)
		require.Equal(t, spec, string(list[0].Spec))
	}
	close(stop)
	wg.Wait()
	r.close()
}

// TestFlushLeavesNothingToReplay: a shutdown makes the next start short.
func TestFlushLeavesNothingToReplay(t *testing.T) {
	r := newRig(t, memOptions())
	r.declare(1)
	r.enqueue(1, "a", "b")
	require.NoError(t, r.shard.Flush(context.Background()))
	require.Equal(t, r.shard.AppliedIndex(), r.shard.DurableIndex())
	require.Zero(t, r.shard.WindowBytes())
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	r.enqueue(1, "c")
	require.ErrorIs(t, r.shard.Flush(ctx), context.Canceled)
	r.close()
	r.open()
	require.Equal(t, []string{"a", "b", "c"}, payloads(r.all(1, 10)))
	r.close()
}

// TestApplyWaitsForRoom: a window at twice its budget holds Apply back until a
// round has made room, and no longer.
func TestApplyWaitsForRoom(t *testing.T) {
	o := memOptions()
	o.WindowBytes = 16 << 10
	r := newRig(t, o)
	r.declare(1)
	for range 100 {
		r.enqueue(1, string(make([]byte, 4<<10)))
		require.LessOrEqual(t, r.shard.WindowBytes(), int64(fullFactor+1)*o.WindowBytes)
	}
	require.Len(t, r.all(1, 1000), 100)
	r.close()
}
