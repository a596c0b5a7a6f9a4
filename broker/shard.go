package broker

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"entrepot/cluster"
	"entrepot/journal"
	"entrepot/queue"
)

// A shard is this node's part of one Raft group: the log that makes facts, the
// state they make, and, while this node leads, the dispatcher that hands out what
// is there.
//
//	connections --records--> batcher --packs--> group --facts--> Apply --events--+
//	     ^                      ^                                                |
//	     |                      | removals                                       v
//	     +----- deliveries -----+---------------- dispatchLoop <-----------------+
//
// Its parts have owners of their own: the batcher has a lock, Apply runs on the
// group's goroutine, the dispatcher belongs to the goroutine of dispatchLoop.
type shard struct {
	broker  *Broker
	log     *slog.Logger
	journal *journal.Shard
	group   *cluster.Group
	batcher *cluster.Batcher
	mail    *mailbox[dispatchInput]
	loads   *mailbox[queue.Effect]

	watched watched // addresses whose gate is shut
	busy    gate    // shut while the log is behind

	sweptTo int64 // deadlines up to here are swept. Owner: expiryLoop

	leads chan uint64 // terms in which this node has begun to lead
	ended chan struct{}
	done  sync.WaitGroup
}

// Limits of what may gather before a shard takes no more from producers.
const (
	backlogHigh = 16 << 20 // bytes in packs that wait for the log
	loaders     = 2        // goroutines that read pages for the dispatcher
)

func newShard(b *Broker, j *journal.Shard) *shard {
	return &shard{
		broker:  b,
		log:     b.log,
		journal: j,
		mail:    newMailbox[dispatchInput](),
		loads:   newMailbox[queue.Effect](),
		leads:   make(chan uint64, 1),
		ended:   make(chan struct{}),
	}
}

// start joins the group and begins to dispatch once this node leads.
func (s *shard) start(cfg cluster.Config) error {
	ready := make(chan struct{})
	var once sync.Once
	cfg.FSM = s
	cfg.OnLeader = func(leader bool, term uint64) {
		if leader { // a single voter leads for as long as the process lives
			once.Do(func() { s.leads <- term; close(ready) })
		}
	}
	cfg.OnFatal = s.broker.fatal
	cfg.OnPack = s.broker.metrics.pack
	group, err := cluster.Start(cfg)
	if err != nil {
		return err
	}
	s.group, s.batcher = group, group.Batcher()
	select {
	case <-ready:
	case <-time.After(startTimeout):
		return errors.Join(errors.New("broker: no leader was elected in time"), group.Stop(context.Background()))
	}
	s.goRun(s.dispatchLoop)
	s.goRun(s.expiryLoop)
	for range loaders {
		s.goRun(s.loadLoop)
	}
	return nil
}

const startTimeout = 60 * time.Second

func (s *shard) goRun(f func()) {
	s.done.Add(1)
	go func() {
		defer s.done.Done()
		f()
	}()
}

// stop ends the shard: what was gathered is finished first, for as long as ctx lets
// it. REQUIRES: no connection is left.
func (s *shard) stop(ctx context.Context) error {
	err := s.group.Stop(ctx)
	close(s.ended)
	s.done.Wait()
	return err
}

// quiesce waits until everything that was gathered so far has been answered.
func (s *shard) quiesce(ctx context.Context) {
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
		s.mail.post(eventInputs(applied.Events)...)
	}
	s.countReplies(applied.Replies)
	s.broker.node.reopen()
	s.watched.removed(applied.Replies)
	result := cluster.Result{Verdict: applied.Verdict}
	if !applied.AllOK || needsReplies(applied.Replies) {
		result.Replies = applied.Replies
	}
	return result, nil
}

// AppliedIndex implements cluster.FSM.
func (s *shard) AppliedIndex() uint64 { return s.journal.AppliedIndex() }

// needsReplies tells whether a waiter may want to see more than "fine".
func needsReplies(replies []queue.Reply) bool {
	for i := range replies {
		switch replies[i].Kind {
		case queue.KindPurge, queue.KindDelete:
			return true
		}
	}
	return false
}

// countReplies acts on facts that concern more than one queue's consumers.
func (s *shard) countReplies(replies []queue.Reply) {
	for i := range replies {
		if r := &replies[i]; r.Kind == queue.KindDelete && r.Status == queue.OK {
			s.broker.directory.queueDeleted(r.Queue)
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
