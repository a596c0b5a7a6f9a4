package broker

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"entrepot/broker/config"
)

func TestSeriesOfSingleQueues(t *testing.T) {
	cfg := testConfig(t.TempDir())
	named := config.DefaultPolicy("named/#")
	named.Metrics = true
	cfg.Policies = []config.Policy{named}
	b := startBroker(t, cfg)
	s := client(t, b)
	sendTexts(t, s, "named/a", "x", "y")
	sendTexts(t, s, "other", "z")

	list := b.Metrics().PerQueue
	require.Len(t, list, 1, "only queues of a policy that asks for it")
	require.Equal(t, "named/a", list[0].Name)
	require.EqualValues(t, 2, list[0].Messages)
	require.Positive(t, list[0].Bytes)
	require.Eventually(t, func() bool { return b.Metrics().PerQueue[0].OldestAgeSeconds > 0 }, 5*time.Second, time.Millisecond,
		"a message that waits grows old")
	receiveTexts(t, s, "named/a", 2)
	require.Eventually(t, func() bool { return b.Metrics().PerQueue[0].OldestAgeSeconds == 0 }, 5*time.Second, time.Millisecond,
		"an empty queue has no age")
}

func TestLiteralPrefix(t *testing.T) {
	for pattern, want := range map[string]string{
		"a/b": "a/b", "a/#": "a", "a/*/c": "a", "#": "", "*": "",
	} {
		require.Equal(t, want, literalPrefix(pattern), pattern)
	}
}
