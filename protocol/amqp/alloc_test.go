package amqp

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A connection in full flow allocates nothing, at either end, in either direction:
// transfers, dispositions and flows, of one frame or of several.
func TestSteadyStateAllocatesNothing(t *testing.T) {
	for name, size := range map[string]int{"one frame": 1 << 10, "five frames": 300 << 10} {
		t.Run(name, func(t *testing.T) {
			f := newFlood(t, Config{}, Config{})
			o := &Outgoing{Head: make([]byte, 20), Body: make([]byte, size)}
			round := func() { f.round(64, o) }
			for range 200 {
				round() // all buffers grow to their size
			}
			require.Zero(t, testing.AllocsPerRun(200, round))
			require.Equal(t, f.received, f.outcomes, "each delivery has its outcome")
		})
	}
}

// BenchmarkPair is both ends of a link together: per message one delivery, one
// outcome and their share of the flows, 64 messages a turn.
func BenchmarkPair(b *testing.B) {
	for _, bench := range []struct {
		name string
		size int
	}{{"256B", 256}, {"1KiB", 1 << 10}, {"16KiB", 16 << 10}, {"300KiB", 300 << 10}} {
		b.Run(bench.name, func(b *testing.B) {
			f := newFlood(b, Config{}, Config{})
			o := &Outgoing{Head: make([]byte, 20), Body: make([]byte, bench.size)}
			b.SetBytes(int64(bench.size))
			b.ReportAllocs()
			for n := 0; n < b.N; n += 64 {
				f.round(min(64, b.N-n), o)
			}
		})
	}
}
