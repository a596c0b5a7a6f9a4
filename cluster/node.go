package cluster

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"time"

	"entrepot/cluster/mesh"
	"entrepot/journal"
)

// NodeConfig describes one process: a node of a cluster, be it the only one.
type NodeConfig struct {
	// ID is this node's stable id, never an address. Required.
	ID string
	// Advertise is where other nodes reach this one ("host:port"). Required when
	// Listener is set.
	Advertise string
	// Listener accepts other nodes; the Node closes it. nil: a cluster of one that
	// can't grow while it runs so.
	Listener net.Listener
	// Dial and TLS are as in mesh.Config.
	Dial func(ctx context.Context, address string) (net.Conn, error)
	TLS  *tls.Config
	// Peers are the nodes that form the cluster, this one included, and afterwards
	// only addresses to begin with. Empty: this node alone.
	Peers []Peer
	// Shards is how many Raft groups a new cluster gets, for ever. 0: as many as
	// Peers. Another number than an existing cluster's is refused.
	Shards int
	// Dir is where the groups keep term and vote, as Config.Dir. Required.
	Dir string
	// Store is the node's journal. Required; the Node does not close it.
	Store *journal.Store
	// Logger is required.
	Logger *slog.Logger
	// Release is the software's version, for Status only.
	Release string
	// KnownLevel is the newest level of records that this binary writes and
	// reads; 0: KnownLevel, the constant. Tests let older binaries take part.
	KnownLevel uint32

	// OnFatal is told why this node can't go on as what it was: removed from the
	// cluster, refused by it. Called at most once, from a goroutine of its own.
	OnFatal func(error)
	// OnRepair is told that a shard's replica on this node has stopped (true: it
	// applies nothing and must not be read), and that it is whole again (false).
	// Called in order, from a goroutine of its own. Optional.
	OnRepair func(shard uint16, broken bool)

	// FormGrace is how long a majority of Peers waits for the others before it
	// forms a cluster without them. Default 5 s.
	FormGrace time.Duration
	// BalanceEvery is how often leaderships are looked at. Default 10 s.
	BalanceEvery time.Duration
	// PingEvery and DeadAfter are the mesh's: 1 s and 5 s.
	PingEvery, DeadAfter time.Duration

	// Urgent and Bulk are channels of the broker's on the mesh, see mesh.Config;
	// the groups' own are added.
	Urgent, Bulk []mesh.Channel
}

// Peer is a node and where it is reached.
type Peer struct{ ID, Address string }

// Node is one process's part in a cluster: its identity, the mesh to the other
// nodes, its groups, the members and their control.
//
//	OpenNode   reads who this data directory is; nothing is sent yet
//	Mesh       the broker registers its own channels and calls
//	Form       starts the mesh; returns when the cluster exists and this node is of it
//	StartGroup once for every shard
//	Ready      the cluster has recorded this node
//	...        Status, Add, Remove, Drain, ... on any node
//	StopGracefully; Group.Stop for every group; Close
//
// Its methods are safe for concurrent use.
type Node struct {
	cfg         NodeConfig
	incarnation uint64
	mesh        *mesh.Mesh
}

// OpenNode reads the identity of the data in cfg.Store and makes the mesh.
//
// Errors: ErrOtherNode (the data are another node's), what the store says.
func OpenNode(cfg NodeConfig) (*Node, error) { panic("unimplemented") }

// Incarnation tells this process from others, and from its own earlier life. It is
// the Origin.Node of packs and what peers know as mesh.Peer.Incarnation.
func (n *Node) Incarnation() uint64 { return n.incarnation }

// ID is the node's id.
func (n *Node) ID() string { return n.cfg.ID }

// Mesh is for the broker's own channels; they are registered before Form.
func (n *Node) Mesh() *mesh.Mesh { return n.mesh }

// Formation is what Form has found or made.
type Formation struct {
	Cluster string // the cluster's id: random, made when it was founded
	Shards  int    // StartGroup is called for 0..Shards-1
}

// Form starts the mesh and returns when the cluster exists and this node may take
// part in it: at once when it did before; else when a majority of the peers has
// founded a cluster with this node in it, or an existing cluster has taken it in.
// What it waits for is in Waiting, in Status and in the log.
//
// Errors: ErrRefused (wrapped, with the reason) when waiting can't help;
// ctx's.
func (n *Node) Form(ctx context.Context) (Formation, error) { panic("unimplemented") }

// Waiting says in a sentence what Form, or afterwards the node's being ready,
// waits for; "" when nothing.
func (n *Node) Waiting() string { panic("unimplemented") }

// StartGroup is Start for a shard of this node: it fills NodeID, Dir, Store, Hub,
// Origin, Voters and what else the node knows, calls cfg.OnLeader and cfg.OnRoute
// through, and has the group in its care until the group is stopped.
//
// The journal's shard is that of Shard. When that is damaged, the group starts
// without applying, and the replica is repaired in the background (OnRepair).
//
// Errors: those of Start.
func (n *Node) StartGroup(cfg Config) (*Group, error) { panic("unimplemented") }

// Shard is the journal's shard, whole or to be repaired: the broker makes its FSM
// over it.
func (n *Node) Shard(shard uint16) (*journal.Shard, error) { panic("unimplemented") }

// Damaged is for journal.Hooks.Damaged: a record of this shard can't be read. The
// shard's replica stops and is repaired from another one.
func (n *Node) Damaged(shard uint16, err *journal.CorruptionError) { panic("unimplemented") }

// Ready tells whether the cluster knows this node as a member with these data, so
// that nothing that it accepts can be forgotten together with its disk.
func (n *Node) Ready() bool { panic("unimplemented") }

// Level is the newest level of records that may be written: all members know it.
func (n *Node) Level() uint32 { panic("unimplemented") }

// StopGracefully moves every leadership of this node to others and keeps them from
// coming back. The groups and the mesh go on: packs in flight find their way
// through the new leaders. Then the caller stops its groups, and Close follows.
// The error says which shards found nobody; stopping is allowed all the same.
func (n *Node) StopGracefully(ctx context.Context) error { panic("unimplemented") }

// Close ends the mesh and the node's goroutines. The groups must have been stopped.
func (n *Node) Close() { panic("unimplemented") }
