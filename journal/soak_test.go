package journal

import (
	"context"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"entrepot/queue"
)

// TestSoakStream fills a shard with ENTREPOT_SOAK_BYTES of messages on the disk and
// streams it into another, with traffic going on at the sender; "make soak" runs it
// with 20 GB. It wants a bounded heap and no Apply that waits long.
func TestSoakStream(t *testing.T) {
	total, _ := strconv.ParseFloat(os.Getenv("ENTREPOT_SOAK_BYTES"), 64)
	if total == 0 {
		t.Skip("ENTREPOT_SOAK_BYTES is not set")
	}
	src := newRig(t, Options{Dir: t.TempDir()})
	dst := newRig(t, Options{Dir: t.TempDir()})
	soakFill(src, int(total))
	src.spill()
	src.flush()
	messages := src.shard.Totals().Count
	before := heapInUse()

	stop := soakTraffic(src)
	began := time.Now()
	st, err := src.shard.OpenStream(context.Background())
	require.NoError(t, err)
	opened := time.Since(began)
	x, err := dst.shard.NewRestore()
	require.NoError(t, err)
	most := uint64(0)
	for n := 0; ; n++ {
		if _, err := io.CopyN(x, st, 16<<20); err == io.EOF {
			break
		} else {
			require.NoError(t, err)
		}
		if n%16 == 0 {
			most = max(most, heapInUse())
		}
	}
	copied := time.Since(began) - opened
	require.NoError(t, st.Close())
	waited := stop()
	began = time.Now()
	dst.commit(x)
	t.Logf("%d messages, %d MB: opened in %v, copied in %v, finished and committed in %v; heap %d MB above %d MB; longest Apply %v",
		messages, st.Size>>20, opened, copied, time.Since(began), (most-min(most, before))>>20, before>>20, waited)
	require.GreaterOrEqual(t, dst.shard.Totals().Count, messages)
	require.Less(t, most, before+256<<20, "the heap does not grow with the stream")
	dst.close()
	src.close()
}

// soakFill enqueues about total bytes of random bodies into 100 queues.
func soakFill(r *rig, total int) {
	const size, perPack = 8 << 10, 32
	random := make([]byte, 16<<20)
	rng := rand.NewChaCha8([32]byte{1})
	_, _ = rng.Read(random)
	for q := queue.ID(1); q <= 100; q++ {
		r.declare(q)
	}
	var b queue.PackBuilder
	for sent := 0; sent < total; {
		b.Reset(nil)
		for range perPack {
			b.Enqueue(queue.ID(1+sent/size%100), 0, 0, random[sent%(len(random)-size):][:size])
			sent += size
		}
		_, err := r.try(b.Finish(1, queue.Origin{}))
		require.NoError(r.t, err)
		truncate(r)
	}
}

// soakTraffic enqueues until stop, which tells how long the longest Apply took.
func soakTraffic(r *rig) (stop func() time.Duration) {
	var longest time.Duration
	end, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-end:
				return
			default:
			}
			data := r.pack(func(b *queue.PackBuilder) { b.Enqueue(1, 0, 0, make([]byte, 1000)) })
			e := Entry{Index: r.next, Term: 1, Data: data}
			if err := r.log.Append([]Entry{e}); err != nil {
				panic(err)
			}
			began := time.Now()
			if _, err := r.shard.Apply(e.Index, data); err != nil {
				panic(err)
			}
			longest = max(longest, time.Since(began))
			if r.next++; r.next%64 == 0 {
				if err := r.log.DeleteRange(r.log.First(), r.next-16); err != nil {
					panic(err)
				}
			}
		}
	}()
	return func() time.Duration { close(end); <-done; return longest }
}

func heapInUse() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
