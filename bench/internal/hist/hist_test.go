package hist

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// A bucket's bound belongs to that bucket and the next value to the next one:
// else a quantile could understate.
func TestBucketsTouch(t *testing.T) {
	for i := range nBuckets - 1 {
		bound := uint64(upperBound(i))
		require.Equal(t, i, bucketOf(bound), "the bound of bucket %d", i)
		require.Equal(t, i+1, bucketOf(bound+1), "the first value after bucket %d", i)
	}
	require.Equal(t, nBuckets-1, bucketOf(math.MaxInt64), "what is too long counts in the last bucket")
}

func TestQuantileOverstatesByLessThanTwoPercent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := time.Duration(rapid.Int64Range(0, int64(10*time.Minute)).Draw(t, "nanoseconds"))
		var h Histogram
		h.Record(d)
		h.Record(time.Hour)
		got := h.Quantile(0.5)
		require.GreaterOrEqual(t, got, d)
		require.LessOrEqual(t, float64(got), float64(d)*1.0157+1)
	})
}

func TestQuantilesOfAThousand(t *testing.T) {
	var low, high Histogram
	for i := 1; i <= 500; i++ {
		low.Record(time.Duration(i) * time.Millisecond)
		high.Record(time.Duration(500+i) * time.Millisecond)
	}
	low.Merge(&high)
	require.EqualValues(t, 1000, low.Count())
	require.Equal(t, time.Second, low.Max())
	require.InEpsilon(t, 500*time.Millisecond, low.Quantile(0.5), 0.016)
	require.InEpsilon(t, 990*time.Millisecond, low.Quantile(0.99), 0.016)
	require.Equal(t, time.Second, low.Quantile(1))
}

func TestEmpty(t *testing.T) {
	var h Histogram
	require.Zero(t, h.Quantile(0.5))
	h.Record(-time.Second)
	require.Zero(t, h.Quantile(1), "a clock that steps back does not make a negative latency")
}
