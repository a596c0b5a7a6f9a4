package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// shardRequest is one step in one group. It is for the group's leader.
type shardRequest struct {
	Shard uint16 `json:"shard"`
	Op    string `json:"op"`
	Node  string `json:"node,omitempty"`
	Force bool   `json:"force,omitempty"`
	Sure  bool   `json:"sure,omitempty"` // of shardState: nobody else leads, and Applied is wanted
}

// The words of shardRequest.Op.
const (
	shardState    = "state"    // say how it stands
	shardAdd      = "add"      // Node becomes a non-voter, unless it is a member
	shardPromote  = "promote"  // Node gets a vote
	shardRemove   = "remove"   // Node is a member no more
	shardTransfer = "transfer" // Node, or whoever is best, leads
)

// shardReply is how a group stands.
type shardReply struct {
	Leader    string         `json:"leader"`
	Last      uint64         `json:"last"` // the leader's newest entry
	Servers   []Server       `json:"servers"`
	Followers []FollowerStat `json:"followers"`
	// Applied is how far the leader's state is, if that was asked for; 0 from a release
	// that does not say.
	Applied uint64 `json:"applied,omitempty"`
}

func (r *shardReply) server(node string) (Server, bool) {
	for _, s := range r.Servers {
		if s.ID == node {
			return s, true
		}
	}
	return Server{}, false
}

func (r *shardReply) voter(node string) bool {
	s, ok := r.server(node)
	return ok && s.Voter
}

// voters are the ids of the voters but for one.
func (r *shardReply) voters(without string) []string {
	var ids []string
	for _, s := range r.Servers {
		if s.Voter && s.ID != without {
			ids = append(ids, s.ID)
		}
	}
	return ids
}

func (r *shardReply) follower(node string) FollowerStat {
	for _, f := range r.Followers {
		if f.ID == node {
			return f
		}
	}
	return FollowerStat{ID: node, LastContact: -1}
}

// answers: a node takes part in the group now.
func (r *shardReply) answers(node string) bool {
	f := r.follower(node)
	return node == r.Leader || f.LastContact >= 0 && f.LastContact < contactPatience
}

// contactPatience is how long ago a follower may have answered to count as there.
const contactPatience = 3 * time.Second

// answering is how many of nodes take part now.
func (r *shardReply) answering(nodes []string) (count int) {
	for _, id := range nodes {
		if r.answers(id) {
			count++
		}
	}
	return count
}

// errLeads: the node that is to go leads. The text is what callers on other nodes
// know it by.
var errLeads = fmt.Errorf("%w: it leads the shard", ErrConflict)

func leads(err error) bool { return err != nil && err.Error() == errLeads.Error() }

func (n *Node) handleShard(ctx context.Context, _ string, req shardRequest) (shardReply, error) {
	r := n.replica(req.Shard)
	if r == nil || !r.group.Leader() {
		return shardReply{}, ErrNotLeader
	}
	st := r.state()
	var err error
	switch req.Op {
	case shardState:
		if req.Sure {
			return r.sureState(st)
		}
	case shardAdd:
		if _, member := st.server(req.Node); !member {
			err = r.group.AddNonvoter(ctx, req.Node)
		}
	case shardPromote:
		if !st.voter(req.Node) {
			err = r.group.Promote(ctx, req.Node)
		}
	case shardRemove:
		err = r.remove(ctx, st, req.Node, req.Force)
	case shardTransfer:
		err = r.transfer(ctx, st, req.Node)
	default:
		err = fmt.Errorf("%w: unknown request %q", ErrInvalid, req.Op)
	}
	if err != nil {
		return st, err
	}
	return r.state(), nil
}

// state is how the group stands, as its leader sees it.
func (r *replica) state() shardReply {
	s := r.group.Stats()
	return shardReply{Leader: r.node.cfg.ID, Last: s.LastIndex, Servers: r.group.Servers(), Followers: s.Followers}
}

