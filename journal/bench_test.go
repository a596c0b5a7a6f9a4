package journal

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"entrepot/queue"
)

// The figures in the comments of this package come from these, on 2 cores and
// a virtual disk:
//
//	CGO_ENABLED=0 go test ./journal -run '^$' -bench . -benchtime 1x

// diskOptions puts a store on the real disk.
func diskOptions(b *testing.B) Options {
	memTable, _ := strconv.Atoi(os.Getenv("JOURNAL_BENCH_MEMTABLE"))
	dir, err := os.MkdirTemp(os.Getenv("JOURNAL_BENCH_DIR"), "journal")
	require.NoError(b, err)
	b.Cleanup(func() { os.RemoveAll(dir) })
	window, _ := strconv.Atoi(os.Getenv("JOURNAL_BENCH_WINDOW"))
	return Options{Dir: dir, MemTableBytes: uint64(memTable) << 20, WindowBytes: int64(window) << 20}
}

// cpu is the processor time of this process.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// rss is the resident memory, in MiB.
func rss() float64 {
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		if f := strings.Fields(line); f[0] == "VmRSS:" {
			kib, _ := strconv.Atoi(f[1])
			return float64(kib) / 1024
		}
	}
	return 0
}

// randomPayload is bytes that no codec makes smaller.
func randomPayload(n int) []byte {
	rng := rand.New(rand.NewPCG(1, 2))
	p := make([]byte, n)
	for i := 0; i+8 <= n; i += 8 {
		binary.LittleEndian.PutUint64(p[i:], rng.Uint64())
	}
	return p
}

// fill enqueues n messages of size bytes in packs of 256 KiB, spread over
// queues in turn, and truncates the log as Raft does.
func fill(r *rig, n, size, queues int) {
	src := randomPayload(8<<20 + size)
	perPack := (256 << 10) / (size + queue.EnqueueOverhead)
	var b queue.PackBuilder
	for done := 0; done < n; {
		b.Reset(make([]byte, 0, 256<<10))
		for i := 0; i < perPack && done < n; i++ {
			b.Enqueue(queue.ID(1+done%queues), 0, 0, src[done*size%(8<<20):][:size])
			done++
		}
		_, err := r.try(b.Finish(1))
		require.NoError(r.t, err)
		truncate(r)
	}
}

// truncate deletes old entries as Raft does after a snapshot.
func truncate(r *rig) {
	const every, trailing = 32, 16
	if r.next%every == 0 {
		require.NoError(r.t, r.log.DeleteRange(r.log.First(), r.next-trailing))
	}
}

func BenchmarkFillAndDrain(b *testing.B) {
	for _, c := range []struct {
		name            string
		n, size, queues int
	}{
		{"1KiB/1queue", 500_000, 1024, 1},
		{"1KiB/100queues", 500_000, 1024, 100},
		{"1KiB/10000queues", 500_000, 1024, 10000},
		{"256B/1queue", 1_000_000, 256, 1},
	} {
		b.Run(c.name, func(b *testing.B) {
			for range b.N {
				benchFillAndDrain(b, c.n, c.size, c.queues)
			}
		})
	}
}

func benchFillAndDrain(b *testing.B, n, size, queues int) {
	r := newRig(b, diskOptions(b))
	for q := 1; q <= queues; q++ {
		r.declare(queue.ID(q))
	}
	perMessage := func(name string, f func()) {
		start, used := time.Now(), cpu()
		f()
		took := time.Since(start)
		b.ReportMetric(float64((cpu()-used).Nanoseconds())/1e3/float64(n), name+"-cpu-us/msg")
		b.ReportMetric(float64(n)/took.Seconds()/1e3, name+"-k/s")
	}
	perMessage("fill", func() { fill(r, n, size, queues); r.flush() })
	m := r.store.db.Metrics()
	b.ReportMetric(float64(m.WAL.BytesWritten)/float64(n), "wal-B/msg")
	var flushed, ingested, compacted uint64
	for _, l := range m.Levels {
		flushed += l.TableBytesFlushed
		ingested += l.TableBytesIngested
		compacted += l.TableBytesCompacted
	}
	b.ReportMetric(float64(flushed)/float64(n), "flushed-B/msg")
	b.ReportMetric(float64(ingested)/float64(n), "ingested-B/msg")
	b.ReportMetric(float64(compacted)/float64(n), "compacted-B/msg")
	b.ReportMetric(float64(m.DiskSpaceUsage())/float64(n), "disk-B/msg")
	b.ReportMetric(float64(m.WAL.PhysicalSize+m.WAL.ObsoletePhysicalSize)/float64(n), "disk-wal-B/msg")
	b.ReportMetric(rss(), "fill-rss-MiB")
	perMessage("load", func() { drain(r, queues, n, false) })
	perMessage("drain", func() { drain(r, queues, n, true); r.flush() })
	time.Sleep(time.Second) // files are removed in the background
	m = r.store.db.Metrics()
	b.ReportMetric(float64(m.DiskSpaceUsage()-m.WAL.PhysicalSize-m.WAL.ObsoletePhysicalSize)/float64(n), "drained-tables-B/msg")
	r.close()
}

