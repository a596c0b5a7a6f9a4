package main

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
)

// A stretch of calm weather may be announced twice, after an episode and again before the
// end: a change of leaders between the two is one in calm weather.
func TestCalmLeaders(t *testing.T) {
	term := uint64(7)
	var failing error
	c := calmLeaders{ask: func(context.Context) (map[uint16]uint64, error) {
		return map[uint16]uint64{0: 3, 1: term}, failing
	}}
	require.False(t, c.end(t.Context()), "it was not calm")
	require.NoError(t, c.begin(t.Context()))
	require.False(t, c.end(t.Context()))

	require.NoError(t, c.begin(t.Context()))
	term++
	require.NoError(t, c.begin(t.Context()))
	require.True(t, c.end(t.Context()))
	require.False(t, c.end(t.Context()), "that has been told")

	require.NoError(t, c.begin(t.Context()))
	failing = context.DeadlineExceeded
	require.True(t, c.end(t.Context()), "who knows")
	require.Error(t, c.begin(t.Context()))
}
