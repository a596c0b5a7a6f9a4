package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// # How a node comes into its cluster
//
// A node whose identity says Member starts its groups and needs nobody's leave. Any
// other asks its peers who they are, again and again, and does what the first rule
// that fits says:
//
//  1. A peer knows the charter of a cluster: this node never founds another one.
//     Is it a founder with these very data, it begins. Else it asks to join.
//  2. It is one of its peers, and a majority of them is empty, here, and was given
//     the same list and the same number of shards: they found a cluster
//     (foundation.go). They wait FormGrace for the rest, so that a node that has
//     data can still say so.
//  3. It waits, and says for whom.
//
// To join is to be recorded by the leader of shard 0: node/<id> with the data id. Only
// then may the groups run, so every node that ever voted or acknowledged anything
// is on record, in the charter or in the settings, before it does.
//
// What that means:
//
//   - Two start, one is late: the two found the cluster; the groups' first
//     configuration has all three. The late one is recorded when it comes.
//   - A node that was wiped is on record with other data: refused for good, by the
//     leader of shard 0 and by every peer's Admit. Its id stays with its old data
//     even after Remove; the new disk comes in under a new id.
//   - Peers with different lists or shards don't count for each other. Where a
//     cluster exists already the list is only a list of addresses.
//   - A majority that was wiped, while nobody who remembers can be reached, looks like
//     a majority that starts for the first time: it founds a new cluster. The
//     survivor is of another cluster then, refuses and is refused, and keeps its
//     data untouched for whoever comes to look. If it is there in time, rule 1
//     and Admit refuse the wiped ones instead.
//   - A node restarts while the others found: it is one of the peers in its own
//     identity's state (promised, voted, or nothing), which Paxos allows for.
//   - One founding voter that never came and another one lost: shard 0 of three has
//     no majority to record the one that never came. It has to wait for the lost one.

// sight is what a peer says about itself.
type sight struct {
	Node   string   `json:"node"`
	Voters []string `json:"voters"`
	Shards int      `json:"shards"`
	// Charter of the cluster that was founded, if it knows one.
	Charter *charter `json:"charter,omitempty"`
	// Addresses of the members, if it knows them.
	Addresses map[string]string `json:"addresses,omitempty"`
}

// forming is a node that is of no cluster yet. It decides; Node.Form does.
type forming struct {
	self, data  string
	removed     bool     // from the cluster, as far as this node knows
	voters      []string // sorted
	shards      int      // to found with
	shardsGiven bool     // by the operator
	grace       time.Duration
	since       time.Time // since when a majority is here; zero: it is not
}

type stepKind uint8

const (
	stepWait stepKind = iota
	stepAdopt
	stepJoin
	stepFound
	stepRefuse
)

// step is what to do now. reason is a sentence for stepWait and stepRefuse.
type step struct {
	kind    stepKind
	charter *charter
	reason  string
}

// next decides. chosen is the charter that this node knows of, if any; sights are
// the answers of others.
func (f *forming) next(now time.Time, chosen *charter, sights []sight) step {
	for _, s := range sights {
		switch {
		case s.Charter == nil:
		case chosen == nil:
			chosen = s.Charter
		case chosen.Cluster != s.Charter.Cluster:
			return step{kind: stepWait, reason: fmt.Sprintf("the peers belong to different clusters (%s: %s, others: %s)", s.Node, s.Charter.Cluster, chosen.Cluster)}
		}
	}
	if chosen != nil {
		return f.enter(chosen)
	}
	if !slices.Contains(f.voters, f.self) {
		return step{kind: stepWait, reason: fmt.Sprintf("%s is not one of the peers %s: waiting for one of them to be of a cluster that it can be added to", f.self, strings.Join(f.voters, ", "))}
	}
	empty, reason := f.likeMinded(sights)
	if len(empty) < majority(len(f.voters)) {
		f.since = time.Time{}
		return step{kind: stepWait, reason: reason}
	}
	if f.since.IsZero() {
		f.since = now
	}
	wait := f.grace
	if len(empty) == len(f.voters) {
		wait = 0
	}
	// The first one proposes; the next ones only if that leads to nothing.
	wait += time.Duration(slices.Index(empty, f.self)) * proposerTurn
	if now.Sub(f.since) < wait {
		return step{kind: stepWait, reason: reason}
	}
	return step{kind: stepFound}
}

