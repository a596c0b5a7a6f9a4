package broker

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"entrepot/broker/admin"
	"entrepot/cluster"
	"entrepot/journal"
	"entrepot/queue"
)

// A shard is this node's part of one Raft group: the log that makes facts, the
// state they make, and, while this node leads, the dispatcher that hands out what
// is there. Another node's dispatcher is reached through the relay.
//
//	connections --records--> batcher --packs--> group --facts--> Apply --events--+
//	     ^                      ^       (or to the node that leads)              |
//	     |                      | removals                                       v
//	     +----- deliveries -----+---------------- reign <------------------------+
//	     +--------------------------------------> relay ---> (a reign elsewhere)
//
// Its parts have owners of their own: the batcher and the relay have a lock, Apply
// runs on the group's goroutine, the dispatcher belongs to a goroutine of the reign.
type shard struct {
	id      uint16
	broker  *Broker
	log     *slog.Logger
	journal *journal.Shard
	group   *cluster.Group
	batcher *cluster.Batcher
	relay   *relay
	reign   atomic.Pointer[reign] // nil: this node does not lead

	news    news    // of the replica: after each Apply
	level   level   // asks the leader how far the replica should be
	watched watched // addresses whose gate is shut
	busy    gate    // shut while the log is behind
	adrift  gate    // shut while nobody leads, as far as this node knows

	commitLatency *admin.Histogram // of our packs
	producers     atomic.Int64     // links of this node

	repairing atomic.Bool // the replica is damaged, and not read

	tasks   sync.WaitGroup // goroutines of reigns
	started chan struct{}  // closed when group is there, or will not be
	routed  chan struct{}  // closed when somebody has led for the first time
	first   sync.Once
}

// backlogHigh is how many bytes of packs may wait for the log before a shard takes
// no more from producers.
const backlogHigh = 16 << 20

func newShard(b *Broker, id uint16, shards int, j *journal.Shard) *shard {
	s := &shard{
		id:      id,
		broker:  b,
		log:     b.log.With("shard", id),
		journal: j,

		commitLatency: admin.NewLatencyHistogram(),
		started:       make(chan struct{}),
		routed:        make(chan struct{}),
	}
	s.relay = newRelay(s, shards)
	s.level.reach, s.level.spawn = s.catchUp, b.goAside
	s.adrift.close()
	return s
}

// start joins the group.
func (s *shard) start(node *cluster.Node, cfg cluster.Config) (err error) {
	defer close(s.started)
	cfg.Shard, cfg.FSM = s.id, s
	cfg.OnLeader, cfg.OnRoute = s.led, s.route
	cfg.OnFatal, cfg.OnPack, cfg.OnRestore = s.broker.fatal, s.packed, s.restored
	if s.group, err = node.StartGroup(cfg); err != nil {
		return err
	}
	s.batcher = s.group.Batcher()
	return nil
}

// running: it has joined the group, so there is one.
func (s *shard) running() bool {
	select {
	case <-s.started:
		return s.group != nil
	default:
		return false
	}
}

// packed is told of every pack of this node that was applied.
func (s *shard) packed(p cluster.PackStats) {
	s.broker.metrics.pack(p)
	s.commitLatency.Observe(int64(p.Commit))
}

// led is told by the group when this node begins or ends to lead.
func (s *shard) led(leader bool, term uint64) {
	<-s.started
	if leader {
		r := newReign(s, term)
		s.reign.Store(r)
		s.relay.seatedHere(r)
		s.announce(r, true)
		return
	}
	r := s.reign.Swap(nil)
	if r == nil {
		return
	}
	r.end()
	s.journal.ClearActive()
	s.announce(r, false)
	s.relay.unseatedHere(r)
}

// route is told by the group who leads. While nobody does, producers get no credit.
func (s *shard) route(r cluster.Route) {
	if r.Leader == "" {
		s.adrift.close()
		return
	}
	s.first.Do(func() { close(s.routed) })
	s.adrift.open()
}

// stop ends the shard: what was gathered is finished first, for as long as ctx lets
// it. REQUIRES: no connection is left.
func (s *shard) stop(ctx context.Context) error {
	if !s.running() { // it did not start
		return nil
	}
	if s.adrift.shut.Load() { // nobody is there to finish anything
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, adriftGrace)
		defer cancel()
	}
	err := s.group.Stop(ctx)
	if errors.Is(err, context.DeadlineExceeded) { // clients have heard of nothing that is not so
		s.log.Warn("records in flight were not finished, their senders know nothing of them", "error", err)
		err = nil
	}
	s.led(false, 0)
	s.tasks.Wait()
	return err
}

