package cluster

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"sync/atomic"
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
	// Peers are the nodes that form the cluster, and afterwards only addresses to
	// begin with. A node that is not one of them founds nothing: it waits to be added
	// to a cluster that they know. Empty: this node alone.
	Peers []Peer
	// Shards is how many Raft groups a new cluster gets, for ever. 0: as many as
	// Peers. Another number than an existing cluster's is refused.
	Shards int
	// Dir is where the groups keep term and vote, as Config.Dir. Required, unless
	// StartGroup is given a Stable.
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
	// cluster. Called at most once, from a goroutine of its own. Optional.
	OnFatal func(error)
	// OnRepair is told that a shard's replica on this node has stopped (true: it
	// applies nothing and must not be read), and that it is whole again (false).
	// Called in order for a shard, and must not block for long. Optional.
	OnRepair func(shard uint16, broken bool)

	// FormGrace is how long a majority of Peers waits for the others before it
	// forms a cluster without them. Default 5 s.
	FormGrace time.Duration
	// BalanceEvery is how often leaderships are looked at. Default 10 s.
	BalanceEvery time.Duration
	// PingEvery and DeadAfter are the mesh's: 1 s and 5 s.
	PingEvery, DeadAfter time.Duration
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
	log         *slog.Logger
	incarnation uint64
	mesh        *mesh.Mesh
	hub         *Hub // nil: alone, nobody can come
	peers       *peerBook
	calls       map[string]localCall // fixed after OpenNode

	voters     []string          // ids of cfg.Peers, sorted
	configured map[string]string // their addresses

	lastRound atomic.Uint64 // the highest round of a foundation seen
	current   atomic.Pointer[view]
	kick      chan struct{} // cap 1: keep looks now
	closing   chan struct{}
	fatalOnce sync.Once
	tasks     sync.WaitGroup
	deciding  sync.Mutex // held by who changes settings, see decide

	mu       sync.Mutex // guards all that follows; never held while anything is asked
	id       identity
	ids      idStore
	facts    map[string]string // see noteFact
	waiting  string
	replicas map[uint16]*replica
	learned  map[string]string    // addresses that peers told
	gone     map[string]time.Time // removed members, since when this node knows
	leaving  bool
	refusal  string // why the cluster does not want this node
}

// Methods of calls between nodes.
const (
	callWho       = "node/who"
	callPrepare   = "node/prepare"
	callAccept    = "node/accept"
	callChosen    = "node/chosen"
	callJoin      = "node/join"
	callMember    = "node/member"
	callShard     = "node/shard"
	callBalance   = "node/balance"
	callLeaving   = "node/leaving"
	callReport    = "node/report"
	callCheck     = "node/check"
	callCheckAt   = "node/check-at"
	callRepair    = "node/repair"
	callSendState = "node/send-state"
	callState     = "node/state" // a stream
	callEntries   = "node/entries"
	callHeld      = "node/held"
)

// OpenNode reads the identity of the data in cfg.Store and makes the mesh.
//
// Errors: ErrOtherNode (the data are another node's), ErrRefused (they were
// written by a newer release, or this is not how the cluster was founded),
// ErrInvalid, what the store says.
func OpenNode(cfg NodeConfig) (*Node, error) {
	cfg, err := cfg.checked()
	if err != nil {
		return nil, err
	}
	n := &Node{
		cfg: cfg, log: cfg.Logger, peers: newPeerBook(), calls: map[string]localCall{},
		configured: map[string]string{}, kick: make(chan struct{}, 1), closing: make(chan struct{}),
		ids: idStore{cfg.Store.Marks(0)}, facts: map[string]string{}, replicas: map[uint16]*replica{},
		learned: map[string]string{}, gone: map[string]time.Time{},
	}
	for n.incarnation == 0 {
		n.incarnation = rand.Uint64()
	}
	for _, p := range cfg.Peers {
		n.voters = append(n.voters, p.ID)
		n.configured[p.ID] = p.Address
	}
	n.current.Store(&view{})
	if n.id, err = n.openIdentity(); err != nil {
		return nil, err
	}
	return n, n.openMesh()
}

// checked fills defaults and refuses what can't be meant so.
func (c NodeConfig) checked() (NodeConfig, error) {
	if c.ID == "" || c.Store == nil || c.Logger == nil {
		return c, errors.New("cluster: NodeConfig needs ID, Store and Logger")
	}
	if c.Listener != nil && c.Advertise == "" {
		return c, fmt.Errorf("%w: a node that listens must say where it is reached", ErrInvalid)
	}
	if len(c.Peers) == 0 {
		c.Peers = []Peer{{c.ID, c.Advertise}}
	}
	c.Peers = slices.SortedFunc(slices.Values(c.Peers), func(a, b Peer) int { return cmp.Compare(a.ID, b.ID) })
	for i, p := range c.Peers {
		if i > 0 && p.ID == c.Peers[i-1].ID {
			return c, fmt.Errorf("%w: the peer %s is listed twice", ErrInvalid, p.ID)
		}
	}
	if (len(c.Peers) > 1 || c.Peers[0].ID != c.ID) && c.Listener == nil {
		return c, fmt.Errorf("%w: a node with peers must listen", ErrInvalid)
	}
	if c.Shards < 0 || c.Shards > maxShards {
		return c, fmt.Errorf("%w: %d shards, 1 to %d are possible", ErrInvalid, c.Shards, maxShards)
	}
	setDefault(&c.KnownLevel, KnownLevel)
	setDefault(&c.FormGrace, 5*time.Second)
	setDefault(&c.BalanceEvery, 10*time.Second)
	return c, nil
}

