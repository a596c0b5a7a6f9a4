package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
)

// Group is one node's part in one Raft group. Its methods are safe for
// concurrent use.
//
// Goroutines, besides Raft's own (main loop, FSM, snapshots): one that follows
// leadership, one that asks for snapshots, and with several voters the
// batcher's cutter. None of them is on a pack's way with one voter.
type Group struct {
	cfg     Config
	raft    *raft.Raft
	stable  *stableStore
	logs    *logStore
	snaps   *snapStore
	batcher *Batcher
	intake  intake
	clock   *clock
	confs   confs
	// peers is the transport of a group with a Hub, else there is solo.
	peers     *transport
	solo      *soloTransport
	followers *followers
	members   atomic.Pointer[[]Server] // the last configuration that is committed

	leader    atomic.Bool
	lease     atomic.Uint64             // the term in which this node leads and has not given up the lease, 0: none
	led       atomic.Uint64             // the last term in which it led
	aware     atomic.Pointer[time.Time] // from when on nobody is in touch with an earlier leader, see LeaseValid
	snapshot  *snapshotter
	notify    chan bool     // Raft's word on leadership
	routed    chan struct{} // cap 1: Raft knows of another leader
	elections atomic.Uint64
	tuning    sync.Mutex
	transfers chan struct{} // cap 1: held by a Transfer

	ctx       context.Context // ends when the group begins to end
	cancel    context.CancelFunc
	raftUp    chan struct{} // closed when raft is set
	started   chan struct{} // closed when Start is through, raft set or not
	ended     chan struct{} // closed when Raft and its goroutines have ended
	ending    atomic.Bool
	tasks     sync.WaitGroup // our own goroutines
	barriers  chan struct{}  // cap 1: one barrier at a time: Raft's queue has room for packs
	fatalOnce sync.Once
	stopOnce  sync.Once
	stopErr   error
}

// Batcher is the group's batcher; it outlives the group and refuses then.
func (g *Group) Batcher() *Batcher { return g.batcher }

// Leader: this node leads, and its FSM has everything that was committed before
// it did.
func (g *Group) Leader() bool { return g.leader.Load() }

// Barrier waits until everything that was committed when it was called has been
// applied here. Errors: ErrNotLeader, ErrStopped, context.DeadlineExceeded.
func (g *Group) Barrier(timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return g.barrier(ctx)
}

