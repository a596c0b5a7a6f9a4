package cluster

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"entrepot/journal"
)

// replica is this node's part of one shard.
type replica struct {
	node    *Node
	shard   uint16
	journal *journal.Shard
	hold    *holdFSM
	route   atomic.Pointer[Route]

	started chan struct{} // closed when group is set
	group   *Group

	streams *holdStreams

	mu        sync.Mutex // guards all that follows
	told      bool       // OnLeader(true) was passed on
	mending   bool       // a repair runs
	announced bool       // the owner knows that the replica is broken
	token     string     // of fetch
	fetch     *fetch     // nil: nothing is fetched
}

// held: the replica's state is not what it should be; it applies nothing.
func (r *replica) held() bool { return r.hold.isHeld() }

// Shard is the journal's shard, whole or to be repaired: the broker makes its FSM
// over it.
//
// Errors: those of journal.Store.Shard but for damage.
func (n *Node) Shard(shard uint16) (*journal.Shard, error) {
	s, err := n.cfg.Store.Shard(shard)
	var damage *journal.CorruptionError
	if errors.As(err, &damage) {
		n.log.Error("a replica is damaged and will be filled again from another one", "shard", shard, "error", err)
		return n.cfg.Store.BrokenShard(shard)
	}
	return s, err
}

// StartGroup is Start for a shard of this node: it fills NodeID, Dir, Store, Hub,
// Origin, Voters, Streams, Logger and Eager, passes cfg.OnLeader and cfg.OnRoute through,
// and has the group in its care until the group is stopped.
//
// The journal's shard is that of Shard. When that is damaged, the group starts
// without applying, and the replica is repaired in the background (OnRepair).
//
// Errors: those of Start.
func (n *Node) StartGroup(cfg Config) (*Group, error) {
	id := n.identity()
	if !id.Member {
		return nil, fmt.Errorf("%w: Form has not returned", ErrStopped)
	}
	s, err := n.Shard(cfg.Shard)
	if err != nil {
		return nil, err
	}
	r := &replica{node: n, shard: cfg.Shard, journal: s, started: make(chan struct{})}
	cfg.NodeID, cfg.Store, cfg.Hub, cfg.Origin = n.cfg.ID, n.cfg.Store, n.hub, n.incarnation
	setDefault(&cfg.Dir, n.cfg.Dir)
	if cfg.Logger == nil {
		cfg.Logger = n.log
	}
	if id.Char.founder(n.cfg.ID, id.Data) {
		cfg.Voters = id.Char.Voters
	}
	cfg.Eager = n.eager(cfg.Shard, id.Char)
	if err := r.takeHold(&cfg); err != nil {
		return nil, err
	}
	r.watch(&cfg)
	group, err := n.startMended(cfg)
	if err != nil {
		return nil, err
	}
	r.group = group
	close(r.started)
	n.mu.Lock()
	n.replicas[cfg.Shard] = r
	n.mu.Unlock()
	n.wake()
	if r.held() {
		n.mend(r, "it was damaged, or differed, before the restart", nil)
	}
	return group, nil
}

// watch stands between the group and its owner.
func (r *replica) watch(cfg *Config) {
	onLeader, onRoute := cfg.OnLeader, cfg.OnRoute
	cfg.OnLeader = func(leader bool, term uint64) {
		if r.mayLead(leader) && onLeader != nil {
			onLeader(leader, term)
		}
		r.node.wake()
	}
	cfg.OnRoute = func(route Route) {
		r.route.Store(&route)
		if onRoute != nil {
			onRoute(route)
		}
	}
}

// mayLead says whether the owner hears of a change of leadership: a replica that is
// held must not serve. It gives the lead away instead.
func (r *replica) mayLead(leader bool) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if leader {
		r.told = !r.hold.isHeld()
		if !r.told {
			go r.node.spawn(func() { <-r.started; r.stepDown() })
		}
		return r.told
	}
	told := r.told
	r.told = false
	return told
}

// replica is nil as long as the shard's group has not been started.
func (n *Node) replica(shard uint16) *replica {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.replicas[shard]
}

// heldShards are the shards whose replica here is being repaired.
func (n *Node) heldShards() (shards []uint16) {
	for _, r := range n.allReplicas() {
		if r.held() {
			shards = append(shards, r.shard)
		}
	}
	return shards
}

// allReplicas are in the order of shards.
func (n *Node) allReplicas() []*replica {
	n.mu.Lock()
	defer n.mu.Unlock()
	var all []*replica
	for shard := range maxShards {
		if r := n.replicas[uint16(shard)]; r != nil {
			all = append(all, r)
		}
	}
	return all
}

// leaderOf is who leads a shard as far as this node knows, "" nobody.
func (n *Node) leaderOf(shard uint16) string {
	r := n.replica(shard)
	if r == nil {
		return ""
	}
	if r.group.Leader() {
		return n.cfg.ID
	}
	if route := r.route.Load(); route != nil && route.Leader != n.cfg.ID {
		return route.Leader
	}
	return ""
}
