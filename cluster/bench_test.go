package cluster

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"entrepot/journal"
	"entrepot/queue"
)

// diskLog is a memLog whose every append is one write and one fdatasync of a
// preallocated file: the least that a log on this disk can cost.
type diskLog struct {
	*memLog
	f   *os.File
	off int64
	buf []byte
}

const diskLogBytes = 64 << 20

func newDiskLog(b *testing.B) *diskLog {
	f, err := os.Create(filepath.Join(b.TempDir(), "log"))
	require.NoError(b, err)
	_, err = f.Write(make([]byte, diskLogBytes))
	require.NoError(b, err)
	require.NoError(b, f.Sync())
	b.Cleanup(func() { f.Close() })
	d := &diskLog{memLog: newMemLog(), f: f}
	d.onAppend = d.write
	return d
}

func (d *diskLog) write(entries []journal.Entry) error {
	d.buf = d.buf[:0]
	for _, e := range entries {
		d.buf = append(d.buf, e.Data...)
	}
	if d.off+int64(len(d.buf)) > diskLogBytes {
		d.off = 0
	}
	if _, err := d.f.WriteAt(d.buf, d.off); err != nil {
		return err
	}
	d.off += int64(len(d.buf))
	return syscall.Fdatasync(int(d.f.Fd()))
}

// sender keeps a number of records in flight, as a connection does: it sends a
// burst for every batch of answers, from a goroutine of its own.
type sender struct {
	mu      sync.Mutex
	cond    *sync.Cond
	credit  int
	begun   []time.Time // ring by token
	latency []time.Duration
	sample  bool
}

func newSender(inFlight int) *sender {
	s := &sender{credit: inFlight, begun: make([]time.Time, inFlight), sample: inFlight == 1}
	s.cond = sync.NewCond(&s.mu)
	return s
}

func (s *sender) Done(tokens []uint64, _ []queue.Reply, err error) {
	if err != nil {
		panic(err)
	}
	s.mu.Lock()
	if s.sample {
		s.latency = append(s.latency, time.Since(s.begun[0]))
	}
	s.credit += len(tokens)
	s.cond.Signal()
	s.mu.Unlock()
}

func (s *sender) take(most int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.credit == 0 {
		s.cond.Wait()
	}
	n := min(s.credit, most)
	s.credit -= n
	return n
}

func (s *sender) run(b *Batcher, n int, payload []byte) {
	for n > 0 {
		burst := s.take(n)
		n -= burst
		for range burst {
			if s.sample {
				s.begun[0] = time.Now()
			}
			p := b.Begin(len(payload))
			p.Builder.Enqueue(1, 0, 0, payload)
			p.Wait(s, 1)
			b.EndMore()
		}
		b.Flush()
	}
}

// wait returns when everything is answered.
func (s *sender) wait(inFlight int) {
	for have := 0; have < inFlight; {
		have += s.take(inFlight - have)
	}
}

// countFSM applies nothing.
type countFSM struct{ index uint64 }

func (f *countFSM) AppliedIndex() uint64                     { return f.index }
func (f *countFSM) Apply(i uint64, _ []byte) (Result, error) { f.index = i; return Result{}, nil }

func BenchmarkBatcher(b *testing.B) {
	for _, size := range []int{256, 1024} {
		for _, inFlight := range []int{1, 64, 256, 1024} {
			for _, senders := range []int{1, 8} {
				if inFlight < senders {
					continue
				}
				b.Run(fmt.Sprintf("size=%d/inflight=%d/senders=%d", size, inFlight, senders), func(b *testing.B) {
					l := newDiskLog(b)
					cfg := testConfig(b, &countFSM{})
					benchmark(b, cfg, func(cfg Config) (*Group, error) { return open(cfg, l, memMarks{l.memLog}) }, size, inFlight, senders)
				})
			}
		}
	}
}

func benchmark(b *testing.B, cfg Config, open func(Config) (*Group, error), size, inFlight, senders int) {
	led := make(chan bool, 1)
	cfg.OnLeader = func(leader bool, _ uint64) {
		if leader {
			led <- true
		}
	}
	g, err := open(cfg)
	require.NoError(b, err)
	<-led
	declare(g.Batcher(), &silent{})
	require.NoError(b, g.Barrier(time.Minute))
	all := make([]*sender, senders)
	payload := make([]byte, size)
	var before, after syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &before)
	b.ReportAllocs()
	b.ResetTimer()
	var wg sync.WaitGroup
	for i := range all {
		all[i] = newSender(inFlight / senders)
		wg.Go(func() {
			all[i].run(g.Batcher(), b.N/senders, payload)
			all[i].wait(inFlight / senders)
		})
	}
	wg.Wait()
	b.StopTimer()
	syscall.Getrusage(syscall.RUSAGE_SELF, &after)
	t := g.Stats().Totals
	b.ReportMetric(float64(t.Records)/b.Elapsed().Seconds(), "msg/s")
	b.ReportMetric(float64(t.Records)/float64(t.Packs), "msg/pack")
	b.ReportMetric(float64(cpu(after)-cpu(before))/float64(time.Microsecond)/float64(b.N), "cpu-us/msg")
	if lat := all[0].latency; len(lat) > 0 {
		slices.Sort(lat)
		b.ReportMetric(float64(lat[len(lat)/2].Microseconds()), "p50-us")
		b.ReportMetric(float64(lat[len(lat)*99/100].Microseconds()), "p99-us")
	}
	require.NoError(b, g.Stop(context.Background()))
}

func cpu(r syscall.Rusage) time.Duration {
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// BenchmarkBareAppend is what BenchmarkBatcher with one in flight is held against.
func BenchmarkBareAppend(b *testing.B) {
	l := newDiskLog(b)
	bareAppend(b, l)
}

func bareAppend(b *testing.B, l entryLog) {
	data := make([]byte, 1024)
	lat := make([]time.Duration, 0, b.N)
	last := l.Last()
	for i := range b.N {
		start := time.Now()
		require.NoError(b, l.Append([]journal.Entry{{Index: last + uint64(i) + 1, Term: 1, Data: data}}))
		lat = append(lat, time.Since(start))
	}
	slices.Sort(lat)
	b.ReportMetric(float64(lat[len(lat)/2].Microseconds()), "p50-us")
	b.ReportMetric(float64(lat[len(lat)*99/100].Microseconds()), "p99-us")
}
