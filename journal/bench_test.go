package journal

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
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
	dir, err := os.MkdirTemp(os.Getenv("JOURNAL_BENCH_DIR"), "journal")
	require.NoError(b, err)
	b.Cleanup(func() { os.RemoveAll(dir) })
	o := benchOptions()
	o.Dir = dir
	return o
}

// benchOptions are the defaults, or what the environment says, in MiB.
func benchOptions() Options {
	memTable, _ := strconv.Atoi(os.Getenv("JOURNAL_BENCH_MEMTABLE"))
	window, _ := strconv.Atoi(os.Getenv("JOURNAL_BENCH_WINDOW"))
	return Options{MemTableBytes: uint64(memTable) << 20, WindowBytes: int64(window) << 20}
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
		_, err := r.try(b.Finish(1, queue.Origin{}))
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
	declareMany(r, queues)
	perMessage := func(name string, f func()) {
		start, used := time.Now(), cpu()
		f()
		took := time.Since(start)
		b.ReportMetric(float64((cpu()-used).Nanoseconds())/1e3/float64(n), name+"-cpu-us/msg")
		b.ReportMetric(float64(n)/took.Seconds()/1e3, name+"-k/s")
	}
	perMessage("fill", func() { fill(r, n, size, queues); r.flush() })
	m := r.store.Metrics()
	for name, bytes := range map[string]uint64{
		"wal": m.WALBytes, "flushed": m.FlushedBytes, "ingested": m.IngestedBytes,
		"compacted": m.CompactedBytes, "disk": m.DiskBytes,
	} {
		b.ReportMetric(float64(bytes)/float64(n), name+"-B/msg")
	}
	b.ReportMetric(rss(), "fill-rss-MiB")
	perMessage("load", func() { drain(r, queues, n, false) })
	perMessage("drain", func() { drain(r, queues, n, true); r.flush() })
	<-time.After(time.Second) // files are removed in the background
	b.ReportMetric(float64(r.store.Metrics().DiskBytes)/float64(n), "drained-disk-B/msg")
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
				run := queue.Run{First: page[0].Seq, Count: uint32(len(page))}
				for i := range page {
					run.Bytes += uint64(len(page[i].Payload))
				}
				r.do(func(b *queue.PackBuilder) { b.Remove(q, queue.Settled, []queue.Run{run}) })
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

// BenchmarkRestart is a start after kill -9: one process fills and dies,
// another one opens and says how long that took and what memory it has.
func BenchmarkRestart(b *testing.B) {
	for _, c := range []struct {
		name             string
		messages, queues int
	}{
		{"idle", 0, 1},
		{"1M-messages", 1_000_000, 1},
		{"2M-messages", 2_000_000, 1},
		{"1M-queues", 0, 1_000_000},
	} {
		b.Run(c.name, func(b *testing.B) {
			for range b.N {
				dir := diskOptions(b).Dir
				filled := child(b, "fill", dir, c.messages, c.queues)
				opened := child(b, "open", dir, c.messages, c.queues)
				b.ReportMetric(filled.seconds, "fill-s")
				b.ReportMetric(filled.cpu*1e6/float64(c.messages+c.queues), "fill-cpu-us/row")
				b.ReportMetric(filled.rss, "fill-rss-MiB")
				b.ReportMetric(opened.seconds*1e3, "restart-ms")
				b.ReportMetric(opened.rss, "restart-rss-MiB")
			}
		})
	}
}

// childReport is what a child prints.
type childReport struct{ seconds, cpu, rss float64 }

// child runs this binary again, with TestChild doing the work.
func child(b *testing.B, what, dir string, messages, queues int) (r childReport) {
	b.Helper()
	c := exec.Command(os.Args[0], "-test.run=^TestChild$")
	c.Env = append(os.Environ(), fmt.Sprintf("JOURNAL_CHILD=%s %s %d %d", what, dir, messages, queues))
	out, _ := c.CombinedOutput() // the one that fills is killed
	_, line, ok := strings.Cut(string(out), "REPORT ")
	require.True(b, ok, "%s", out)
	_, err := fmt.Sscanf(line, "%g %g %g", &r.seconds, &r.cpu, &r.rss)
	require.NoError(b, err)
	return r
}

// TestChild is the other process of BenchmarkRestart.
func TestChild(t *testing.T) {
	var what, dir string
	var messages, queues int
	if _, err := fmt.Sscanf(os.Getenv("JOURNAL_CHILD"), "%s %s %d %d", &what, &dir, &messages, &queues); err != nil {
		t.Skip("only BenchmarkRestart runs this")
	}
	start := time.Now()
	o := benchOptions()
	o.Dir = dir
	r := newRig(t, o)
	if what == "fill" {
		declareMany(r, queues)
		fill(r, messages, 1024, queues)
	} else {
		require.EqualValues(t, queues, r.shard.Totals().Queues)
		require.EqualValues(t, messages, r.shard.Totals().Count)
	}
	took := time.Since(start)
	runtime.GC()
	fmt.Printf("REPORT %g %g %g\n", took.Seconds(), cpu().Seconds(), rss())
	require.NoError(t, syscall.Kill(os.Getpid(), syscall.SIGKILL))
}

// declareMany declares queues in packs of 1024.
func declareMany(r *rig, n int) {
	var p queue.PackBuilder
	for q := 1; q <= n; {
		p.Reset(make([]byte, 0, 64<<10))
		for i := 0; i < 1024 && q <= n; i++ {
			p.Declare(queueName(queue.ID(q)), []byte("{}"))
			q++
		}
		_, err := r.try(p.Finish(1, queue.Origin{}))
		require.NoError(r.t, err)
		truncate(r)
	}
}