// adriftGrace is how long a node that stops waits for a leader to finish what its
// clients have sent.
const adriftGrace = 500 * time.Millisecond

// quiesce waits until everything that was gathered so far has been answered.
func (s *shard) quiesce(ctx context.Context) {
	if !s.running() || s.adrift.shut.Load() {
		return
	}
	// A record that says nothing: no deadline is at or before 0.
	_, err := s.proposeAndWait(ctx, func(b *queue.PackBuilder) { b.Expire(0, nil) })
	if err != nil {
		s.log.Warn("packs in flight were not finished in time", "error", err)
	}
}

// Apply implements cluster.FSM.
func (s *shard) Apply(index uint64, data []byte) (cluster.Result, error) {
	applied, err := s.journal.Apply(index, data)
	if err != nil {
		return cluster.Result{}, err
	}
	if len(applied.Events) > 0 {
		if r := s.reign.Load(); r != nil {
			r.mail.post(eventInputs(applied.Events)...)
		}
	}
	s.follow(applied.Replies)
	s.news.tell()
	s.broker.node.reopen()
	s.watched.removed(applied.Replies)
	if applied.AllOK && !needsReplies(applied.Replies) {
		return cluster.Result{Verdict: applied.Verdict}, nil
	}
	return cluster.Result{Replies: applied.Replies, Verdict: applied.Verdict}, nil
}

// AppliedIndex implements cluster.FSM.
func (s *shard) AppliedIndex() uint64 { return s.journal.AppliedIndex() }

// needsReplies tells whether a waiter may want to see more than "fine".
func needsReplies(replies []queue.Reply) bool {
	for i := range replies {
		switch replies[i].Kind {
		case queue.KindDeclare, queue.KindPurge, queue.KindDelete:
			return true
		}
	}
	return false
}

// follow acts on facts that concern more than one queue's consumers.
func (s *shard) follow(replies []queue.Reply) {
	for i := range replies {
		r := &replies[i]
		if r.Status != queue.OK {
			continue
		}
		switch r.Kind {
		case queue.KindDelete:
			s.broker.directory.queueDeleted(queueRef{s.id, r.Queue})
		case queue.KindUpdate:
			s.broker.directory.queueUpdated(queueRef{s.id, r.Queue})
		}
	}
}

// eventInputs copies events for the dispatcher. Messages of one queue that follow
// each other become one input.
func eventInputs(events []journal.Event) []dispatchInput {
	inputs := make([]dispatchInput, 0, 4)
	for i := range events {
		e := &events[i]
		switch e.Reply.Kind {
		case queue.KindEnqueue:
			if n := len(inputs); n > 0 && inputs[n-1].kind == inputEnqueued && inputs[n-1].queue == e.Reply.Queue {
				inputs[n-1].messages = append(inputs[n-1].messages, e.Message)
			} else {
				inputs = append(inputs, dispatchInput{kind: inputEnqueued, queue: e.Reply.Queue,
					messages: append(make([]queue.Message, 0, 16), e.Message)})
			}
		case queue.KindRemove:
			inputs = append(inputs, dispatchInput{kind: inputRemoved, queue: e.Reply.Queue,
				runs: append([]queue.Run(nil), e.Runs...)})
		case queue.KindPurge:
			inputs = append(inputs, dispatchInput{kind: inputRemoved, queue: e.Reply.Queue,
				runs: wholeRange(e.Reply.Seq, e.Reply.Next)})
		case queue.KindDelete:
			inputs = append(inputs, dispatchInput{kind: inputDeleted, queue: e.Reply.Queue})
		}
	}
	return inputs
}

// wholeRange is [from, to) as runs, whose counts have 32 bits.
func wholeRange(from, to queue.Seq) []queue.Run {
	var runs []queue.Run
	for from < to {
		n := min(uint64(to-from), 1<<31)
		runs = append(runs, queue.Run{First: from, Count: uint32(n)})
		from += queue.Seq(n)
	}
	return runs
}

// propose puts one record into the log; done is told the reply, from the group's
// goroutine, and must not block.
func (s *shard) propose(append func(*queue.PackBuilder), done func(queue.Reply, error)) {
	pack := s.batcher.Begin(0)
	append(pack.Builder)
	pack.Wait(&oneWaiter{done}, 0)
	s.batcher.End()
}

// oneWaiter is a cluster.Waiter for a single record. It is used by its address, for
// the batcher compares waiters to find runs of the same one.
type oneWaiter struct {
	done func(queue.Reply, error)
}

// Done implements cluster.Waiter.
func (w *oneWaiter) Done(_ []uint64, results []queue.Reply, err error) {
	var r queue.Reply
	if results != nil {
		r = results[0]
	}
	w.done(r, err)
}
