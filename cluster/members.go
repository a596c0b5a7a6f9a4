package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/raft"
)

// Server is one member of a group.
type Server struct {
	ID    string
	Voter bool
}

// Servers is the group's latest configuration, as far as this node's log knows it,
// sorted by id.
func (g *Group) Servers() []Server { return servers(g.raft.GetConfiguration().Configuration()) }

// membersNow is the last configuration that is committed.
func (g *Group) membersNow() []Server {
	if all := g.members.Load(); all != nil {
		return *all
	}
	return nil
}

// AddNonvoter makes id a member without a vote, which is fed from now on. Nothing is
// done if it is a member already. Like all changes of members it is for the leader
// (ErrNotLeader otherwise) and returns when the change is committed; one that ctx cut
// off may still come to be.
func (g *Group) AddNonvoter(ctx context.Context, id string) error {
	return g.change(ctx, func() raft.IndexFuture {
		return g.raft.AddNonvoter(raft.ServerID(id), raft.ServerAddress(id), 0, 0)
	})
}

// Promote gives a member a vote. The caller has seen in Stats that it has caught up.
func (g *Group) Promote(ctx context.Context, id string) error {
	return g.change(ctx, func() raft.IndexFuture {
		return g.raft.AddVoter(raft.ServerID(id), raft.ServerAddress(id), 0, 0)
	})
}

// Demote takes a member's vote.
func (g *Group) Demote(ctx context.Context, id string) error {
	return g.change(ctx, func() raft.IndexFuture { return g.raft.DemoteVoter(raft.ServerID(id), 0, 0) })
}

// Remove ends a membership. If the leader removes itself, it steps down when the
// change is committed.
func (g *Group) Remove(ctx context.Context, id string) error {
	return g.change(ctx, func() raft.IndexFuture { return g.raft.RemoveServer(raft.ServerID(id), 0, 0) })
}

// change makes one change of members. Raft takes one at a time and lets others wait.
func (g *Group) change(ctx context.Context, begin func() raft.IndexFuture) error {
	return g.wait(ctx, func() error { return begin().Error() })
}

// wait calls f, which waits for Raft, until ctx or the group ends.
func (g *Group) wait(ctx context.Context, f func() error) error {
	answer := make(chan error, 1)
	go func() { answer <- f() }()
	select {
	case err := <-answer:
		return groupError(err)
	case <-ctx.Done():
		return ctx.Err()
	case <-g.ended:
		return ErrStopped
	}
}

func groupError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, raft.ErrRaftShutdown):
		return ErrStopped
	case errors.Is(err, raft.ErrNotLeader), errors.Is(err, raft.ErrLeadershipLost),
		errors.Is(err, raft.ErrLeadershipTransferInProgress):
		return fmt.Errorf("%w (%v)", ErrNotLeader, err)
	}
	return fmt.Errorf("cluster: %w", err)
}

// Transfer hands the lead to a member ("": the one that is furthest). Packs in flight
// are finished first and new ones wait, so no waiter notices but for the time it takes.
// After an error this node leads on, or somebody else does.
//
// Raft refuses proposals while it transfers, and a little longer. So that none is ever
// refused, everything is held before, and the barrier behind the last one has come
// through when Raft is asked; after a failure a barrier tells when it takes them again.
func (g *Group) Transfer(ctx context.Context, to string) error {
	select {
	case g.transfers <- struct{}{}:
		defer func() { <-g.transfers }()
	case <-ctx.Done():
		return ctx.Err()
	}
	term := g.lease.Load()
	if !g.Leader() || term == 0 {
		return ErrNotLeader
	}
	to, err := g.successor(to)
	if err != nil {
		return err
	}
	g.intake.hold()
	g.batcher.pause(true)
	defer g.batcher.pause(false)
	defer g.intake.release()
	soon, cancel := context.WithTimeout(ctx, g.cfg.ElectionTimeout)
	defer cancel()
	if err := g.barrier(soon); err != nil {
		return err
	}
	// The successor is elected without waiting for our lease.
	g.lease.CompareAndSwap(term, 0)
	err = g.wait(ctx, func() error {
		return g.raft.LeadershipTransferToServer(raft.ServerID(to), raft.ServerAddress(to)).Error()
	})
	if err != nil {
		g.takeBack(term)
	}
	return err
}

// successor is who a lead can be handed to: the member itself, if it has a vote and has
// been heard of, or the one whose log is longest. Raft would try with one that is
// away, and take no proposals until it gives up.
func (g *Group) successor(to string) (string, error) {
	best := FollowerStat{}
	for _, f := range g.Stats().Followers {
		if !f.Voter || f.LastContact < 0 || f.LastContact > g.cfg.HeartbeatTimeout || to != "" && f.ID != to {
			continue
		}
		if best.ID == "" || f.Match > best.Match {
			best = f
		}
	}
	if best.ID == "" {
		return "", fmt.Errorf("cluster: shard %d: no voter %q can be reached to take the lead", g.cfg.Shard, to)
	}
	return best.ID, nil
}

// takeBack returns when Raft takes proposals again, or the lead is lost.
func (g *Group) takeBack(term uint64) {
	for g.raft.State() == raft.Leader && g.raft.CurrentTerm() == term {
		if g.barrier(context.Background()) == nil {
			g.lease.CompareAndSwap(0, term)
			return
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-g.ended:
			return
		}
	}
}

// NowMillis is the shard's clock, Unix milliseconds; see clock.
func (g *Group) NowMillis() int64 { return g.clock.millis() }