// openIdentity reads whose data these are and holds them against the configuration.
func (n *Node) openIdentity() (identity, error) {
	used, err := n.hasLog()
	if err != nil {
		return identity{}, err
	}
	id, err := n.ids.open(n.cfg.ID, used)
	if err != nil {
		return identity{}, err
	}
	switch c := id.Char; {
	case id.Level > n.cfg.KnownLevel:
		return id, fmt.Errorf("%w: the data may have records of level %d, this release knows %d: use the newer release", ErrRefused, id.Level, n.cfg.KnownLevel)
	case c == nil:
	case n.cfg.Shards != 0 && n.cfg.Shards != c.Shards:
		return id, fmt.Errorf("%w: the cluster was founded with %d shards, which can't be changed, and this node was given %d", ErrRefused, c.Shards, n.cfg.Shards)
	case n.cfg.Listener == nil && !slices.Equal(c.Voters, []string{n.cfg.ID}):
		return id, fmt.Errorf("%w: %s is a node of the cluster of %v and must listen for the others", ErrInvalid, n.cfg.ID, c.Voters)
	}
	return id, nil
}

// hasLog: there was a group in this directory.
func (n *Node) hasLog() (bool, error) {
	log, err := n.cfg.Store.Log(0)
	if err != nil {
		return false, err
	}
	_, err = n.cfg.Store.Marks(0).Get(snapshotMark)
	if err != nil && !errors.Is(err, journal.ErrNotFound) {
		return false, err
	}
	return log.Last() > 0 || err == nil, nil
}

func (n *Node) openMesh() (err error) {
	n.mesh, err = mesh.New(mesh.Config{
		Node: n.cfg.ID, Incarnation: n.incarnation, Listener: n.cfg.Listener, Dial: n.cfg.Dial, TLS: n.cfg.TLS,
		Hello: n.helloBytes, Admit: n.admit, Refused: n.refused, Logger: n.log,
		Urgent: UrgentChannels(), PingEvery: n.cfg.PingEvery, DeadAfter: n.cfg.DeadAfter,
	})
	if err != nil {
		return err
	}
	if n.cfg.Listener != nil {
		n.hub = NewHub(n.mesh)
	}
	handle(n, callWho, n.handleWho)
	handle(n, callPrepare, n.handlePrepare)
	handle(n, callAccept, n.handleAccept)
	handle(n, callChosen, n.handleChosen)
	handle(n, callJoin, n.handleJoin)
	handle(n, callMember, n.handleMember)
	handle(n, callShard, n.handleShard)
	handle(n, callBalance, n.handleBalance)
	handle(n, callLeaving, n.handleLeaving)
	handle(n, callReport, n.handleReport)
	handle(n, callCheck, n.handleCheck)
	handle(n, callCheckAt, n.handleCheckAt)
	handle(n, callRepair, n.handleRepair)
	handle(n, callSendState, n.handleSendState)
	handle(n, callEntries, n.handleEntries)
	handle(n, callHeld, n.handleHeld)
	n.mesh.HandleStream(callState, n.takeState)
	return nil
}

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

// Waiting says in a sentence what Form, or afterwards the node's being ready,
// waits for; "" when nothing.
func (n *Node) Waiting() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.waiting
}

func (n *Node) setWaiting(reason string) {
	n.mu.Lock()
	news := n.waiting != reason
	n.waiting = reason
	n.mu.Unlock()
	if news && reason != "" {
		n.log.Log(context.Background(), n.newsLevel(), "waiting", "for", reason)
	}
}

// newsLevel is of what is worth a line in a cluster, and goes without saying alone.
func (n *Node) newsLevel() slog.Level {
	if n.hub == nil {
		return slog.LevelDebug
	}
	return slog.LevelInfo
}

// Ready tells whether the cluster knows this node as a member with these data, so
// that nothing that it accepts can be forgotten together with its disk.
func (n *Node) Ready() bool {
	v := n.current.Load()
	m := v.members[n.cfg.ID]
	return v.charter != nil && m.active() && m.Data == n.identity().Data
}

// Level is the newest level of records that may be written: all members know it.
func (n *Node) Level() uint32 { return max(n.current.Load().level, baseLevel) }

// identity copies who this node is. What pointers in it lead to is not changed.
func (n *Node) identity() identity {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.id
}

// changeIdentity changes it durably: f has been done when there is no error.
func (n *Node) changeIdentity(f func(*identity)) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	id := n.id
	f(&id)
	if id == n.id {
		return nil
	}
	if err := n.ids.save(id); err != nil {
		return err
	}
	n.id = id
	return nil
}

// shards is how many groups this node would found a cluster with.
func (n *Node) shards() int {
	if n.cfg.Shards != 0 {
		return n.cfg.Shards
	}
	return len(n.voters)
}

// wake makes keep look now.
func (n *Node) wake() {
	select {
	case n.kick <- struct{}{}:
	default:
	}
}

// Close ends the mesh and the node's goroutines. The groups must have been stopped.
func (n *Node) Close() {
	n.mu.Lock()
	if !closed(n.closing) {
		close(n.closing)
	}
	n.mu.Unlock()
	n.mesh.Close()
	n.tasks.Wait()
}

// spawn runs a goroutine that Close waits for; not when the node is closing.
func (n *Node) spawn(f func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !closed(n.closing) {
		n.tasks.Go(f)
	}
}

// fatal tells, once, that this node can't go on.
func (n *Node) fatal(err error) {
	n.fatalOnce.Do(func() {
		n.log.Error("the node can't go on", "error", err)
		if n.cfg.OnFatal != nil {
			go n.cfg.OnFatal(err)
		}
	})
}
