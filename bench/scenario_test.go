package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"entrepot/bench/internal/load"
	"entrepot/bench/internal/peer"
	"entrepot/bench/internal/report"
)

// fake is a broker in this process: queues are channels of stamps. It shows that
// the scenarios measure what they say.
type fake struct {
	mu     sync.Mutex
	queues map[string]chan int64
	loses  bool // drops every second message
	dir    string
}

func newFake(t *testing.T) *fake { return &fake{dir: t.TempDir(), queues: map[string]chan int64{}} }

func (f *fake) queue(name string) chan int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.queues[name] == nil {
		f.queues[name] = make(chan int64, 1<<20)
	}
	return f.queues[name]
}

func (f *fake) Name() string                                    { return "fake" }
func (f *fake) Install(context.Context) (string, error)         { return "v0", nil }
func (f *fake) Start(context.Context) error                     { return nil }
func (f *fake) Launch(context.Context) error                    { return nil }
func (f *fake) Kill()                                           {}
func (f *fake) Stop() error                                     { return nil }
func (f *fake) Wipe() error                                     { return nil }
func (f *fake) PIDs() []int                                     { return []int{os.Getpid()} }
func (f *fake) DataDir() string                                 { return f.dir }
func (f *fake) LogFiles() []string                              { return []string{filepath.Join(f.dir, "log")} }
func (f *fake) NeedsDeclare() bool                              { return false }
func (f *fake) Declare(context.Context, []string) error         { return nil }
func (f *fake) Idle(context.Context, string) (io.Closer, error) { return io.NopCloser(nil), nil }

func (f *fake) Client(kind peer.ClientKind) (load.Client, error) {
	if kind != peer.Fastest {
		return nil, load.ErrUnsupported
	}
	return f, nil
}

func (f *fake) Send(ctx context.Context, order load.Sending) error {
	queue := f.queue(order.Queue)
	order.Rate = max(order.Rate, 10_000) // "full speed", without filling a memory
	return order.Drive(ctx, func(i int, stamp int64) error {
		if !f.loses || i%2 == 0 {
			queue <- stamp
		}
		order.Meter.Observe(stamp, stamp+int64(time.Millisecond))
		return nil
	})
}

func (f *fake) Receive(ctx context.Context, order load.Receiving) error {
	queue := f.queue(order.Queue)
	for n := 0; order.Count == 0 || n < order.Count; n++ {
		select {
		case stamp := <-queue:
			order.Meter.Observe(stamp, stamp+int64(2*time.Millisecond))
		case <-ctx.Done():
			return nil
		}
	}
	return nil
}

func fakeRun(f *fake, c Case) *run {
	return &run{
		c: c, broker: f, warmup: 10 * time.Millisecond, window: 200 * time.Millisecond,
		result: report.Run{Metrics: map[report.Metric]float64{}},
	}
}

func TestTrafficIsCountedInTheWindow(t *testing.T) {
	r := fakeRun(newFake(t), Case{Do: traffic, Senders: 2, Receivers: 2, Queues: 2, InFlight: 1, Credit: 1, Size: 16, Rate: 10_000})
	r.do(t.Context(), t.TempDir())
	require.Empty(t, r.result.Error)
	m := r.result.Metrics
	require.InEpsilon(t, 20_000, m[report.Rate], 0.3, "two senders, whatever the warm-up took")
	require.InEpsilon(t, 1, m[report.AcceptP50], 0.02)
	require.InEpsilon(t, 2, m[report.EndToEndP99], 0.02)
	require.Positive(t, m[report.RSS])
	require.Positive(t, r.result.FsyncMillis)
}

func TestAFailedSenderEndsTheRunAtOnce(t *testing.T) {
	f := newFake(t)
	r := fakeRun(f, Case{Do: traffic, Senders: 1, Receivers: 1, Queues: 1, Rate: 10_000})
	r.window = time.Hour
	broken := errors.New("broken")
	r.c.Do = func(ctx context.Context, r *run) error {
		r.client = failing{f, broken}
		return r.measureTraffic(ctx, []string{"q"})
	}
	r.c.Name, r.out = "case", t.TempDir()
	require.NoError(t, os.WriteFile(f.LogFiles()[0], []byte("panic"), 0o600))
	r.do(t.Context(), t.TempDir())
	require.Equal(t, "broken", r.result.Error)
	require.FileExists(t, filepath.Join(r.out, "case-fake-1.log"), "what the broker said is kept")
}

type failing struct {
	*fake
	err error
}

func (f failing) Send(context.Context, load.Sending) error { return f.err }

func TestBacklogIsFilledCrashedAndDrained(t *testing.T) {
	r := fakeRun(newFake(t), Case{InFlight: 1, Credit: 1, Size: 16, Count: 500, Live: true, Crash: true, Drain: true})
	require.NoError(t, r.broker.Start(t.Context()))
	r.client, _ = r.broker.Client(peer.Fastest)
	require.NoError(t, r.live(t.Context(), "live"))
	require.NoError(t, r.fill(t.Context(), "full"))
	require.NoError(t, r.crash(t.Context(), "live"))
	require.NoError(t, r.drain(t.Context(), "full"))
	for _, m := range []report.Metric{report.FillRate, report.DrainRate, report.RestartTime, report.DrainToLive} {
		require.Contains(t, r.result.Metrics, m)
	}
}

func TestALostMessageFailsTheDrain(t *testing.T) {
	f := newFake(t)
	f.loses = true
	r := fakeRun(f, Case{InFlight: 1, Credit: 1, Size: 16, Count: 10, Drain: true})
	r.client = f
	require.NoError(t, r.fill(t.Context(), "full"))
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	require.ErrorContains(t, r.drain(ctx, "full"), "5 of 10 messages came")
}

func TestBrokersWithoutTheClientAreLeftOut(t *testing.T) {
	b := newBench(options{rounds: 1, dir: t.TempDir(), out: t.TempDir()}, []Case{{Name: "x", Do: traffic, Client: peer.GoAMQP}})
	require.NoError(t, b.install(t.Context(), []peer.Broker{newFake(t)}))
	require.NoError(t, b.rounds(t.Context()))
	require.Empty(t, b.report.Runs)
}