const proposerTurn = 700 * time.Millisecond

// enter is how to get into a cluster that exists.
func (f *forming) enter(c *charter) step {
	data, founder := c.Founders[f.self]
	switch {
	case f.shardsGiven && c.Shards != f.shards:
		return step{kind: stepRefuse, reason: fmt.Sprintf("the cluster was founded with %d shards, which can't be changed, and this node was given %d", c.Shards, f.shards)}
	case founder && data == f.data && !f.removed:
		return step{kind: stepAdopt, charter: c}
	case founder && data != f.data:
		return step{kind: stepRefuse, reason: fmt.Sprintf("%s is one of the cluster's founders, with other data: it was wiped, or started on another directory. It may have forgotten what it promised, so it can't come back under this id: remove %s and add the node under a new id", f.self, f.self)}
	}
	return step{kind: stepJoin, charter: c}
}

// likeMinded are the empty peers with the same settings, this node included, sorted.
func (f *forming) likeMinded(sights []sight) (ids []string, reason string) {
	ids = []string{f.self}
	var others []string
	for _, s := range sights {
		switch {
		case !slices.Contains(f.voters, s.Node):
		case slices.Equal(s.Voters, f.voters) && s.Shards == f.shards:
			ids = append(ids, s.Node)
		default:
			others = append(others, describeMismatch(s.Node, s.Voters, s.Shards, f.self, f.voters, f.shards))
		}
	}
	slices.Sort(ids)
	if len(others) > 0 {
		return ids, strings.Join(others, "; ")
	}
	missing := slices.DeleteFunc(slices.Clone(f.voters), func(v string) bool { return slices.Contains(ids, v) })
	if len(missing) == 0 {
		return ids, fmt.Sprintf("all %d peers are here: they form a cluster", len(ids))
	}
	return ids, fmt.Sprintf("%d of %d peers are here, waiting for %s", len(ids), len(f.voters), strings.Join(missing, ", "))
}

// formEvery is how often peers are asked.
const formEvery = 200 * time.Millisecond

// Form starts the mesh and returns when the cluster exists and this node may take
// part in it: at once when it did before; else when a majority of the peers has
// founded a cluster with this node in it, or an existing cluster has taken it in.
// What it waits for is in Waiting, in Status and in the log.
//
// Errors: ErrRefused (wrapped, with the reason) when waiting can't help;
// ctx's.
func (n *Node) Form(ctx context.Context) (Formation, error) {
	if c := n.identity().Char; c != nil {
		n.learnAddresses(c.Addresses)
	}
	n.mesh.Start()
	n.address(view{}, time.Now())
	f := &forming{
		self: n.cfg.ID, data: n.identity().Data, voters: n.voters, shards: n.shards(),
		shardsGiven: n.cfg.Shards != 0, grace: n.cfg.FormGrace, removed: n.identity().Removed,
	}
	for !n.identity().Member {
		if err := n.formOnce(ctx, f); err != nil {
			return Formation{}, err
		}
	}
	n.setWaiting("")
	id := n.identity()
	n.log.Log(ctx, n.newsLevel(), "this node is of the cluster", "cluster", id.Char.Cluster, "shards", id.Char.Shards)
	n.spawn(n.keep)
	n.spawn(n.balance)
	if checksOn {
		n.spawn(n.checkRegularly)
	}
	return Formation{Cluster: id.Char.Cluster, Shards: id.Char.Shards}, nil
}

