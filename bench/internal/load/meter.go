package load

import (
	"sync/atomic"
	"time"

	"entrepot/bench/internal/hist"
)

// base is the zero of all stamps. Sender and receiver are one process, so one
// monotonic clock serves both.
var base = time.Now()

// Now is the monotonic time of stamps, in nanoseconds.
func Now() int64 { return int64(time.Since(base)) }

// Window says whether the measured part of a run is on: latencies outside of it
// (warming up, running out) are not recorded. The zero value is off.
type Window struct{ open atomic.Bool }

// Set opens or closes the window.
func (w *Window) Set(open bool) { w.open.Store(open) }

// Meter counts one sender's or receiver's messages and their latencies. Observe
// is called by one goroutine only, which owns the histogram until the call that
// got the Meter has returned; Count may be read at any time.
type Meter struct {
	window *Window
	count  atomic.Uint64
	hist   hist.Histogram
	last   int64 // of the window; 0: none yet
	pause  int64 // longest between two of the window
}

// NewMeter makes a meter that records latencies while window is open.
func NewMeter(window *Window) *Meter { return &Meter{window: window} }

// Observe counts one message that was sent at stamp and done at now.
func (m *Meter) Observe(stamp, now int64) {
	m.count.Add(1)
	if !m.window.open.Load() {
		return
	}
	m.hist.Record(time.Duration(now - stamp))
	if m.last != 0 {
		m.pause = max(m.pause, now-m.last)
	}
	m.last = now
}

// Count is the number of messages so far, in and outside the window.
func (m *Meter) Count() uint64 { return m.count.Load() }

// Histogram holds the latencies. REQUIRES: the observing call has returned.
func (m *Meter) Histogram() *hist.Histogram { return &m.hist }

// LongestPause is the longest time between two messages in the window. REQUIRES:
// the observing call has returned.
func (m *Meter) LongestPause() time.Duration { return time.Duration(m.pause) }