// drain loads all messages, and settles them if asked.
func drain(r *rig, queues, n int, settle bool) {
	var page []queue.Message
	got := 0
	for q := queue.ID(1); q <= queue.ID(queues); q++ {
		for from := queue.Seq(0); ; {
			l, err := r.shard.Load(q, from, 1024, 1<<20, page[:0])
			require.NoError(r.t, err)
			page = l.Messages
			if len(page) == 0 {
				break
			}
			got += len(page)
			from = l.Next
			if settle {
				r.remove(q, page[0].Seq, uint32(page[len(page)-1].Seq-page[0].Seq+1))
			}
		}
	}
	require.Equal(r.t, n, got)
}

func BenchmarkAppendOne(b *testing.B) {
	r := newRig(b, diskOptions(b))
	r.declare(1)
	payload := randomPayload(1024)
	took := make([]time.Duration, 0, b.N)
	for b.Loop() {
		data := r.pack(func(p *queue.PackBuilder) { p.Enqueue(1, 0, 0, payload) })
		start := time.Now()
		require.NoError(b, r.log.Append([]Entry{{Index: r.next, Data: data}}))
		took = append(took, time.Since(start))
		r.next++
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-us")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-us")
	r.close()
}

func BenchmarkRestart(b *testing.B) {
	for _, n := range []int{1_000_000, 2_000_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			for range b.N {
				r := newRig(b, diskOptions(b))
				r.declare(1)
				fill(r, n, 1024, 1)
				b.ReportMetric(rss(), "fill-rss-MiB")
				r.abandon()
				runtime.GC()
				start := time.Now()
				r.open()
				b.ReportMetric(float64(time.Since(start).Milliseconds()), "restart-ms")
				b.ReportMetric(rss(), "restart-rss-MiB")
				r.close()
			}
		})
	}
}

func BenchmarkManyQueues(b *testing.B) {
	const n = 1_000_000
	for range b.N {
		r := newRig(b, diskOptions(b))
		start, used := time.Now(), cpu()
		var p queue.PackBuilder
		for q := 1; q <= n; {
			p.Reset(make([]byte, 0, 64<<10))
			for i := 0; i < 1024 && q <= n; i++ {
				p.Declare(queue.ID(q), queueName(queue.ID(q)), []byte("{}"))
				q++
			}
			_, err := r.try(p.Finish(1))
			require.NoError(b, err)
			truncate(r)
		}
		require.NoError(b, r.shard.Flush(context.Background()))
		b.ReportMetric(time.Since(start).Seconds(), "declare-s")
		b.ReportMetric(float64((cpu()-used).Nanoseconds())/1e3/n, "declare-cpu-us")
		b.ReportMetric(rss(), "declare-rss-MiB")
		r.abandon()
		runtime.GC()
		start = time.Now()
		r.open()
		b.ReportMetric(float64(time.Since(start).Milliseconds()), "restart-ms")
		runtime.GC()
		b.ReportMetric(rss(), "restart-rss-MiB")
		r.close()
	}
}

// abandon leaves the store as kill -9 would: nothing is flushed, the lock is
// free. Its memory stays, as little as can be.
func (r *rig) abandon() {
	copyOf := r.opts.Dir + ".killed"
	require.NoError(r.t, os.CopyFS(copyOf, os.DirFS(r.opts.Dir)))
	r.close()
	require.NoError(r.t, os.RemoveAll(r.opts.Dir))
	require.NoError(r.t, os.Rename(copyOf, r.opts.Dir))
}
