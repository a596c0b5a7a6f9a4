package load

import (
	"encoding/json"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTelemetryIsJSONOfTheWantedSize(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, size := range []int{256, 500, 1016, 4096} {
		text := appendTelemetry(nil, size, 7, random)
		require.Len(t, text, size)
		var report struct {
			Readings []struct{ Value float64 }
		}
		require.NoError(t, json.Unmarshal(text, &report), "%s", text)
		require.NotEmpty(t, report.Readings)
	}
	require.Len(t, appendTelemetry(nil, 10, 7, random), 10, "too short for a report")
}

func TestTelemetryFillerDiffersFromMessageToMessage(t *testing.T) {
	f := NewFiller(StampSize+512, TelemetryBody)
	first := f.Next()
	for range 4095 {
		require.NotEqual(t, first, f.Next())
	}
	require.Equal(t, first, f.Next(), "the pool begins anew")
	require.Empty(t, NewFiller(StampSize, TelemetryBody).Next())
}
