package cluster

import (
	"context"
	"fmt"
	"time"
)

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
//
// # The order of things
//
// Members change one at a time in a group (Raft allows no second change before the
// first is committed), and one node at a time goes through all groups:
//
//	add      node/<id> "joining" -> the node comes and is recorded with its data
//	         -> per shard: non-voter, caught up, voter -> "member"
//	remove   node/<id> "removing" (it gets no leadership any more) -> per shard, shard
//	         0 last: leadership away, out of the group -> "removed"
//
// A voter is taken out only if those who stay have a majority that answers now: the
// change itself needs that majority to be committed, and without it the group would
// stand still for good. So a dead node is removed while the others are up, and
// replaced by adding the new one and removing the dead one, in any order. Each step
// is judged by the shard's leader, by what it sees at that moment, so two
// operators at a time can't do together what neither may do alone.

// steps reports progress. The zero report is nobody's.
type steps func(Progress)

func (r steps) say(step, node string, shard *uint16, done, total uint64) {
	if r != nil {
		r(Progress{Step: step, Node: node, Shard: shard, Done: done, Total: total})
	}
}

// Add makes a node a member: without a vote at first, with one when it has caught
// up, shard by shard. The node itself may be started before or after. For one that
// was drained it takes the drain back. address is where the others reach it; ""
// for one that is a member already.
func (n *Node) Add(ctx context.Context, node, address string, report func(Progress)) error {
	say := steps(report)
	m, err := askLeader[member](ctx, n, 0, callMember, memberRequest{Op: memberAdd, Node: node, Address: address})
	if err != nil {
		return err
	}
	if m, err = n.awaitJoined(ctx, m, say); err != nil {
		return err
	}
	for shard := range n.shardCount() {
		if err := n.addReplica(ctx, shard, node, say); err != nil {
			return err
		}
	}
	if m.State == memberJoining {
		_, err = askLeader[member](ctx, n, 0, callMember, memberRequest{Op: memberAdded, Node: node})
	}
	if err == nil {
		say.say(node+" is a member", node, nil, 1, 1)
	}
	return err
}

// awaitJoined waits until the cluster has recorded a node with its data.
func (n *Node) awaitJoined(ctx context.Context, m member, say steps) (member, error) {
	for m.Data == "" {
		say.say("waiting for "+m.ID+" to start", m.ID, nil, 0, 0)
		if err := n.pause(ctx, retryEvery*5); err != nil {
			return m, fmt.Errorf("%w: %s has not come yet; it is expected at %s", ErrUnavailable, m.ID, m.Address)
		}
		var err error
		if m, err = askLeader[member](ctx, n, 0, callMember, memberRequest{Op: memberGet, Node: m.ID}); err != nil {
			return m, err
		}
	}
	return m, nil
}

// addReplica brings a node into one group and gives it a vote when it has caught
// up, unless it has one.
func (n *Node) addReplica(ctx context.Context, shard uint16, node string, say steps) error {
	st, err := askLeader[shardReply](ctx, n, shard, callShard, shardRequest{Shard: shard, Op: shardState})
	if err != nil || st.voter(node) {
		return err
	}
	if _, err := askLeader[shardReply](ctx, n, shard, callShard, shardRequest{Shard: shard, Op: shardAdd, Node: node}); err != nil {
		return err
	}
	if err := n.awaitCaughtUp(ctx, shard, node, say); err != nil {
		return err
	}
	_, err = askLeader[shardReply](ctx, n, shard, callShard, shardRequest{Shard: shard, Op: shardPromote, Node: node})
	return err
}

// catchUpRound is how long the last round of catching up may take: what comes in
// meanwhile is what the new voter lags behind, and less than an election.
const catchUpRound = time.Second

