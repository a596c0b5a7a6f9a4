package cluster

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var errDropped = errors.New("dropped")

// acceptors are the peers' identities, and a network that loses what it likes.
type acceptors struct {
	ids   map[string]*identity
	peers []string
	lose  func() bool
	down  map[string]bool
}

func newAcceptors(n int, lose func() bool) *acceptors {
	a := &acceptors{ids: map[string]*identity{}, lose: lose, down: map[string]bool{}}
	for i := range n {
		id := fmt.Sprintf("n%d", i+1)
		a.peers = append(a.peers, id)
		a.ids[id] = &identity{Node: id, Data: "data of " + id}
	}
	return a
}

func (a *acceptors) founding(self string) *founding {
	f := &founding{self: self, voters: a.peers, shards: 3}
	f.prepare = func(_ context.Context, peer string, req prepareRequest) (foundationReply, error) {
		return a.deliver(peer, func(id *identity) foundationReply { return id.prepare(req, a.peers, 3) })
	}
	f.accept = func(_ context.Context, peer string, req acceptRequest) (foundationReply, error) {
		return a.deliver(peer, func(id *identity) foundationReply { return id.accept(req) })
	}
	return f
}

func (a *acceptors) deliver(peer string, do func(*identity) foundationReply) (foundationReply, error) {
	if a.down[peer] || a.lose() {
		return foundationReply{}, errDropped
	}
	r := do(a.ids[peer])
	if a.lose() {
		return foundationReply{}, errDropped // done, but nobody knows
	}
	return r, nil
}

// ordered makes gather's calls one after the other by taking turns under a lock.
type ordered struct{ turn chan struct{} }

func newOrdered() *ordered {
	o := &ordered{make(chan struct{}, 1)}
	o.turn <- struct{}{}
	return o
}

func (o *ordered) wrap(f *founding) *founding {
	p, a := f.prepare, f.accept
	f.prepare = func(ctx context.Context, peer string, req prepareRequest) (foundationReply, error) {
		<-o.turn
		defer func() { o.turn <- struct{}{} }()
		return p(ctx, peer, req)
	}
	f.accept = func(ctx context.Context, peer string, req acceptRequest) (foundationReply, error) {
		<-o.turn
		defer func() { o.turn <- struct{}{} }()
		return a(ctx, peer, req)
	}
	return f
}

func TestFoundersAreThoseWhoPromised(t *testing.T) {
	a := newAcceptors(3, func() bool { return false })
	a.down["n3"] = true
	c, _, err := newOrdered().wrap(a.founding("n1")).run(t.Context(), ballot{1, "n1"})
	require.NoError(t, err)
	require.Equal(t, []string{"n1", "n2", "n3"}, c.Voters, "the late one has a vote from the beginning")
	require.Equal(t, map[string]string{"n1": "data of n1", "n2": "data of n2"}, c.Founders, "but is on record only when it comes")
	require.NoError(t, c.check())
}

func TestOneOfThreeFoundsNothing(t *testing.T) {
	a := newAcceptors(3, func() bool { return false })
	a.down["n2"], a.down["n3"] = true, true
	_, _, err := newOrdered().wrap(a.founding("n1")).run(t.Context(), ballot{1, "n1"})
	require.ErrorIs(t, err, errNotFounded)
}

func TestOtherListsTakeNoPart(t *testing.T) {
	id := identity{Node: "n2", Data: "d"}
	r := id.prepare(prepareRequest{Ballot: ballot{1, "n1"}, Voters: []string{"n1", "n2"}, Shards: 2}, []string{"n1", "n2", "n3"}, 3)
	require.False(t, r.OK)
	require.Equal(t, "n1 was given the peers n1,n2, n2 was given n1,n2,n3", r.Refusal)
	r = id.prepare(prepareRequest{Ballot: ballot{1, "n1"}, Voters: []string{"n1", "n2"}, Shards: 2}, []string{"n1", "n2"}, 1)
	require.Equal(t, "n1 wants 2 shards, n2 wants 1", r.Refusal)
	require.Zero(t, id.Ballot, "nothing was promised")
}

// Whoever proposes, whatever is lost, and whoever stops in between: all who ever
// learn a charter learn the same one.
func TestThereIsOneCharter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 5).Draw(t, "peers")
		loss := rapid.IntRange(0, 60).Draw(t, "loss")
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		a := newAcceptors(n, func() bool { return random.IntN(100) < loss })
		o := newOrdered()
		chosen := map[string]bool{}
		round := uint64(0)
		for range rapid.IntRange(1, 12).Draw(t, "attempts") {
			proposer := a.peers[random.IntN(n)]
			round += uint64(random.IntN(2)) // also the same round as another's, or its own
			c, seen, err := o.wrap(a.founding(proposer)).run(context.Background(), ballot{round, proposer})
			if random.IntN(2) == 0 {
				round = max(round, seen.Round) + 1
			}
			if err == nil {
				chosen[c.Cluster] = true
			}
		}
		a.lose = func() bool { return false }
		c, _, err := o.wrap(a.founding("n1")).run(context.Background(), ballot{round + 100, "n1"})
		if err != nil {
			t.Fatalf("nothing is lost, and nobody can found: %v", err)
		}
		chosen[c.Cluster] = true
		if len(chosen) != 1 {
			t.Fatalf("%d charters were chosen", len(chosen))
		}
	})
}
