package cluster

import (
	"context"
	"time"

	"entrepot/queue"
)

// Group is one node's part in one Raft group.
type Group struct{}

// Start joins the group: bootstraps a single voter if the log is empty, replays
// K+1..snapshot mark into the FSM, starts Raft.
func Start(cfg Config) (*Group, error) { panic("unimplemented") }

// Batcher is the group's batcher; it exists as long as the group.
func (g *Group) Batcher() *Batcher { panic("unimplemented") }

// Leader: this node leads and its FSM has everything that was committed before.
func (g *Group) Leader() bool { panic("unimplemented") }

// Barrier waits until everything committed so far is applied here.
func (g *Group) Barrier(timeout time.Duration) error { panic("unimplemented") }

// Stop finishes what was gathered, for as long as ctx lets it, and ends Raft.
func (g *Group) Stop(ctx context.Context) error { panic("unimplemented") }

// Stats is a moment's view.
func (g *Group) Stats() Stats { panic("unimplemented") }

// Stats describes a group at one moment.
type Stats struct {
	Leader                                                 bool
	LeaderID                                               string
	Term, FirstIndex, LastIndex, CommitIndex, AppliedIndex uint64
	SnapshotIndex                                          uint64
	Voters                                                 int
	BacklogBytes                                           int
}

// Batcher gathers records into packs.
type Batcher struct{}

// Pack is the pack being filled, between Begin and End.
type Pack struct {
	// Builder takes the records.
	Builder *queue.PackBuilder
}

// Waiter is told what became of the records it waits for.
type Waiter interface {
	// Done is called once per run of neighbouring records of this waiter in a
	// pack. results is nil when all were applied with nothing to say, else one
	// per token. Both slices are the batcher's again when Done returns. With err
	// set (ErrNotLeader, ErrStopped: certainly not applied; ErrUnknownOutcome)
	// results is nil. Calls never overlap. Done must not block.
	Done(tokens []uint64, results []queue.Reply, err error)
}

// Begin locks the batcher and returns the pack to append to. sizeBytes is about
// the size of the record to come (0 if it is small), so that one bigger than
// MaxPackBytes gets a pack of its own. One record per Begin.
func (b *Batcher) Begin(sizeBytes int) *Pack { panic("unimplemented") }

// Wait registers w for the record just appended.
func (p *Pack) Wait(w Waiter, token uint64) { panic("unimplemented") }

// End unlocks and sends the pack off if nothing is in flight.
func (b *Batcher) End() { panic("unimplemented") }

// EndMore unlocks only: the caller has more records at hand and calls End or
// Flush before it waits for anything. So a burst is not torn in two.
func (b *Batcher) EndMore() { panic("unimplemented") }

// Flush sends off what EndMore left, if nothing is in flight.
func (b *Batcher) Flush() { panic("unimplemented") }

// Backlog is how many bytes wait to be handed to Raft.
func (b *Batcher) Backlog() int { panic("unimplemented") }
