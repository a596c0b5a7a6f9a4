package cluster

import (
	"context"
	"errors"
	"time"
)

// Server is one member of a group.
type Server struct {
	ID    string
	Voter bool
}

// Servers is the group's latest configuration, as far as this node's log knows it,
// sorted by id.
func (g *Group) Servers() []Server { return nil }

// AddNonvoter makes id a member without a vote, which is fed from now on. Nothing is
// done if it is a member already. Like all changes of members it is for the leader
// (ErrNotLeader otherwise) and returns when the change is committed; one that ctx cut
// off may still come to be.
func (g *Group) AddNonvoter(ctx context.Context, id string) error { return errors.ErrUnsupported }

// Promote gives a member a vote. The caller has seen in Stats that it has caught up.
func (g *Group) Promote(ctx context.Context, id string) error { return errors.ErrUnsupported }

// Demote takes a member's vote.
func (g *Group) Demote(ctx context.Context, id string) error { return errors.ErrUnsupported }

// Remove ends a membership. If the leader removes itself, it steps down when the
// change is committed.
func (g *Group) Remove(ctx context.Context, id string) error { return errors.ErrUnsupported }

// Transfer hands the lead to a member ("": the one that is furthest). Packs in flight
// are finished first and new ones wait, so no waiter notices but for the time it takes.
// After an error this node leads on, or somebody else does.
func (g *Group) Transfer(ctx context.Context, to string) error { return errors.ErrUnsupported }

// LeaseValid: this node leads and a majority has answered, in this term, a message
// that was sent less than LeaseTimeout before now: nobody else leads yet. Always true
// for a single voter that leads.
func (g *Group) LeaseValid(now time.Time) bool { return g.Leader() }

// NowMillis is the shard's clock, Unix milliseconds; see clock.
func (g *Group) NowMillis() int64 { return g.cfg.Wall().UnixMilli() }