// awaitCaughtUp feeds a follower in rounds (Ongaro's thesis, 4.2.1): each round is
// over when it has what the leader had at the round's beginning. Under load there
// is always something new, so a short round is as good as none missing.
func (n *Node) awaitCaughtUp(ctx context.Context, shard uint16, node string, say steps) error {
	var target uint64
	var began time.Time
	for {
		st, err := askLeader[shardReply](ctx, n, shard, callShard, shardRequest{Shard: shard, Op: shardState})
		if err != nil {
			return err
		}
		f := st.follower(node)
		switch {
		case node == st.Leader:
			return nil
		case target > 0 && f.Match >= target && time.Since(began) <= catchUpRound:
			return nil
		case target == 0 || f.Match >= target:
			target, began = st.Last, time.Now()
		}
		if f.Streaming {
			say.say("sending the state of the shard", node, &shard, uint64(f.StreamedBytes), uint64(f.StreamBytes))
		} else {
			say.say("catching up", node, &shard, f.Match, target)
		}
		if err := n.pause(ctx, retryEvery); err != nil {
			return fmt.Errorf("%w: %s has %d of %d entries of shard %d; it goes on catching up: ask again", ErrUnavailable, node, f.Match, target, shard)
		}
	}
}

// RemoveOptions change what Remove may do.
type RemoveOptions struct {
	// Force removes although the rest has no majority that is reachable. A group
	// whose change can't be committed then stands still until the missing ones are
	// back.
	Force bool
}

// Remove takes a node out of every shard, dead or alive. It is refused if those
// who stay would have no reachable majority in some shard.
func (n *Node) Remove(ctx context.Context, node string, o RemoveOptions, report func(Progress)) error {
	say := steps(report)
	if _, err := askLeader[member](ctx, n, 0, callMember, memberRequest{Op: memberRemove, Node: node}); err != nil {
		return err
	}
	count := n.shardCount()
	for i := range count {
		shard := count - 1 - i // shard 0, which has the settings, last
		say.say("removing "+node, node, &shard, uint64(i), uint64(count))
		if err := n.removeReplica(ctx, shard, node, o.Force); err != nil {
			return err
		}
	}
	if _, err := askLeader[member](ctx, n, 0, callMember, memberRequest{Op: memberGone, Node: node}); err != nil {
		return err
	}
	say.say(node+" is removed", node, nil, uint64(count), uint64(count))
	return nil
}

// removeReplica takes a node out of one group; a leader gives the lead away first.
func (n *Node) removeReplica(ctx context.Context, shard uint16, node string, force bool) error {
	for {
		_, err := askLeader[shardReply](ctx, n, shard, callShard, shardRequest{Shard: shard, Op: shardRemove, Node: node, Force: force})
		if err == nil || !leads(err) {
			return err
		}
		if _, err := askLeader[shardReply](ctx, n, shard, callShard, shardRequest{Shard: shard, Op: shardTransfer}); err != nil {
			return err
		}
		if err := n.pause(ctx, retryEvery); err != nil {
			return fmt.Errorf("%w: shard %d is still led by %s", ErrUnavailable, shard, node)
		}
	}
}

// Transfer moves the leadership of a shard to a node; "": to whoever has caught up
// furthest.
func (n *Node) Transfer(ctx context.Context, shard uint16, to string) error {
	if shard >= n.shardCount() {
		return fmt.Errorf("%w: shard %d; there are %d", ErrNotFound, shard, n.shardCount())
	}
	v := n.current.Load()
	if m := v.members[to]; to != "" && v.charter != nil && (m.ID == "" || m.State == memberRemoved) {
		return fmt.Errorf("%w: no node %s in this cluster", ErrNotFound, to)
	}
	_, err := askLeader[shardReply](ctx, n, shard, callShard, shardRequest{Shard: shard, Op: shardTransfer, Node: to})
	return err
}

// shardCount is how many shards the cluster has, 0 before Form.
func (n *Node) shardCount() uint16 {
	if c := n.identity().Char; c != nil {
		return uint16(c.Shards)
	}
	return 0
}

// pause waits, and gives an error when ctx or the node has ended first.
func (n *Node) pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-n.closing:
		return ErrStopped
	case <-time.After(d):
		return nil
	}
}
