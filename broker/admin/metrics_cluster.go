package admin

import "strconv"

// ShardMetrics are the series of one shard, as this node sees it.
type ShardMetrics struct {
	Shard        uint16
	Leads        bool   // this node leads it
	LeaderKnown  bool   // some node does, as far as this one knows
	Term         uint64 // of the last election
	CommitIndex  uint64 // the last entry that a majority has
	AppliedIndex uint64 // the last entry that this node's memory has seen
	BacklogBytes uint64 // of records that wait to be proposed here or sent to the leader
	Elections    uint64 // won by this node
	StreamsSent  uint64 // whole states given to others
	StreamsTaken uint64 // whole states taken from others
	PacksTaken   uint64 // packs of other nodes that this one has proposed as leader
	LinksAway    uint64 // AMQP links of this node whose queue is led by another one
	// CommitLatency is in nanoseconds, from handing a pack to Raft, or to the
	// leader, until it is applied here. nil: not shown.
	CommitLatency *Histogram
	// Followers are filled in by the leader.
	Followers []FollowerMetrics
}

// FollowerMetrics are what a leader knows of another replica.
type FollowerMetrics struct {
	Node       string
	LagEntries uint64
	LagBytes   uint64
	Streaming  bool // it is being fed a whole state
}

// PeerMetrics are the series of the connection to one other node.
type PeerMetrics struct {
	Peer         string
	Connected    bool
	QueuedBytes  uint64  // wait to be written
	RoundTrip    float64 // seconds, of the last ping
	BytesRead    uint64
	BytesWritten uint64
}

// A table is a family of series with several labels, or of histograms.
type table struct {
	name, help, kind string
	labels           []string
	each             func(*Metrics, func(value sample, labels ...string))
}

// A sample is a number or a histogram.
type sample struct {
	number    float64
	histogram *Histogram
}

// perNode are the series of a node of a cluster. A standalone node has none.
var perNode = []table{
	perShard("gauge", "entrepot_shard_leader", "1 if this node leads the shard.",
		func(s *ShardMetrics) float64 { return number(s.Leads) }),
	perShard("gauge", "entrepot_shard_leader_known", "1 if some node leads the shard, as far as this one knows.",
		func(s *ShardMetrics) float64 { return number(s.LeaderKnown) }),
	perShard("gauge", "entrepot_shard_term", "Term: how many elections the shard has seen.",
		func(s *ShardMetrics) float64 { return float64(s.Term) }),
	perShard("gauge", "entrepot_shard_commit_index", "The last log entry that a majority has.",
		func(s *ShardMetrics) float64 { return float64(s.CommitIndex) }),
	perShard("gauge", "entrepot_shard_applied_index", "The last log entry that this node's memory has seen.",
		func(s *ShardMetrics) float64 { return float64(s.AppliedIndex) }),
	perShard("gauge", "entrepot_shard_backlog_bytes", "Bytes of records that wait to be proposed, or to be sent to the leader.",
		func(s *ShardMetrics) float64 { return float64(s.BacklogBytes) }),
	perShard("counter", "entrepot_shard_elections_total", "Elections that this node has won.",
		func(s *ShardMetrics) float64 { return float64(s.Elections) }),
	perShard("counter", "entrepot_shard_streams_sent_total", "Whole states that this node has given to others.",
		func(s *ShardMetrics) float64 { return float64(s.StreamsSent) }),
	perShard("counter", "entrepot_shard_streams_taken_total", "Whole states that this node has taken from others.",
		func(s *ShardMetrics) float64 { return float64(s.StreamsTaken) }),
	perShard("counter", "entrepot_shard_forwarded_packs_total", "Packs of other nodes that this one has proposed as leader.",
		func(s *ShardMetrics) float64 { return float64(s.PacksTaken) }),
	perShard("gauge", "entrepot_shard_forwarded_links", "AMQP links of this node whose queue is led by another one.",
		func(s *ShardMetrics) float64 { return float64(s.LinksAway) }),
	{"entrepot_shard_commit_latency_seconds", "From handing a pack to Raft, or to the leader, until it is applied here.", "histogram", []string{"shard"},
		func(m *Metrics, put func(sample, ...string)) {
			for i := range m.Shards {
				if s := &m.Shards[i]; s.CommitLatency != nil {
					put(sample{histogram: s.CommitLatency}, shardLabel(s))
				}
			}
		}},
	perFollower("entrepot_replica_lag_entries", "Log entries that a replica has not got, as its leader knows. Only on the leader.",
		func(f *FollowerMetrics) float64 { return float64(f.LagEntries) }),
	perFollower("entrepot_replica_lag_bytes", "Bytes of log that a replica has not got, as its leader estimates. Only on the leader.",
		func(f *FollowerMetrics) float64 { return float64(f.LagBytes) }),
	perFollower("entrepot_replica_streaming", "1 while a replica is being fed a whole state. Only on the leader.",
		func(f *FollowerMetrics) float64 { return number(f.Streaming) }),
	perPeer("gauge", "entrepot_peer_connected", "1 while there is a connection to the node.",
		func(p *PeerMetrics) float64 { return number(p.Connected) }),
	perPeer("gauge", "entrepot_peer_queued_bytes", "Bytes that wait to be written to the node.",
		func(p *PeerMetrics) float64 { return float64(p.QueuedBytes) }),
	perPeer("gauge", "entrepot_peer_round_trip_seconds", "The last ping to the node and back.",
		func(p *PeerMetrics) float64 { return p.RoundTrip }),
	perPeer("counter", "entrepot_peer_read_bytes_total", "Bytes that came from the node.",
		func(p *PeerMetrics) float64 { return float64(p.BytesRead) }),
	perPeer("counter", "entrepot_peer_written_bytes_total", "Bytes that went to the node.",
		func(p *PeerMetrics) float64 { return float64(p.BytesWritten) }),
}

func perShard(kind, name, help string, value func(*ShardMetrics) float64) table {
	return table{name, help, kind, []string{"shard"}, func(m *Metrics, put func(sample, ...string)) {
		for i := range m.Shards {
			put(sample{number: value(&m.Shards[i])}, shardLabel(&m.Shards[i]))
		}
	}}
}

func perFollower(name, help string, value func(*FollowerMetrics) float64) table {
	return table{name, help, "gauge", []string{"shard", "node"}, func(m *Metrics, put func(sample, ...string)) {
		for i := range m.Shards {
			s := &m.Shards[i]
			for j := range s.Followers {
				put(sample{number: value(&s.Followers[j])}, shardLabel(s), s.Followers[j].Node)
			}
		}
	}}
}

func perPeer(kind, name, help string, value func(*PeerMetrics) float64) table {
	return table{name, help, kind, []string{"peer"}, func(m *Metrics, put func(sample, ...string)) {
		for i := range m.Peers {
			put(sample{number: value(&m.Peers[i])}, m.Peers[i].Peer)
		}
	}}
}

func shardLabel(s *ShardMetrics) string { return strconv.Itoa(int(s.Shard)) }

// number is 1 for true.
func number(truth bool) float64 {
	if truth {
		return 1
	}
	return 0
}