// sureState is st with what was applied. It is as of now: nobody else leads yet.
func (r *replica) sureState(st shardReply) (shardReply, error) {
	st.Applied = r.group.cfg.FSM.AppliedIndex()
	if !r.group.LeaseValid(time.Now()) { // after the look
		return shardReply{}, ErrNotLeader
	}
	return st, nil
}

// LeaderApplied is how far a shard's state is at its leader, by FSM.AppliedIndex: a replica
// that is as far knows of everything that anybody was told of before the call. It asks the
// leader, this node or another one, until ctx ends. Errors: ErrUnavailable.
func (n *Node) LeaderApplied(ctx context.Context, shard uint16) (uint64, error) {
	st, err := askLeader[shardReply](ctx, n, shard, callShard, shardRequest{Shard: shard, Op: shardState, Sure: true})
	return st.Applied, err
}

// remove takes a node out, if those who stay can go on without it.
func (r *replica) remove(ctx context.Context, st shardReply, node string, force bool) error {
	s, member := st.server(node)
	if !member {
		return nil
	}
	if node == st.Leader {
		return errLeads
	}
	if rest := st.voters(node); s.Voter && !force && st.answering(rest) < majority(len(rest)) {
		return fmt.Errorf("%w: without %s shard %d would have %d voters, of whom %d answer: start the others or add a node first",
			ErrConflict, node, r.shard, len(rest), st.answering(rest))
	}
	return r.group.Remove(ctx, node)
}

// transfer gives the lead away: to a node, or to the best one.
func (r *replica) transfer(ctx context.Context, st shardReply, to string) error {
	switch {
	case to == st.Leader:
		return nil
	case to == "":
		if to = r.node.successor(r.shard, st); to == "" {
			return fmt.Errorf("%w: shard %d has no other voter that has caught up", ErrConflict, r.shard)
		}
	case !st.voter(to):
		return fmt.Errorf("%w: %s has no vote in shard %d", ErrConflict, to, r.shard)
	case !st.answers(to):
		return fmt.Errorf("%w: %s does not answer", ErrConflict, to)
	case r.node.spared(to):
		return fmt.Errorf("%w: %s is drained, or about to stop", ErrConflict, to)
	}
	err := r.group.Transfer(ctx, to)
	if err != nil && !errors.Is(err, ErrNotLeader) && !errors.Is(err, ErrStopped) {
		return fmt.Errorf("%w: shard %d to %s: %v", ErrUnavailable, r.shard, to, err)
	}
	if err == nil {
		r.untilFollowing(ctx)
	}
	return err
}

// untilFollowing waits a moment until the group's owner has been told that the lead
// is gone.
func (r *replica) untilFollowing(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	for r.group.Leader() && r.node.pause(ctx, time.Millisecond) == nil {
	}
}

// closeBehind is how many entries a successor may lack: they are sent while the
// group waits.
const closeBehind = 1024

// successor is the voter that should lead instead of this node: of those that may
// lead, who has most of the log, the first by id among equals. "" if there is none.
func (n *Node) successor(shard uint16, st shardReply) string {
	var best FollowerStat
	for _, f := range st.Followers {
		if f.Voter && st.answers(f.ID) && !f.Streaming && n.mayLead(f.ID, shard) && (best.ID == "" || f.Match > best.Match) {
			best = f
		}
	}
	return best.ID
}

// mayLead: a node is a member that is not to be spared, and its replica is whole.
func (n *Node) mayLead(id string, shard uint16) bool {
	m := n.current.Load().members[id]
	said, met := n.said(id)
	return m.State == memberVoter && met && !n.spared(id) && !slices.Contains(said.Held, shard)
}

// spared: a node is to lead nothing, for it is to be stopped.
func (n *Node) spared(id string) bool {
	said, met := n.said(id)
	return met && (said.leaving || n.current.Load().members[id].drained(said.incarnation))
}

// leaders are the members that may lead a shard, sorted.
func (n *Node) leaders(shard uint16) []string {
	v := n.current.Load()
	return slices.DeleteFunc(v.active(), func(id string) bool { return !n.mayLead(id, shard) })
}
