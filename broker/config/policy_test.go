package config

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"entrepot/queue"
)

func TestPolicySetIsWhatTheFileSays(t *testing.T) {
	cfg, err := loadText(t, `
policies:
  - {pattern: command/#, create: never, ttl_default: 1m, ttl_min: 1s, ttl_max: 1h, max_messages: 1, max_bytes: 2, max_deliveries: 3, max_unsettled: 4, metrics: true}
  - {pattern: event/*, create: declared}
`, nil)
	require.NoError(t, err)
	set, err := cfg.PolicySet()
	require.NoError(t, err)

	command := set.Match("command/t/d")
	require.Equal(t, "command/#", command.Pattern.String())
	require.Equal(t, queue.CreateNever, command.Create)
	require.True(t, command.PerQueueMetrics)
	require.Equal(t, queue.Limits{
		TTLDefault: time.Minute, TTLMin: time.Second, TTLMax: time.Hour,
		MaxMessages: 1, MaxBytes: 2, MaxDeliveries: 3, MaxUnsettled: 4,
	}, command.Limits)
	require.Equal(t, queue.CreateDeclared, set.Match("event/x").Create)
	require.Equal(t, queue.CreateOnUse, set.Match("elsewhere").Create, "the built-in default")
}

func TestAPolicyForEverythingReplacesTheDefault(t *testing.T) {
	cfg, err := loadText(t, "policies: [{pattern: '#', create: never}]\n", nil)
	require.NoError(t, err)
	set, err := cfg.PolicySet()
	require.NoError(t, err)
	require.Equal(t, queue.CreateNever, set.Match("any/thing").Create)
}

func TestEveryWayOfCreationHasItsMode(t *testing.T) {
	for _, create := range []Create{CreateOnUse, CreateDeclared, CreateNever} {
		require.Contains(t, creates, create)
	}
}
