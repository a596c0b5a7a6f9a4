package cluster

import "context"

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

// Control may be asked of any node: what another one has to do is sent there. What
// takes long reports how far it is, in the caller's goroutine; report may be nil.
// When ctx ends the method returns; what was begun by then stays begun, and to
// ask again is always allowed and goes on from there.
//
// Errors are wrapped in ErrNotFound (no such node or shard), ErrInvalid (it can't
// be meant so), ErrConflict (it can't be done as things are, and the text says what
// would have to be otherwise), ErrUnavailable (no leader, no majority, nobody
// answered in time).

// Status gathers what all nodes say. It answers within a few seconds also when
// nodes are gone: those are then not reachable.
func (n *Node) Status(ctx context.Context) (ClusterStatus, error) { panic("unimplemented") }

// Add makes a node a member: without a vote at first, with one when it has caught
// up, shard by shard. The node itself may be started before or after. For one that
// was drained it takes the drain back. address is where the others reach it; ""
// for one that is a member already.
func (n *Node) Add(ctx context.Context, node, address string, report func(Progress)) error {
	panic("unimplemented")
}

// RemoveOptions change what Remove may do.
type RemoveOptions struct {
	// Force removes although the rest has no majority that is reachable.
	Force bool
}

// Remove takes a node out of every shard, dead or alive. It is refused if those
// who stay would have no reachable majority in some shard.
func (n *Node) Remove(ctx context.Context, node string, o RemoveOptions, report func(Progress)) error {
	panic("unimplemented")
}

// Drain moves every leadership away from a node and keeps it away, and returns
// when the others have all that it has and are a majority without it: it is safe
// to stop then. The drain ends when the node starts again, or with Add.
func (n *Node) Drain(ctx context.Context, node string, report func(Progress)) error {
	panic("unimplemented")
}

// Transfer moves the leadership of a shard to a node; "": to whoever has caught up
// furthest.
func (n *Node) Transfer(ctx context.Context, shard uint16, to string) error {
	panic("unimplemented")
}

// Rebalance gives each node its share of leaderships now.
func (n *Node) Rebalance(ctx context.Context, report func(Progress)) error {
	panic("unimplemented")
}

// Verify compares the replicas of every shard at one entry of its log. One that
// differs from the majority stops and is repaired from the others.
func (n *Node) Verify(ctx context.Context, report func(Progress)) (Verification, error) {
	panic("unimplemented")
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
	// Hash of its state, in hexadecimal digits; "" if it did not answer.
	Hash string `json:"hash"`
	// State is one of the Verified words below.
	State string `json:"state"`
}

// The words of VerifiedReplica.State.
const (
	VerifiedEqual       = "equal"
	VerifiedDifferent   = "different" // it has been stopped and is repaired
	VerifiedUnreachable = "unreachable"
)