// formOnce looks around and does one step.
func (n *Node) formOnce(ctx context.Context, f *forming) error {
	for _, word := range []string{refusedWiped, refusedLevel} {
		for by, r := range n.peers.refusals(word) {
			return fmt.Errorf("%w by %s: %s", ErrRefused, by, r.text)
		}
	}
	s := f.next(time.Now(), n.identity().Char, n.look(ctx))
	switch s.kind {
	case stepAdopt:
		return n.become(s.charter, 0)
	case stepRefuse:
		return fmt.Errorf("%w: %s", ErrRefused, s.reason)
	case stepFound:
		if err := n.found(ctx); !errors.Is(err, errNotFounded) {
			return err
		}
	case stepJoin:
		done, err := n.join(ctx, s.charter)
		if done || err != nil {
			return err
		}
	case stepWait:
		n.setWaiting(s.reason)
	}
	n.address(view{}, time.Now())
	select {
	case <-ctx.Done():
		return fmt.Errorf("cluster: not formed: %s: %w", n.Waiting(), ctx.Err())
	case <-n.closing:
		return ErrStopped
	case <-time.After(formEvery):
		return nil
	}
}

// lookTimeout is how long one peer may take to say who it is.
const lookTimeout = time.Second

// look asks all connected peers who they are.
func (n *Node) look(ctx context.Context) []sight {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	return gather(ctx, n.connected(), func(ctx context.Context, peer string) (sight, error) {
		s, err := ask[sight](ctx, n, peer, callWho, struct{}{})
		if err == nil {
			n.learnAddresses(s.Addresses)
		}
		return s, err
	})
}

func (n *Node) handleWho(context.Context, string, struct{}) (sight, error) {
	id := n.identity()
	s := sight{Node: n.cfg.ID, Voters: n.voters, Shards: n.shards()}
	if id.Char.check() == nil {
		s.Charter = id.Char
		s.Addresses = n.memberAddresses()
	}
	return s, nil
}

// become makes this node a member, durably.
func (n *Node) become(c *charter, level uint32) error {
	n.peers.forgive() // what they said before counts no more
	return n.changeIdentity(func(id *identity) {
		id.Char, id.Member, id.Removed, id.Ballot, id.Vote = c, true, false, ballot{}, nil
		id.Level = max(id.Level, level)
	})
}

// found makes one attempt at founding a cluster, and tells everybody of it.
func (n *Node) found(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*lookTimeout)
	defer cancel()
	f := founding{
		self: n.cfg.ID, voters: n.voters, shards: n.shards(), addrs: n.configured,
		prepare: func(ctx context.Context, peer string, req prepareRequest) (foundationReply, error) {
			return ask[foundationReply](ctx, n, peer, callPrepare, req)
		},
		accept: func(ctx context.Context, peer string, req acceptRequest) (foundationReply, error) {
			return ask[foundationReply](ctx, n, peer, callAccept, req)
		},
	}
	round := max(n.identity().Ballot.Round, n.lastRound.Load()) + 1
	c, seen, err := f.run(ctx, ballot{Round: round, Node: n.cfg.ID})
	n.lastRound.Store(max(n.lastRound.Load(), seen.Round))
	if err != nil {
		return err
	}
	if err := n.learn(c); err != nil {
		return err
	}
	gather(ctx, n.connected(), func(ctx context.Context, peer string) (struct{}, error) {
		return ask[struct{}](ctx, n, peer, callChosen, c)
	})
	return nil
}

// learn notes the charter of the cluster, and that this node is one of its
// founders, if it is.
func (n *Node) learn(c *charter) error {
	if err := c.check(); err != nil {
		return err
	}
	if id := n.identity(); id.Char != nil {
		return nil
	}
	return n.changeIdentity(func(id *identity) { id.Char = c })
}

func (n *Node) handlePrepare(_ context.Context, _ string, req prepareRequest) (r foundationReply, err error) {
	err = n.changeIdentity(func(id *identity) { r = id.prepare(req, n.voters, n.shards()) })
	return r, err
}

func (n *Node) handleAccept(_ context.Context, _ string, req acceptRequest) (r foundationReply, err error) {
	err = n.changeIdentity(func(id *identity) { r = id.accept(req) })
	return r, err
}

func (n *Node) handleChosen(_ context.Context, _ string, c *charter) (struct{}, error) {
	return struct{}{}, n.learn(c)
}
