package cluster

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// nodeReport is what a node says about itself for Status.
type nodeReport struct {
	Node   string        `json:"node"`
	State  string        `json:"state"`
	Reason string        `json:"reason,omitempty"`
	Level  uint32        `json:"level"`
	Shards []shardReport `json:"shards"`
}

// shardReport is a node's part of one shard. Servers and Followers are the leader's.
type shardReport struct {
	Shard     uint16         `json:"shard"`
	Leads     bool           `json:"leads"`
	Leader    string         `json:"leader"`
	Term      uint64         `json:"term"`
	Commit    uint64         `json:"commit"`
	Applied   uint64         `json:"applied"`
	Last      uint64         `json:"last"`
	Held      bool           `json:"held"`
	Servers   []Server       `json:"servers"`
	Followers []FollowerStat `json:"followers"`
}

func (n *Node) handleReport(context.Context, string, struct{}) (nodeReport, error) {
	rep := nodeReport{Node: n.cfg.ID, Level: n.cfg.KnownLevel, Reason: n.Waiting()}
	rep.State = n.state()
	n.mu.Lock()
	if n.refusal != "" {
		rep.Reason = n.refusal
	}
	n.mu.Unlock()
	for _, r := range n.allReplicas() {
		s := r.group.Stats()
		rep.Shards = append(rep.Shards, shardReport{
			Shard: r.shard, Leads: s.Leader, Leader: n.leaderOf(r.shard), Term: s.Term, Commit: s.CommitIndex,
			Applied: s.AppliedIndex, Last: s.LastIndex, Held: r.held(), Servers: r.group.Servers(), Followers: s.Followers,
		})
	}
	return rep, nil
}

// state is this node's own word for itself.
func (n *Node) state() string {
	id, m := n.identity(), n.current.Load().members[n.cfg.ID]
	n.mu.Lock()
	refused := n.refusal != ""
	n.mu.Unlock()
	switch {
	case refused:
		return NodeRefused
	case !id.Member && id.Char == nil:
		return NodeForming
	case !id.Member:
		return NodeWaiting
	}
	return memberState(m, n.incarnation)
}

// memberState is the word for a member by what is on record.
func memberState(m member, incarnation uint64) string {
	switch {
	case m.ID == "":
		return NodeForming
	case m.State == memberJoining:
		return NodeJoining
	case m.State == memberRemoving:
		return NodeRemoving
	case m.drained(incarnation):
		return NodeDrained
	}
	return NodeMember
}

// statusTimeout is how long a node may take to say how it is.
const statusTimeout = 2 * time.Second

// Status gathers what all nodes say. It answers within a few seconds also when
// nodes are gone: those are then not reachable.
func (n *Node) Status(ctx context.Context) (ClusterStatus, error) {
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	v := *n.current.Load()
	asked := unique(append(append(v.active(), n.connected()...), n.cfg.ID)...)
	if v.charter == nil {
		asked = unique(append(asked, n.voters...)...)
	}
	reports := map[string]nodeReport{}
	for _, r := range gather(ctx, asked, func(ctx context.Context, peer string) (nodeReport, error) {
		return ask[nodeReport](ctx, n, peer, callReport, struct{}{})
	}) {
		reports[r.Node] = r
	}
	slices.Sort(asked)
	s := ClusterStatus{Node: n.cfg.ID, Level: n.Level(), Nodes: []NodeStatus{}, Shards: []ShardStatus{}, Problems: []string{}}
	if c := n.identity().Char; c != nil {
		s.ID = c.Cluster
	}
	for shard := range n.shardCount() {
		s.Shards = append(s.Shards, shardStatus(shard, reports))
	}
	for _, id := range asked {
		if m := v.members[id]; m.State != memberRemoved || id == n.cfg.ID {
			s.Nodes = append(s.Nodes, n.nodeStatus(id, m, reports, s.Shards))
		}
	}
	s.judge()
	return s, nil
}

