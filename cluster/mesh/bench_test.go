package mesh

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// tcpPair gives two nodes connected over loopback; a's and b's handlers may be set
// by prepare.
func tcpPair(t testing.TB, configs map[string]*tls.Config, prepare func(a, b *Mesh)) (a, b *Mesh) {
	made := map[string]*Mesh{}
	up := make(chan struct{}, 2)
	address := map[string]string{}
	for i, id := range []string{"a", "b"} {
		l := loopback(t)
		address[id] = l.Addr().String()
		m, err := New(Config{Node: id, Incarnation: uint64(i + 1), Listener: l, TLS: configs[id], Urgent: []Channel{chUrgent}})
		require.NoError(t, err)
		t.Cleanup(m.Close)
		m.Watch(func(_ Peer, is bool) {
			if is {
				up <- struct{}{}
			}
		})
		made[id] = m
	}
	a, b = made["a"], made["b"]
	prepare(a, b)
	a.SetAddress("b", address["b"])
	b.Start()
	a.Start()
	<-up
	<-up
	return a, b
}

// BenchmarkMessages is one sender at full speed; what is on its way is bounded as
// credit would bound it.
func BenchmarkMessages(b *testing.B) {
	for _, secure := range []bool{false, true} {
		for _, size := range []int{100, 1 << 10, 16 << 10, 256 << 10} {
			b.Run(fmt.Sprintf("tls=%v/%d", secure, size), func(b *testing.B) {
				var configs map[string]*tls.Config
				if secure {
					configs = certificates(b, "a", "b")
				}
				var got atomic.Int64
				wake := make(chan struct{}, 1)
				from, _ := tcpPair(b, configs, func(_, to *Mesh) {
					to.Handle(chNormal, func(_ Peer, data []byte) {
						if got.Add(1)%16 == 0 {
							select {
							case wake <- struct{}{}:
							default:
							}
						}
					})
				})
				body := make([]byte, size)
				most := int64(max(64, 4<<20/size))
				b.SetBytes(int64(size))
				b.ReportAllocs()
				b.ResetTimer()
				for i := range b.N {
					for int64(i)-got.Load() >= most {
						<-wake
					}
					if err := from.SendOwned("b", chNormal, body); err != nil {
						b.Fatal(err)
					}
				}
				for got.Load() < int64(b.N) {
					runtime.Gosched()
				}
			})
		}
	}
}

// BenchmarkRoundTrip is one message there and one back, on an idle line.
func BenchmarkRoundTrip(b *testing.B) {
	for _, secure := range []bool{false, true} {
		for _, size := range []int{100, 1 << 10, 256 << 10} {
			b.Run(fmt.Sprintf("tls=%v/%d", secure, size), func(b *testing.B) {
				var configs map[string]*tls.Config
				if secure {
					configs = certificates(b, "a", "b")
				}
				back := make(chan struct{}, 1)
				small := make([]byte, 100)
				from, _ := tcpPair(b, configs, func(from, to *Mesh) {
					to.Handle(chNormal, func(p Peer, data []byte) { _ = to.SendOwned("a", chUrgent, small) })
					from.Handle(chUrgent, func(Peer, []byte) { back <- struct{}{} })
				})
				body := make([]byte, size)
				b.ReportAllocs()
				b.ResetTimer()
				for range b.N {
					if err := from.SendOwned("b", chNormal, body); err != nil {
						b.Fatal(err)
					}
					<-back
				}
			})
		}
	}
}

// BenchmarkStream is bulk, alone on the line.
func BenchmarkStream(b *testing.B) {
	from, _ := tcpPair(b, nil, func(_, to *Mesh) {
		to.HandleStream("bulk", func(_ context.Context, _ Peer, _ []byte, _ int64, r io.Reader) ([]byte, error) {
			_, err := io.Copy(io.Discard, r)
			return nil, err
		})
	})
	b.SetBytes(1 << 20)
	b.ReportAllocs()
	size := int64(b.N) << 20
	_, err := from.Stream(b.Context(), "b", "bulk", nil, size, io.LimitReader(zeros{}, size))
	require.NoError(b, err)
}

// zeros gives bytes without end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// BenchmarkBusySender is how long a small message takes when its sender goes on
// working, as it does in Raft: the reason for direct writes.
func BenchmarkBusySender(b *testing.B) {
	for name, configs := range map[string]map[string]*tls.Config{"plain": nil, "tls": certificates(b, "a", "b")} {
		b.Run(name, func(b *testing.B) {
			came := make(chan time.Time, 1)
			from, _ := tcpPair(b, configs, func(_, to *Mesh) {
				to.Handle(chNormal, func(Peer, []byte) { came <- time.Now() })
			})
			body := make([]byte, 1000)
			var took []time.Duration
			for b.Loop() {
				began := time.Now()
				if err := from.SendOwned("b", chNormal, body); err != nil {
					b.Fatal(err)
				}
				for time.Since(began) < 100*time.Microsecond {
				}
				took = append(took, (<-came).Sub(began))
			}
			report(b, took)
		})
	}
}

// BenchmarkUrgentUnderStreams is a heartbeat's round trip while three streams take
// all that the machine gives.
func BenchmarkUrgentUnderStreams(b *testing.B) {
	back := make(chan struct{}, 1)
	from, _ := tcpPair(b, nil, func(from, to *Mesh) {
		to.Handle(chUrgent, func(_ Peer, data []byte) { _ = to.SendOwned("a", chUrgent, data) })
		from.Handle(chUrgent, func(Peer, []byte) { back <- struct{}{} })
		to.HandleStream("bulk", func(_ context.Context, _ Peer, _ []byte, _ int64, r io.Reader) ([]byte, error) {
			_, err := io.Copy(io.Discard, r)
			return nil, err
		})
	})
	ctx, cancel := context.WithCancel(b.Context())
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() { _, _ = from.Stream(ctx, "b", "bulk", nil, -1, zeros{}) })
	}
	var took []time.Duration
	for b.Loop() {
		began := time.Now()
		if err := from.SendOwned("b", chUrgent, make([]byte, 50)); err != nil {
			b.Fatal(err)
		}
		<-back
		took = append(took, time.Since(began))
	}
	cancel()
	all.Wait()
	report(b, took)
}

func report(b *testing.B, took []time.Duration) {
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Nanoseconds())/1e3, "us-p50")
	b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds())/1e3, "us-p99")
}
