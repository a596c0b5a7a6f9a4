package admin

import (
	"sort"
	"sync/atomic"
)

// Histogram counts observations in buckets, for hot paths: an observation is a
// short search and two atomic additions, without allocation, and a run of n
// equal ones costs the same (ObserveN). client_golang's own histogram does
// several times that work; it is made from this one at the scrape.
type Histogram struct {
	bounds []int64         // upper bounds, inclusive, ascending
	unit   float64         // how many of the observed units are one that is shown
	counts []atomic.Uint64 // one a bound, and one for what is above all
	sum    atomic.Int64
}

// LatencyBounds suit an operation that takes a fraction of a millisecond on a
// good day and seconds on a bad one, in nanoseconds: 50 us to 10 s.
var LatencyBounds = decades(50_000, 10_000_000_000)

// SizeBounds suit a pack: 256 B to 16 MiB.
var SizeBounds = doublings(256, 16<<20)

// CountBounds suit the records in a pack: 1 to 1024.
var CountBounds = doublings(1, 1024)

// NewLatencyHistogram takes nanoseconds and shows seconds.
func NewLatencyHistogram() *Histogram { return NewHistogram(LatencyBounds, 1e9) }

// NewHistogram counts up to each of the bounds, which ascend. Values are
// divided by unit when they are shown.
func NewHistogram(bounds []int64, unit float64) *Histogram {
	return &Histogram{bounds: bounds, unit: unit, counts: make([]atomic.Uint64, len(bounds)+1)}
}

// Observe counts one value. A nil histogram counts nothing.
func (h *Histogram) Observe(value int64) { h.ObserveN(value, 1) }

// ObserveN counts n times the same value.
func (h *Histogram) ObserveN(value int64, n uint64) {
	if h == nil {
		return
	}
	i := sort.Search(len(h.bounds), func(i int) bool { return value <= h.bounds[i] })
	h.counts[i].Add(n)
	h.sum.Add(value * int64(n))
}

// read gives what a Prometheus histogram is made of: the number of
// observations, their sum, and how many were at most each bound. Observations
// that come in meanwhile may be in one and not yet in another.
func (h *Histogram) read() (count uint64, sum float64, buckets map[float64]uint64) {
	buckets = make(map[float64]uint64, len(h.bounds))
	for i := range h.counts {
		count += h.counts[i].Load()
		if i < len(h.bounds) {
			buckets[float64(h.bounds[i])/h.unit] = count
		}
	}
	return count, float64(h.sum.Load()) / h.unit, buckets
}

// decades are the bounds 1, 2 and 5 times each power of ten, from first to last.
func decades(first, last int64) []int64 {
	var bounds []int64
	for power := int64(1); power <= last; power *= 10 {
		for _, step := range [...]int64{1, 2, 5} {
			if b := power * step; b >= first && b <= last {
				bounds = append(bounds, b)
			}
		}
	}
	return bounds
}

// doublings are the bounds from first to last, each twice the one before.
func doublings(first, last int64) []int64 {
	var bounds []int64
	for b := first; b <= last; b *= 2 {
		bounds = append(bounds, b)
	}
	return bounds
}
