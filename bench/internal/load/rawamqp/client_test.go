package rawamqp

import (
	"context"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"entrepot/bench/internal/load"
	"entrepot/protocol/amqp"
	"entrepot/protocol/amqp/wire"
)

func openMeter() *load.Meter {
	window := new(load.Window)
	window.Set(true)
	return load.NewMeter(window)
}

func TestSendCountsWhatIsAccepted(t *testing.T) {
	for name, order := range map[string]load.Sending{
		"a window":           {Size: 100, InFlight: 16, Count: 1000},
		"one at a time":      {Size: 100, InFlight: 1, Count: 10},
		"a steady rate":      {Size: 100, InFlight: 16, Count: 50, Rate: 5000},
		"more than a write":  {Size: 16 << 10, InFlight: 256, Count: 1000},
		"more than a credit": {Size: 8, InFlight: 4096, Count: 5000},
	} {
		t.Run(name, func(t *testing.T) {
			broker := newMemory(t)
			order.Queue, order.Meter = "q", openMeter()
			require.NoError(t, broker.client().Send(t.Context(), order))
			require.EqualValues(t, order.Count, order.Meter.Count())
			require.EqualValues(t, order.Count, order.Meter.Histogram().Count())
			waiting, _ := broker.state()
			require.Equal(t, order.Count, waiting)
		})
	}
}

func TestAnEndedContextIsNoError(t *testing.T) {
	broker := newMemory(t)
	broker.discard = true
	for _, order := range []load.Sending{{InFlight: 16}, {InFlight: 16, Rate: 1000}} {
		ctx, cancel := context.WithCancel(t.Context())
		order.Queue, order.Size, order.Meter = "q", 100, openMeter()
		ended := make(chan error)
		go func() { ended <- broker.client().Send(ctx, order) }()
		require.Eventually(t, func() bool { return order.Meter.Count() > 10 }, 10*time.Second, time.Millisecond)
		cancel()
		require.NoError(t, <-ended)
	}
}

func TestOutcomesOtherThanAcceptedFail(t *testing.T) {
	for _, outcome := range []wire.StateKind{wire.StateRejected, wire.StateReleased, wire.StateModified} {
		broker := newMemory(t)
		broker.outcome = outcome
		err := broker.client().Send(t.Context(), load.Sending{Queue: "q", Size: 8, InFlight: 1, Count: 1, Meter: openMeter()})
		require.ErrorIs(t, err, load.ErrNotAccepted)
	}
}

func TestARefusedLinkFails(t *testing.T) {
	broker := newMemory(t)
	broker.refuse = true
	var refused *amqp.Error
	err := broker.client().Send(t.Context(), load.Sending{Queue: "q", Size: 8, InFlight: 1, Count: 1, Meter: openMeter()})
	require.ErrorAs(t, err, &refused)
	require.Equal(t, wire.CondNotFound, refused.Condition)
	_, err = broker.client().Idle(t.Context(), "q")
	require.ErrorAs(t, err, &refused)
}

func TestReceiveSettlesExactlyItsCount(t *testing.T) {
	broker := newMemory(t)
	message := append([]byte(nil), newTemplate(load.Sending{Size: 8}).head(0, load.Now())...)
	broker.fill(5000, message)
	order := load.Receiving{Queue: "q", Credit: 100, Count: 4321, Meter: openMeter()}
	require.NoError(t, broker.client().Receive(t.Context(), order))
	require.EqualValues(t, 4321, order.Meter.Count())
	waiting, settled := broker.state()
	require.Equal(t, 5000-4321, waiting, "credit is never above what the order still wants")
	require.Equal(t, 4321, settled, "the last disposition arrives before the connection closes")
}

func TestIdle(t *testing.T) {
	conn, err := newMemory(t).client().Idle(t.Context(), "q")
	require.NoError(t, err)
	require.NoError(t, conn.Close())
}

// The end of the context must not hold up the outcomes that are on their way: they
// would count as slow.
func TestLastOutcomesAreReadAtOnce(t *testing.T) {
	broker := newMemory(t)
	broker.delay = 20 * time.Millisecond // so that one is under way when the context ends
	ctx, cancel := context.WithCancel(t.Context())
	order := load.Sending{Queue: "q", Size: 8, InFlight: 1, Meter: openMeter()}
	ended := make(chan error)
	go func() { ended <- broker.client().Send(ctx, order) }()
	require.Eventually(t, func() bool { return order.Meter.Count() > 0 }, 10*time.Second, time.Millisecond)
	cancel()
	require.NoError(t, <-ended)
	require.Less(t, order.Meter.Histogram().Max(), tickEvery/2)
}

// The client shares the process with a broker that does next to nothing: the CPU
// time of both together bounds the client's.
func BenchmarkSend(b *testing.B) {
	broker := newMemory(b)
	broker.discard = true
	reportCPU(b, func() error {
		return broker.client().Send(b.Context(), load.Sending{Queue: "q", Size: 1024, InFlight: 256, Count: b.N, Meter: openMeter()})
	})
}

func BenchmarkReceive(b *testing.B) {
	broker := newMemory(b)
	message := append([]byte(nil), newTemplate(load.Sending{Size: 1024}).head(0, 0)...)
	message = append(message, load.NewFiller(1024, load.RandomBody).Next()...)
	broker.fill(b.N, message)
	b.ResetTimer()
	reportCPU(b, func() error {
		return broker.client().Receive(b.Context(), load.Receiving{Queue: "q", Credit: 1000, Count: b.N, Meter: openMeter()})
	})
}

func reportCPU(b *testing.B, work func() error) {
	b.ReportAllocs()
	before := cpuTime()
	require.NoError(b, work())
	b.ReportMetric(float64(cpuTime()-before)/float64(b.N), "cpu-ns/op")
}

func cpuTime() time.Duration {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage) // can't fail
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
