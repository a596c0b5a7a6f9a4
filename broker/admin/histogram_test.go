package admin

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBucketsCountUpToTheirBound(t *testing.T) {
	h := NewHistogram([]int64{10, 20}, 1)
	for _, v := range []int64{0, 10, 11, 20, 21} {
		h.Observe(v)
	}
	h.ObserveN(15, 3)
	count, sum, buckets := h.read()
	require.EqualValues(t, 8, count)
	require.EqualValues(t, 62+45, sum)
	require.Equal(t, map[float64]uint64{10: 2, 20: 7}, buckets)
}

func TestBounds(t *testing.T) {
	require.Equal(t, []int64{50, 100, 200, 500, 1000}, decades(50, 1000))
	require.Equal(t, []int64{1, 2, 4, 8}, doublings(1, 8))
	require.EqualValues(t, 50_000, LatencyBounds[0])
	require.EqualValues(t, 10_000_000_000, LatencyBounds[len(LatencyBounds)-1])
}

func TestObservationsFromManyGoroutines(t *testing.T) {
	h := NewLatencyHistogram()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range int64(1000) {
				h.Observe(i)
			}
		})
	}
	wg.Wait()
	count, _, _ := h.read()
	require.EqualValues(t, 8000, count)
}

func TestAnObservationAllocatesNothing(t *testing.T) {
	h := NewLatencyHistogram()
	require.Zero(t, testing.AllocsPerRun(100, func() { h.Observe(123_456) }))
	var none *Histogram
	none.Observe(1) // what is not measured costs a comparison
}

func BenchmarkObserve(b *testing.B) {
	h := NewLatencyHistogram()
	for i := 0; b.Loop(); i++ {
		h.Observe(int64(i) << 8)
	}
}
