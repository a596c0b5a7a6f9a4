package broker

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"entrepot/broker/admin"
	"entrepot/cluster"
	"entrepot/cluster/mesh"
)

func TestSeriesOfAShard(t *testing.T) {
	latency := admin.NewLatencyHistogram()
	stats := cluster.Stats{
		Leader: true, LeaderID: "n1", Term: 2, CommitIndex: 3, AppliedIndex: 4, BacklogBytes: 5,
		Elections: 6, StreamsSent: 7, StreamsTaken: 8, Forwarded: 9,
		Followers: []cluster.FollowerStat{{ID: "n2", LagEntries: 10, LagBytes: 11, Streaming: true}, {ID: "n3", LagBytes: -1}},
	}
	require.Equal(t, admin.ShardMetrics{
		Shard: 1, Leads: true, LeaderKnown: true, Term: 2, CommitIndex: 3, AppliedIndex: 4, BacklogBytes: 5,
		Elections: 6, StreamsSent: 7, StreamsTaken: 8, PacksTaken: 9, LinksAway: 12, CommitLatency: latency,
		Followers: []admin.FollowerMetrics{{Node: "n2", LagEntries: 10, LagBytes: 11, Streaming: true}, {Node: "n3"}},
	}, shardMetrics(1, stats, 12, latency))
}

func TestSeriesOfAPeer(t *testing.T) {
	require.Equal(t, []admin.PeerMetrics{{Peer: "n2", Connected: true, QueuedBytes: 1, RoundTrip: 0.002, BytesRead: 3, BytesWritten: 4}},
		peerMetrics([]mesh.PeerStatus{{ID: "n2", Connected: true, Queued: 1, RTT: 2 * time.Millisecond, BytesIn: 3, BytesOut: 4}}))
}
