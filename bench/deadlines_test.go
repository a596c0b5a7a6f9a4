package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The naive count over all deadlines is what left must agree with.
func TestLeftAgreesWithTheDeadlines(t *testing.T) {
	begin := time.UnixMilli(1_700_000_000_000)
	const perMilli, millis = 5, 2000
	d := newDeadlines(begin, millis*time.Millisecond, perMilli*millis)
	for _, after := range []time.Duration{-time.Second, 0, time.Millisecond, 777 * time.Millisecond, d.end().Sub(begin), time.Minute} {
		at := begin.Add(after)
		naive := uint64(0)
		for i := range d.count {
			if d.of(i).After(at) {
				naive++
			}
		}
		require.Equal(t, naive, d.left(at), "%v after the first deadline", after)
	}
}

func TestLastTimeOf(t *testing.T) {
	begin := time.UnixMilli(1_700_000_000_000)
	d := newDeadlines(begin, time.Second, 10_000)
	require.Equal(t, begin, d.lastTimeOf(10_000))
	require.Equal(t, begin.Add(500*time.Millisecond), d.lastTimeOf(5_000))
	require.Equal(t, begin, d.lastTimeOf(20_000), "more than there are: others are in the queues")
	require.True(t, d.lastTimeOf(0).After(d.end()), "an empty queue is never late")
}

func TestDeadlinesOfNeighboursAreFarApart(t *testing.T) {
	d := newDeadlines(time.UnixMilli(0), 2*time.Minute, 10_000_000)
	near := 0
	for i := range 1000 {
		if gap := d.of(i + 1).Sub(d.of(i)).Abs(); gap < time.Second {
			near++
		}
	}
	require.Less(t, near, 100, "else a whole run of a queue expires together")
}
