package admin

import "context"

// Cluster is what the admin interface shows and changes of the cluster that a
// broker belongs to. Every method may be called on any node, by many goroutines
// at a time: what another node has to do is sent there.
//
// Errors are wrapped in the kinds of this package: ErrNotFound (no such node or
// shard), ErrInvalid (it can't be meant so), ErrConflict (it can't be done as
// things are, and the text says what would have to be otherwise),
// ErrUnavailable (no leader, no majority, nobody answered in time).
//
// What takes long tells report how far it is, in the caller's goroutine. When
// ctx ends the method returns; what was begun by then stays begun, and to ask
// again is always allowed and goes on from there.
type Cluster interface {
	// Status gathers what all nodes say. It answers within a few seconds also
	// when nodes are gone: those are then not reachable.
	Status(ctx context.Context) (ClusterStatus, error)
	// Add makes a node a member: without a vote at first, with one when it has
	// caught up in every shard. The node itself may be started before or after.
	// For one that was drained it takes the drain back. address (HOST:PORT)
	// is where the others reach it; empty for one that is a member already.
	Add(ctx context.Context, node, address string, report func(Progress)) error
	// Remove takes a node out of every shard, dead or alive. It is refused if
	// those who stay would have no reachable majority in some shard, unless
	// force says that this is known.
	Remove(ctx context.Context, node string, force bool, report func(Progress)) error
	// Drain moves every leadership away from a node and keeps it away, and
	// returns when the others have all that it has and are a majority without
	// it: it is safe to stop then.
	Drain(ctx context.Context, node string, report func(Progress)) error
	// Transfer moves the leadership of a shard to a node; empty: to whoever
	// has caught up furthest.
	Transfer(ctx context.Context, shard uint16, to string) error
	// Rebalance gives each node its share of leaderships now.
	Rebalance(ctx context.Context, report func(Progress)) error
	// Verify compares the replicas of every shard at one entry of its log.
	Verify(ctx context.Context, report func(Progress)) (Verification, error)
}

// ClusterStatus is a cluster as its nodes tell of it.
type ClusterStatus struct {
	// ID is the cluster's name, made when it was formed; empty before.
	ID string `json:"id"`
	// Node is the one that gathered all this.
	Node string `json:"node"`
	// Health is HealthOK, HealthDegraded (everything is served, but something
	// is missing) or HealthUnavailable (a shard has no leader).
	Health string `json:"health"`
	// Problems say in sentences why Health is not HealthOK.
	Problems []string `json:"problems"`
	// Level is the version of records that all members know.
	Level uint32 `json:"level"`
	// Nodes are the members, by id.
	Nodes []ClusterNode `json:"nodes"`
	// Shards are the parts that queues are spread over, by id.
	Shards []ClusterShard `json:"shards"`
}

// The words of ClusterStatus.Health.
const (
	HealthOK          = "ok"
	HealthDegraded    = "degraded"
	HealthUnavailable = "unavailable"
)

// ClusterNode is a member.
type ClusterNode struct {
	ID      string `json:"id"`
	Address string `json:"address"` // where the others reach it
	// State is "member", "drained" (it leads nothing), "removing", "unreachable",
	// or what keeps the node from being a member: "forming" (it waits for a
	// majority of its peers), "waiting" (to be added), "joining" (it has no vote
	// in some shard yet), "refused".
	State string `json:"state"`
	// Reachable tells whether it answered.
	Reachable bool `json:"reachable"`
	// Leads is the number of shards that it leads.
	Leads int `json:"leads"`
	// Level is the newest version of records that this node knows.
	Level uint32 `json:"level"`
	// Reason says in a sentence why State is what it is; empty for a member.
	Reason string `json:"reason,omitempty"`
}

// ClusterShard is one replicated part of the queues, a Raft group.
type ClusterShard struct {
	ID uint16 `json:"id"`
	// Leader is the node that decides for it; empty: nobody just now.
	Leader string `json:"leader"`
	Term   uint64 `json:"term"`
	// CommitIndex is the last entry of the log that a majority has.
	CommitIndex uint64 `json:"commit_index"`
	// AppliedIndex is the last entry that the leader's memory has seen.
	AppliedIndex uint64           `json:"applied_index"`
	Replicas     []ClusterReplica `json:"replicas"`
}

// ClusterReplica is a shard on one node.
type ClusterReplica struct {
	Node string `json:"node"`
	// Role is "leader", "voter" or "nonvoter".
	Role string `json:"role"`
	// Match is the last entry that the leader knows to be there.
	Match uint64 `json:"match"`
	// LagEntries and LagBytes are what it has not got of the leader's log.
	LagEntries uint64 `json:"lag_entries"`
	LagBytes   uint64 `json:"lag_bytes"`
	// State is "ok", "behind", "streaming" (it is being fed the whole state),
	// "broken" (it has stopped and is repaired) or "unreachable".
	State string `json:"state"`
	// Progress of a stream, from 0 to 1; 1 when nothing is streamed.
	Progress float64 `json:"progress"`
}

// Progress is how far something is that takes long.
type Progress struct {
	// Step says what is done now, as a sentence for people.
	Step string `json:"step"`
	// Node and Shard it is about, if it is about one.
	Node  string  `json:"node,omitempty"`
	Shard *uint16 `json:"shard,omitempty"`
	// Done of Total, in whatever the step counts; Total 0: not known.
	Done  uint64 `json:"done"`
	Total uint64 `json:"total"`
}

// Verification is what a comparison of replicas has found.
type Verification struct {
	// Equal: every replica that answered is like the others of its shard.
	Equal  bool            `json:"equal"`
	Shards []VerifiedShard `json:"shards"`
}

// VerifiedShard is the comparison of one shard.
type VerifiedShard struct {
	ID uint16 `json:"id"`
	// Index of the log entry at which the replicas were compared.
	Index    uint64            `json:"index"`
	Equal    bool              `json:"equal"`
	Replicas []VerifiedReplica `json:"replicas"`
}

// VerifiedReplica is what one replica answered.
type VerifiedReplica struct {
	Node string `json:"node"`
	// Hash of its state, in hexadecimal digits; empty if it did not answer.
	Hash string `json:"hash"`
	// State is "equal", "different" (it has been stopped and is repaired) or
	// "unreachable".
	State string `json:"state"`
}