func (g *Group) barrier(ctx context.Context) error {
	answer := make(chan error, 1)
	go func() {
		g.barriers <- struct{}{}
		defer func() { <-g.barriers }()
		answer <- g.raftBarrier()
	}()
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (g *Group) raftBarrier() error {
	if closed(g.ended) {
		return ErrStopped
	}
	f := g.raft.Barrier(0)
	await(g.ended, f.Error)
	if closed(g.ended) { // f.Error might never return
		return ErrStopped
	}
	switch err := f.Error(); {
	case err == nil:
		return nil
	case errors.Is(err, raft.ErrRaftShutdown):
		return ErrStopped
	default:
		return fmt.Errorf("%w (%v)", ErrNotLeader, err)
	}
}

// await returns when Raft has answered, or has ended. It may end without an answer;
// then the goroutine that listens for it stays behind, one for each call.
func await(ended <-chan struct{}, answer func() error) {
	if closed(ended) {
		return
	}
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		_ = answer()
	}()
	select {
	case <-answered:
	case <-ended:
	}
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// Stop refuses new records with ErrStopped, finishes those that were gathered
// for as long as ctx lets it, and ends Raft. Every waiter has been told when it
// returns. The error says that some were told ErrUnknownOutcome or ErrStopped
// because ctx ended; the group has stopped in any case. A write that the disk has
// begun is waited for, however long it takes. Stop may be called again and
// returns the same; not from OnLeader, OnPack or Done, which it waits for.
func (g *Group) Stop(ctx context.Context) error {
	g.stopOnce.Do(func() {
		if err := g.batcher.drain(ctx); err != nil {
			g.batcher.close()
			g.stopErr = fmt.Errorf("cluster: packs in flight were not finished: %w", err)
		}
		g.end()
		g.tasks.Wait()
		g.snaps.drop()
		if err := g.stable.Close(); err != nil && g.stopErr == nil {
			g.stopErr = fmt.Errorf("cluster: close %s: %w", g.stable.path, err)
		}
	})
	return g.stopErr
}

// end shuts Raft down and waits for its goroutines. (A second caller waits for a channel,
// not for a mutex: that would stop the clock of a simulation.)
func (g *Group) end() {
	if g.ending.CompareAndSwap(false, true) {
		g.lease.Store(0)
		g.cancel()
		if g.peers != nil {
			g.cfg.Hub.leave(g)
			g.peers.close() // Raft's goroutines may wait in it
		}
		_ = g.raft.Shutdown().Error()
		close(g.ended)
	}
	<-g.ended
}

// fatal is told by the stores that the disk failed, or by the machine that an entry
// can't be applied; it may be told so more than once. It is called in Raft's own goroutines, so the rest happens elsewhere:
// Raft is ended before it can elect this node again and carry on. (Raft itself
// panics when it can't keep its term; then the line below is the last one.)
func (g *Group) fatal(err error) {
	g.fatalOnce.Do(func() {
		g.batcher.close()
		g.leader.Store(false)
		g.lease.Store(0)
		g.cfg.Logger.Error("the group stops: it can't go on", "shard", g.cfg.Shard, "error", err)
		go func() {
			<-g.started
			if g.raft == nil { // Start has failed, and tells its caller
				return
			}
			g.end()
			if g.cfg.OnFatal != nil {
				g.cfg.OnFatal(err)
			}
		}()
	})
}

// Stats describes a group at one moment. Indexes are those of the log.
type Stats struct {
	Leader        bool
	LeaderID      string // "" if nobody is known to lead
	Term          uint64
	FirstIndex    uint64 // 0: the log is empty
	LastIndex     uint64
	CommitIndex   uint64
	AppliedIndex  uint64 // by the FSM, not only handed to it
	SnapshotIndex uint64 // up to which the log may be truncated
	Voters        int
	BacklogBytes  int // wait for their turn to be handed to Raft or sent to the leader
	InFlight      int // packs on their way and not answered yet
	Totals        Totals
	Followers     []FollowerStat // on the leader, sorted by ID
	Elections     uint64         // terms this node has led since the start
	StreamsSent   uint64         // whole snapshots, since the start
	StreamsTaken  uint64
	Forwarded     uint64 // packs of other nodes that this one has proposed as leader
}

// FollowerStat is what the leader knows about another member.
type FollowerStat struct {
	ID          string
	Voter       bool
	Match       uint64        // the member's log is known to be equal up to here, durably
	LagEntries  uint64        // behind the leader's log
	LagBytes    int64         // the same in bytes, an estimate by the mean size of recent entries
	LastContact time.Duration // since the member answered; -1: never in this term
	// Streaming: it is being fed from a stream; so much of so much was sent.
	Streaming                  bool
	StreamedBytes, StreamBytes int64
}

// Stats returns a view whose fields may be some entries apart.
func (g *Group) Stats() Stats {
	_, leaderID := g.raft.LeaderWithID()
	s := Stats{
		Leader: g.Leader(), LeaderID: string(leaderID), Term: g.raft.CurrentTerm(),
		FirstIndex: g.logs.log.First(), LastIndex: g.raft.LastIndex(), CommitIndex: g.raft.CommitIndex(),
		AppliedIndex: g.cfg.FSM.AppliedIndex(), SnapshotIndex: g.snaps.last.Load(),
		Voters:    voters(g.raft.GetConfiguration().Configuration()),
		Elections: g.elections.Load(), Forwarded: g.intake.taken.Load(),
		StreamsSent: g.followers.sent.Load(), StreamsTaken: g.snaps.taken.Load(),
	}
	if s.Leader {
		s.Followers = g.followers.stats(g.Servers(), g.cfg.NodeID, g.snapshot.entryBytes())
	}
	g.batcher.addStats(&s)
	return s
}
