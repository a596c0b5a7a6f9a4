package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestPausesAreToldByQueueAndByFault(t *testing.T) {
	p := newPauses()
	at := func(seconds float64) time.Time { return p.start.Add(time.Duration(seconds * float64(time.Second))) }
	accepted, other := p.seen(watched, "accepted"), p.seen("other", "delivered")
	accepted(at(1))
	accepted(at(2))
	p.fault("kill", "kill -9 of n1")
	accepted(at(7))
	other(at(7))
	p.fault("calm", "nothing")
	accepted(at(8))
	other(at(20))
	accepted(at(7.5)) // a client that was slow to tell: no time goes backwards
	accepted(at(9))

	require.Equal(t, []Pause{
		{"other", "delivered", 13, 20, "nothing"},
		{watched, "accepted", 5, 7, "kill -9 of n1"},
	}, p.worst())
	require.Equal(t, 5.0, p.faults()["kill"].Seconds)
	require.Equal(t, 1.0, p.faults()["calm"].Seconds, "only the watched queue tells of faults")
	require.True(t, p.since(watched, "accepted", at(8.5)))
	require.False(t, p.since(watched, "delivered", at(0)))
}
