package admin

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"
)

var rewrite = flag.Bool("rewrite", false, "write docs/metrics.md anew")

func TestAScrapeShowsWhatTheBrokerSays(t *testing.T) {
	b := newFake()
	b.metrics = Metrics{
		Accepted: 7, Messages: 5, DiskLow: true, OldestAgeSeconds: 1.5, LinksIn: 2, LinksOut: 3,
		Refused:      map[string]uint64{"queue-full": 2, "disk-low": 1},
		FsyncLatency: NewLatencyHistogram(),
		PerQueue:     []QueueMetrics{{Name: "command/t/1", Messages: 4, Bytes: 400, Unsettled: 2, Consumers: 1, OldestAgeSeconds: 1.5}},
		Shards: []ShardMetrics{
			{Shard: 0, Leads: true, LeaderKnown: true, Term: 3, Elections: 2, CommitLatency: NewLatencyHistogram(),
				Followers: []FollowerMetrics{{Node: "n2", LagEntries: 4, LagBytes: 512, Streaming: true}}},
			{Shard: 1, Term: 9, LinksAway: 6},
		},
		Peers: []PeerMetrics{{Peer: "n2", Connected: true, QueuedBytes: 7, RoundTrip: 0.002, BytesRead: 10, BytesWritten: 20}},
	}
	b.metrics.Shards[0].CommitLatency.Observe(150_000)
	b.metrics.FsyncLatency.Observe(150_000) // 0.15 ms
	b.metrics.FsyncLatency.ObserveN(60e9, 2)
	body := newSite(t, b).do("GET", "/metrics", "").Body.String()
	for _, line := range []string{
		`entrepot_info{version="test"} 1`,
		`entrepot_messages_accepted_total 7`,
		`entrepot_messages_rejected_total{reason="queue-full"} 2`,
		`entrepot_messages_rejected_total{reason="disk-low"} 1`,
		`entrepot_messages 5`,
		`entrepot_disk_low 1`,
		`entrepot_oldest_message_age_seconds 1.5`,
		`entrepot_links{direction="in"} 2`,
		`entrepot_links{direction="out"} 3`,
		`entrepot_fsync_latency_seconds_bucket{le="0.0001"} 0`,
		`entrepot_fsync_latency_seconds_bucket{le="0.0002"} 1`,
		`entrepot_fsync_latency_seconds_bucket{le="10"} 1`,
		`entrepot_fsync_latency_seconds_bucket{le="+Inf"} 3`,
		`entrepot_fsync_latency_seconds_sum 120.00015`,
		`entrepot_fsync_latency_seconds_count 3`,
		`entrepot_queue_messages{queue="command/t/1"} 4`,
		`entrepot_queue_unsettled{queue="command/t/1"} 2`,
		`entrepot_queue_oldest_message_age_seconds{queue="command/t/1"} 1.5`,
		`entrepot_shard_leader{shard="0"} 1`,
		`entrepot_shard_leader{shard="1"} 0`,
		`entrepot_shard_term{shard="1"} 9`,
		`entrepot_shard_elections_total{shard="0"} 2`,
		`entrepot_shard_forwarded_links{shard="1"} 6`,
		`entrepot_shard_commit_latency_seconds_count{shard="0"} 1`,
		`entrepot_replica_lag_entries{node="n2",shard="0"} 4`,
		`entrepot_replica_lag_bytes{node="n2",shard="0"} 512`,
		`entrepot_replica_streaming{node="n2",shard="0"} 1`,
		`entrepot_peer_connected{peer="n2"} 1`,
		`entrepot_peer_round_trip_seconds{peer="n2"} 0.002`,
		`entrepot_peer_queued_bytes{peer="n2"} 7`,
		`entrepot_peer_written_bytes_total{peer="n2"} 20`,
		`# TYPE entrepot_shard_elections_total counter`,
		`# TYPE entrepot_messages_accepted_total counter`,
		`# TYPE entrepot_messages gauge`,
	} {
		require.Contains(t, body, line+"\n")
	}
	require.NotContains(t, body, "entrepot_pack_bytes", "a histogram that is nil is not shown")
}

// Prometheus' own rules for names, units and helps.
func TestTheMetricsPassPrometheusLint(t *testing.T) {
	b := newFake()
	b.metrics = Metrics{
		AcceptLatency: NewLatencyHistogram(), FsyncLatency: NewLatencyHistogram(),
		PackBytes: NewHistogram(SizeBounds, 1), PackRecords: NewHistogram(CountBounds, 1),
		Refused: map[string]uint64{"x": 1}, PerQueue: []QueueMetrics{{Name: "q"}},
		Shards: []ShardMetrics{{CommitLatency: NewLatencyHistogram(), Followers: []FollowerMetrics{{Node: "n2"}}}},
		Peers:  []PeerMetrics{{Peer: "n2"}},
	}
	families, err := newRegistry(b, "test").Gather()
	require.NoError(t, err)
	families = slices.DeleteFunc(families, func(f *dto.MetricFamily) bool { return !strings.HasPrefix(f.GetName(), "entrepot_") })
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	require.NoError(t, err)
	require.Empty(t, problems)
}

// docs/metrics.md is made from the table of metrics:
// go test ./broker/admin -run Documented -rewrite
func TestEveryMetricIsDocumented(t *testing.T) {
	const page = "../../docs/metrics.md"
	want := metricsPage()
	if *rewrite {
		require.NoError(t, os.WriteFile(page, []byte(want), 0o644))
	}
	got, err := os.ReadFile(page)
	require.NoError(t, err)
	require.Equal(t, want, string(got), "run: go test ./broker/admin -run Documented -rewrite")
}

func metricsPage() string {
	var page strings.Builder
	row := func(name, kind, label, help string) {
		if label != "" {
			label = "`" + strings.ReplaceAll(label, ",", "`, `") + "`"
		}
		fmt.Fprintf(&page, "| `%s` | %s | %s | %s |\n", name, kind, label, help)
	}
	head := func(title, text string) {
		fmt.Fprintf(&page, "\n## %s\n\n%s\n\n| name | kind | label | what it is |\n|---|---|---|---|\n", title, text)
	}
	page.WriteString("# Metrics\n\n`GET /metrics` in the text format of Prometheus. Counters begin at 0 when the process starts.\n" +
		"This page is made from the table in `broker/admin/metrics.go`; a test holds the two together.\n")
	head("Totals", "They cost the same with one queue and with a million.")
	row("entrepot_info", "gauge", "version", "Always 1; the version is a label.")
	for _, s := range families {
		kind := "gauge"
		if s.counter {
			kind = "counter"
		}
		row(s.name, kind, s.label, s.help)
	}
	head("Histograms", "Times are in seconds.")
	for _, d := range distributions {
		row(d.name, "histogram", "", d.help)
	}
	head("Per queue", "Only for queues whose policy says `metrics: true`.")
	for _, q := range perQueue {
		row(q.name, "gauge", "queue", q.help)
	}
	head("Per shard, replica and node", "Only on a node of a cluster.")
	for _, t := range perNode {
		row(t.name, t.kind, strings.Join(t.labels, ","), t.help)
	}
	page.WriteString("\nBeside these stand `go_*` and `process_*`, which the Prometheus client library makes.\n")
	return page.String()
}
