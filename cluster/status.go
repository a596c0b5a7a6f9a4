package cluster

// ClusterStatus is a cluster as its nodes tell of it.
type ClusterStatus struct {
	// ID is the cluster's name, made when it was founded; empty before.
	ID string `json:"id"`
	// Node is the one that gathered all this.
	Node string `json:"node"`
	// Health is HealthOK, HealthDegraded (everything is served, but something is
	// missing) or HealthUnavailable (a shard has no leader).
	Health string `json:"health"`
	// Problems say in sentences why Health is not HealthOK.
	Problems []string `json:"problems"`
	// Level is the level of records that all members know.
	Level uint32 `json:"level"`
	// Nodes are the members, by id.
	Nodes []NodeStatus `json:"nodes"`
	// Shards are by id.
	Shards []ShardStatus `json:"shards"`
}

// The words of ClusterStatus.Health.
const (
	HealthOK          = "ok"
	HealthDegraded    = "degraded"
	HealthUnavailable = "unavailable"
)

// NodeStatus is a member.
type NodeStatus struct {
	ID      string `json:"id"`
	Address string `json:"address"` // where the others reach it
	// State is one of the Node words below.
	State string `json:"state"`
	// Reachable: it answered.
	Reachable bool `json:"reachable"`
	// Leads is the number of shards that it leads.
	Leads int `json:"leads"`
	// Level is the newest level of records that this node knows.
	Level uint32 `json:"level"`
	// Reason says in a sentence why State is what it is; empty for a member.
	Reason string `json:"reason,omitempty"`
}

// The words of NodeStatus.State.
const (
	NodeMember      = "member"
	NodeDrained     = "drained"     // leads nothing until it starts again or is added again
	NodeForming     = "forming"     // waits for a majority of its peers
	NodeJoining     = "joining"     // being added: has no vote in some shard yet
	NodeWaiting     = "waiting"     // waits to be added
	NodeRemoving    = "removing"    // being removed
	NodeRefused     = "refused"     // the cluster does not want it
	NodeUnreachable = "unreachable" // did not answer
)

// ShardStatus is one Raft group.
type ShardStatus struct {
	ID uint16 `json:"id"`
	// Leader is "" when nobody leads just now.
	Leader string `json:"leader"`
	Term   uint64 `json:"term"`
	// CommitIndex is the last entry of the log that a majority has.
	CommitIndex uint64 `json:"commit_index"`
	// AppliedIndex is the last entry that the leader's memory has seen.
	AppliedIndex uint64          `json:"applied_index"`
	Replicas     []ReplicaStatus `json:"replicas"`
}

// ReplicaStatus is a shard on one node.
type ReplicaStatus struct {
	Node string `json:"node"`
	// Role is RoleLeader, RoleVoter or RoleNonvoter.
	Role string `json:"role"`
	// Match is the last entry that the leader knows to be there.
	Match uint64 `json:"match"`
	// LagEntries and LagBytes are what it has not got of the leader's log.
	LagEntries uint64 `json:"lag_entries"`
	LagBytes   uint64 `json:"lag_bytes"`
	// State is one of the Replica words below.
	State string `json:"state"`
	// Progress of a stream, from 0 to 1; 1 when nothing is streamed.
	Progress float64 `json:"progress"`
}

// The words of ReplicaStatus.Role.
const (
	RoleLeader   = "leader"
	RoleVoter    = "voter"
	RoleNonvoter = "nonvoter"
)

// The words of ReplicaStatus.State.
const (
	ReplicaOK          = "ok"
	ReplicaBehind      = "behind"
	ReplicaStreaming   = "streaming" // is being fed the whole state
	ReplicaBroken      = "broken"    // has stopped and is being repaired
	ReplicaUnreachable = "unreachable"
)
