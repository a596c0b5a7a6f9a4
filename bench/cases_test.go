package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"entrepot/bench/internal/load"
	"entrepot/bench/internal/report"
)

func TestCasesAreWellFormed(t *testing.T) {
	names := map[string]bool{}
	for _, c := range cases {
		require.False(t, names[c.Name], "%s is there twice", c.Name)
		names[c.Name] = true
		require.NotNil(t, c.Do, c.Name)
		require.NotEmpty(t, c.Title, c.Name)
		require.NotEmpty(t, c.Set, c.Name)
		for _, g := range c.Goals {
			require.True(t, report.Known(g.Metric), "%s has a goal for %s, which no report shows", c.Name, g.Metric)
		}
		if c.Size > 0 {
			require.GreaterOrEqual(t, c.Size, load.StampSize, c.Name)
			require.Positive(t, c.InFlight, c.Name)
		}
		if c.Receivers > 0 || c.Drain {
			require.Positive(t, c.Credit, c.Name)
		}
	}
}

func TestQuickCasesKeepTheirShape(t *testing.T) {
	for _, c := range cases {
		q := c.quickly()
		require.Equal(t, c.Count > 0, q.Count > 0, c.Name)
		require.Equal(t, c.Queues > 0, q.Queues > 0, c.Name)
		require.Equal(t, c.TTLSpread > 0, q.TTLSpread > 0, c.Name)
	}
}

func TestChoose(t *testing.T) {
	names := func(chosen []Case) (names []string) {
		for _, c := range chosen {
			names = append(names, c.Name)
		}
		return names
	}
	chosen, err := choose("go-amqp,flow,flow", false)
	require.NoError(t, err)
	require.Equal(t, []string{"goamqp256", "goamqp-flow", "flow"}, names(chosen))

	one, err := choose("all", false)
	require.NoError(t, err)
	three, err := choose("all", true)
	require.NoError(t, err)
	require.Len(t, append(one, three...), len(cases), "each is for one node or for several")
	_, err = choose("r3-flow", false)
	require.ErrorContains(t, err, "-nodes")

	_, err = choose("flow,sedn256", false)
	require.ErrorContains(t, err, `"sedn256"`)
	require.ErrorContains(t, err, "send256", "the error lists what there is")
}
