package main

import "time"

// deadlines are those of count messages: spread evenly over a while from begin on,
// and in no order, so that those that expire together are anywhere in the queues.
// In steps of a millisecond, as AMQP has them.
type deadlines struct {
	begin  time.Time // a whole millisecond
	millis int       // the spread
	count  int
}

func newDeadlines(begin time.Time, spread time.Duration, count int) *deadlines {
	return &deadlines{begin: begin.Truncate(time.Millisecond), millis: int(spread.Milliseconds()), count: count}
}

// shuffle is a prime that no spread is a multiple of: i*shuffle modulo the spread
// takes every value equally often.
const shuffle = 1_000_003

// of is message i's deadline.
func (d *deadlines) of(i int) time.Time {
	return d.begin.Add(time.Duration(i*shuffle%d.millis) * time.Millisecond)
}

// end is when the last one is over.
func (d *deadlines) end() time.Time { return d.begin.Add(time.Duration(d.millis) * time.Millisecond) }

// left is how many messages have not reached their deadline at t: at least so many
// (to within one per millisecond of the spread, where count is no multiple of it).
func (d *deadlines) left(t time.Time) uint64 {
	passed := t.Sub(d.begin).Milliseconds() + 1 // the deadline of this very millisecond has come
	passed = min(max(passed, 0), int64(d.millis))
	return uint64((int64(d.millis) - passed) * int64(d.count/d.millis))
}

// lastTimeOf is the latest time at which n messages may be left: later, more
// deadlines have passed.
func (d *deadlines) lastTimeOf(n uint64) time.Time {
	if n == 0 {
		return d.end().Add(time.Hour) // none left is never late
	}
	perMilli := float64(d.count) / float64(d.millis)
	gone := float64(d.count) - min(float64(n), float64(d.count))
	return d.begin.Add(time.Duration(gone / perMilli * float64(time.Millisecond)))
}
