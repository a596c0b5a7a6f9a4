package broker

import (
	"errors"
	"time"

	"entrepot/queue"
)

const (
	// sweepEvery is the tick of expiry: a message is gone from its queue at most
	// this long after its deadline. (It is never delivered after its deadline,
	// however late the sweep.)
	sweepEvery = 200 * time.Millisecond
	// sweepBatch is how many messages one round removes, so that a million
	// deadlines at once don't make one huge pack.
	sweepBatch = 32 << 10
)

// expiryLoop looks for messages whose deadline has passed. It reads indexes, so
// it has a goroutine of its own; the dispatch loop, which knows what is out with a
// consumer, does the rest.
func (r *reign) expiryLoop() {
	r.shard.journal.RestartDue()
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	for {
		select {
		case <-r.ended:
			return
		case <-ticker.C:
			if !r.sweep() {
				return
			}
		}
	}
}

// sweep removes all that is due now, or as much as can become a fact; false: the
// reign ends.
func (r *reign) sweep() bool {
	for {
		runs, upTo, err := r.shard.journal.Due(r.nowMillis(), sweepBatch, nil)
		if err != nil {
			r.shard.failed(err)
			return false
		}
		if len(runs) == 0 {
			return true
		}
		found := 0
		for i := range runs {
			found += int(runs[i].Count)
		}
		full := found >= sweepBatch
		// All of a full batch may be out with consumers: then the sweep is a fact even
		// if nothing goes, or what is behind would never be seen.
		due := &dueResult{runs: runs, upTo: upTo, anyway: full && upTo > r.sweptTo}
		switch err := r.proposeDue(due); {
		case errors.Is(err, errEnded):
			return false
		case err != nil:
			return true // the next sweep finds it again
		}
		r.sweptTo = max(r.sweptTo, upTo)
		if !full || !due.removed {
			return true
		}
	}
}

// errEnded: this node leads no more.
var errEnded = errors.New("broker: the reign has ended")

// proposeDue waits until what was found is a fact, so that the next look does not
// find it again, or cannot become one.
func (r *reign) proposeDue(due *dueResult) error {
	answered := make(chan error, 1)
	// The dispatch loop proposes before it looks at its mailbox again; a record
	// proposed behind those is applied behind them.
	due.proposed = func() {
		r.shard.propose(func(b *queue.PackBuilder) { b.Expire(due.upTo, due.except) },
			func(_ queue.Reply, err error) { answered <- err })
	}
	due.nothing = func() { answered <- nil }
	r.mail.post(dispatchInput{kind: inputDue, due: due})
	select {
	case err := <-answered:
		return err
	case <-r.ended:
		return errEnded
	}
}

// expire proposes the removal of what is due, but for what is out with a consumer:
// that is looked at again when it comes back.
func (l *dispatchLoop) expire(due *dueResult) {
	for _, r := range due.runs {
		due.removed = l.expireRun(due, r.Queue, r.Run) || due.removed
	}
	if !due.removed && !due.anyway { // all are out: there is no fact to write
		due.nothing()
		return
	}
	l.proposals.writeRuns()
	due.proposed()
}

// expireRun tells whether anything of the run was free to go.
func (l *dispatchLoop) expireRun(due *dueResult, q queue.ID, run queue.Run) (removed bool) {
	free := queue.Run{First: run.First}
	flush := func() {
		if free.Count > 0 {
			free.Bytes = run.Bytes * uint64(free.Count) / uint64(run.Count)
			l.proposals.remove(&queue.Effect{Queue: q, Reason: queue.Expired, Run: free})
			removed = true
		}
	}
	for seq := run.First; seq < run.End(); seq++ {
		if l.d.Holds(q, seq) {
			flush()
			due.except = append(due.except, queue.Ref{Queue: q, Seq: seq})
			free = queue.Run{First: seq + 1}
			continue
		}
		free.Count++
	}
	flush()
	return removed
}
