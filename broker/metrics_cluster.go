package broker

import (
	"entrepot/broker/admin"
	"entrepot/cluster"
	"entrepot/cluster/mesh"
)

// shardMetrics are the series of a shard: what its group tells, the links of
// this node whose queue is led by another one, and how long packs took (nil:
// not shown).
func shardMetrics(shard uint16, s cluster.Stats, linksAway uint64, commit *admin.Histogram) admin.ShardMetrics {
	m := admin.ShardMetrics{
		Shard:         shard,
		Leads:         s.Leader,
		LeaderKnown:   s.LeaderID != "",
		Term:          s.Term,
		CommitIndex:   s.CommitIndex,
		AppliedIndex:  s.AppliedIndex,
		BacklogBytes:  uint64(s.BacklogBytes),
		Elections:     s.Elections,
		StreamsSent:   s.StreamsSent,
		StreamsTaken:  s.StreamsTaken,
		PacksTaken:    s.Forwarded,
		LinksAway:     linksAway,
		CommitLatency: commit,
	}
	for _, f := range s.Followers {
		m.Followers = append(m.Followers, admin.FollowerMetrics{
			Node: f.ID, LagEntries: f.LagEntries, LagBytes: uint64(max(0, f.LagBytes)), Streaming: f.Streaming,
		})
	}
	return m
}

// peerMetrics are the series of the connections to other nodes.
func peerMetrics(peers []mesh.PeerStatus) []admin.PeerMetrics {
	var list []admin.PeerMetrics
	for _, p := range peers {
		list = append(list, admin.PeerMetrics{
			Peer: p.ID, Connected: p.Connected, QueuedBytes: uint64(p.Queued), RoundTrip: p.RTT.Seconds(),
			BytesRead: p.BytesIn, BytesWritten: p.BytesOut,
		})
	}
	return list
}
