package report

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"entrepot/bench/internal/hist"
)

// sample has two rounds on a machine that became twice as slow in between.
func sample() *Report {
	run := func(peer string, round int, rate float64) Run {
		var h hist.Histogram
		h.Record(time.Duration(1e9 / rate))
		return Run{Case: "send", Peer: peer, Round: round, Metrics: map[Metric]float64{Rate: rate},
			Accept: CurveOf(&h), FsyncMillis: 0.2}
	}
	return &Report{
		Peers: []Peer{{Name: "ours", Version: "v1", Ours: true}, {Name: "theirs", Version: "v2"}, {Name: "absent", Skipped: "not installed"}},
		Cases: []Case{{Name: "send", Title: "One sender", Goals: []Goal{{Rate, 900}}}, {Name: "other", Title: "Not run"}},
		Runs:  []Run{run("ours", 0, 1200), run("theirs", 0, 600), run("ours", 1, 600), run("theirs", 1, 300)},
	}
}

func TestRatioIsTakenWithinARound(t *testing.T) {
	r := sample()
	require.Equal(t, 2.0, r.Ratio("send", "ours", "theirs", Rate), "drift cancels")
	require.Equal(t, 900.0, r.Median("send", "ours", Rate))

	r.Runs[3].Error = "broken"
	require.Equal(t, 600.0, r.Median("send", "theirs", Rate), "a failed run has no figures")
	require.Equal(t, 2.0, r.Ratio("send", "ours", "theirs", Rate), "a round without both is left out")
	require.True(t, math.IsNaN(r.Ratio("send", "ours", "absent", Rate)))
}

func TestMarkdown(t *testing.T) {
	r := sample()
	r.Runs[3].Error = "broken"
	var out bytes.Buffer
	require.NoError(t, r.WriteMarkdown(&out))
	require.Contains(t, out.String(), "| messages/s | 900 | 600 (2.00) | ≥ 900 ✓ |\n")
	require.Contains(t, out.String(), "**theirs failed:** broken")
	require.Contains(t, out.String(), "- absent: skipped, not installed")
	require.NotContains(t, out.String(), "Not run", "a case without a run has no table")
}

func TestGoalsDependOnTheDirection(t *testing.T) {
	require.True(t, Goal{Rate, 100}.Met(101))
	require.False(t, Goal{Rate, 100}.Met(99))
	require.True(t, Goal{RestartTime, 2}.Met(1.9))
	require.False(t, Goal{RestartTime, 2}.Met(2.1))
	require.Equal(t, "≤ 2.00", Goal{RestartTime, 2}.String())
}

func TestEveryMetricIsDefinedOnce(t *testing.T) {
	seen := map[Metric]bool{}
	for _, d := range metrics {
		require.False(t, seen[d.metric], d.metric)
		seen[d.metric] = true
	}
}

func TestFilesAreWritten(t *testing.T) {
	dir := t.TempDir()
	r := sample()
	require.NoError(t, r.WriteJSON(filepath.Join(dir, "r.json")))
	text, err := os.ReadFile(filepath.Join(dir, "r.json"))
	require.NoError(t, err)
	var back Report
	require.NoError(t, json.Unmarshal(text, &back))
	require.Equal(t, r.Runs, back.Runs)

	require.NoError(t, r.PlotRates(filepath.Join(dir, "rates.svg")))
	require.NoError(t, r.PlotLatency("send", filepath.Join(dir, "send.svg")))
	require.NoError(t, r.PlotLatency("other", filepath.Join(dir, "none.svg")))
	require.FileExists(t, filepath.Join(dir, "rates.svg"))
	require.FileExists(t, filepath.Join(dir, "send.svg"))
	require.NoFileExists(t, filepath.Join(dir, "none.svg"), "nothing to draw")
}
