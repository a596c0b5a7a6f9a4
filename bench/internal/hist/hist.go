// Package hist is a log-linear histogram of durations: fixed size, no
// allocation per value, and a known relative error.
package hist

import (
	"math/bits"
	"time"
)

// A value v (nanoseconds) falls into the bucket that its highest subBits+1 bits
// name, so a bucket is at most 1/64 of its value wide:
//
//	v < 64           bucket v                     exact
//	64 <= v < 2^40   bucket e*64 + (v >> e)       e = bit length of v - 7
//	2^40 <= v        the last bucket              18 minutes and more
const (
	subBits  = 6
	maxBits  = 40
	nBuckets = (maxBits - subBits + 1) << subBits
)

// Histogram counts durations. The zero value is empty and ready. It is owned by
// one goroutine at a time: whoever wants to share one guards it, or gives every
// goroutine its own and merges them.
type Histogram struct {
	counts [nBuckets]uint64
	total  uint64
	max    time.Duration
}

// Record counts d once; a negative d counts as zero.
func (h *Histogram) Record(d time.Duration) {
	d = max(d, 0)
	h.counts[bucketOf(uint64(d))]++
	h.total++
	h.max = max(h.max, d)
}

// Merge adds what other has counted.
func (h *Histogram) Merge(other *Histogram) {
	for i, n := range &other.counts {
		h.counts[i] += n
	}
	h.total += other.total
	h.max = max(h.max, other.max)
}

// Count is the number of recorded durations.
func (h *Histogram) Count() uint64 { return h.total }

// Max is the longest recorded duration, exactly.
func (h *Histogram) Max() time.Duration { return h.max }

// Quantile is the smallest bucket bound that at least the share q (0..1) of all
// recorded durations does not exceed: it may overstate by 1/64, never understate.
// An empty histogram gives zero.
func (h *Histogram) Quantile(q float64) time.Duration {
	if h.total == 0 {
		return 0
	}
	need := max(uint64(q*float64(h.total)+0.5), 1)
	var seen uint64
	for i, n := range &h.counts {
		seen += n
		if seen >= need {
			return min(upperBound(i), h.max)
		}
	}
	return h.max
}

func bucketOf(v uint64) int {
	if v < 1<<subBits {
		return int(v)
	}
	if v >= 1<<maxBits {
		return nBuckets - 1
	}
	e := bits.Len64(v) - 1 - subBits
	return e<<subBits + int(v>>e)
}

// upperBound is the largest duration that falls into bucket i.
func upperBound(i int) time.Duration {
	if i < 1<<subBits {
		return time.Duration(i)
	}
	e := i>>subBits - 1
	mantissa := uint64(i - e<<subBits)
	return time.Duration((mantissa+1)<<e - 1)
}