func (n *Node) nodeStatus(id string, m member, reports map[string]nodeReport, shards []ShardStatus) NodeStatus {
	r, reachable := reports[id]
	st := NodeStatus{ID: id, Address: m.Address, State: r.State, Reason: r.Reason, Reachable: reachable, Level: r.Level}
	if st.Address == "" {
		st.Address = n.memberAddresses()[id]
	}
	if said, met := n.peers.get(id); st.Address == "" && met {
		st.Address = said.Address
	}
	if !reachable {
		st.State, st.Level, st.Reason = NodeUnreachable, m.Level, "it does not answer"
		if p, ok := n.peerStatus(id); ok && p.LastError != "" {
			st.Reason = p.LastError
		}
	}
	for _, s := range shards {
		if s.Leader == id {
			st.Leads++
		}
	}
	return st
}

// shardStatus puts together what nodes say of one shard: the leader's word counts,
// that of the highest term if several think they lead.
func shardStatus(shard uint16, reports map[string]nodeReport) ShardStatus {
	s := ShardStatus{ID: shard, Replicas: []ReplicaStatus{}}
	own := map[string]shardReport{}
	var lead, newest shardReport
	for node, r := range reports {
		i := slices.IndexFunc(r.Shards, func(sr shardReport) bool { return sr.Shard == shard })
		if i < 0 {
			continue
		}
		sr := r.Shards[i]
		own[node] = sr
		if sr.Leads && (s.Leader == "" || sr.Term > lead.Term) {
			lead, s.Leader = sr, node
		}
		if sr.Term > newest.Term || sr.Term == newest.Term && sr.Commit > newest.Commit {
			newest = sr
		}
	}
	if s.Leader == "" {
		lead = newest
	}
	s.Term, s.CommitIndex, s.AppliedIndex = lead.Term, lead.Commit, lead.Applied
	for _, server := range lead.Servers {
		r, answered := own[server.ID]
		s.Replicas = append(s.Replicas, replicaStatus(server, s.Leader, lead, r, answered))
	}
	return s
}

func replicaStatus(server Server, leader string, lead, own shardReport, answered bool) ReplicaStatus {
	rs := ReplicaStatus{Node: server.ID, Role: RoleNonvoter, State: ReplicaOK, Progress: 1}
	if server.Voter {
		rs.Role = RoleVoter
	}
	var f FollowerStat
	if i := slices.IndexFunc(lead.Followers, func(f FollowerStat) bool { return f.ID == server.ID }); i >= 0 {
		f = lead.Followers[i]
	}
	rs.Match, rs.LagEntries, rs.LagBytes = f.Match, f.LagEntries, uint64(max(f.LagBytes, 0))
	if server.ID == leader {
		rs.Role, rs.Match, rs.LagEntries, rs.LagBytes = RoleLeader, lead.Last, 0, 0
	}
	switch {
	case !answered:
		rs.State = ReplicaUnreachable
	case own.Held:
		rs.State = ReplicaBroken
	case f.Streaming:
		rs.State = ReplicaStreaming
		if f.StreamBytes > 0 {
			rs.Progress = float64(f.StreamedBytes) / float64(f.StreamBytes)
		}
	case rs.LagEntries > closeBehind:
		rs.State = ReplicaBehind
	}
	return rs
}

// judge says in one word, and in sentences, how the cluster is.
func (s *ClusterStatus) judge() {
	s.Health = HealthOK
	problem := func(health, format string, args ...any) {
		s.Problems = append(s.Problems, fmt.Sprintf(format, args...))
		if s.Health != HealthUnavailable {
			s.Health = health
		}
	}
	if len(s.Shards) == 0 {
		problem(HealthUnavailable, "%s is of no cluster yet", s.Node)
	}
	for _, sh := range s.Shards {
		if sh.Leader == "" {
			problem(HealthUnavailable, "shard %d has no leader", sh.ID)
		}
		for _, r := range sh.Replicas {
			switch r.State {
			case ReplicaBroken:
				problem(HealthDegraded, "the replica of shard %d on %s is being repaired", sh.ID, r.Node)
			case ReplicaBehind, ReplicaStreaming:
				problem(HealthDegraded, "the replica of shard %d on %s is behind (%s)", sh.ID, r.Node, r.State)
			}
		}
	}
	for _, n := range s.Nodes {
		if n.State != NodeMember && n.State != NodeWaiting {
			problem(HealthDegraded, "%s", strings.TrimSuffix(fmt.Sprintf("%s is %s: %s", n.ID, n.State, n.Reason), ": "))
		}
	}
}
