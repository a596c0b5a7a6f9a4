package broker

import (
	"errors"

	"entrepot/cluster"
	"entrepot/queue"
)

// This file is about what a client says of a delivery after the dispatcher that
// made it is gone: the node that led has stopped to lead. The message is back in
// its place, and perhaps out with another consumer. What the client has done with
// it is done all the same, so that is made a fact.
//
// Who wants to hear that it is one must not hear it while the message is on its way
// to somebody else. Only the new dispatcher knows that, so it is told; see
// queue.Dispatcher.Late. Who has settled by itself waits for nothing: removing what is
// gone already does nothing, and the dispatcher hears of it as of every removal.
//
// A failure is told to the new dispatcher in any case, which alone knows the count. If the
// client has settled by itself, nobody hears that it was counted, but for this consumer: until
// then it tells every new dispatcher of it.

// late makes what it can of a late outcome. ref, if it is not 0, is confirmed.
func (s *consumer) late(seq queue.Seq, ref uint64, o queue.Outcome) {
	reason, settles := reasonOf(o.Kind)
	switch {
	case ref != 0 && (settles || o.Recorded()):
		s.toDispatcher(dispatchInput{kind: inputLate, queue: s.addr.id, seq: seq, ref: ref, outcome: o})
	case !settles: // it is back in its place, as the client wants
		s.confirmed(ref)
	default:
		shard, c := s.addr.shard, s.conn
		shard.removeLate(s.addr.id, reason, []queue.Run{{First: seq, Count: 1}}, func(err error) {
			if errors.Is(err, cluster.ErrUnknownOutcome) { // to say it twice does no harm
				c.post(func() { s.late(seq, 0, o) })
			}
			// Else this node ends.
		})
	}
}

// reasonOf is why a message goes after an outcome; settles is false if it stays.
func reasonOf(kind queue.OutcomeKind) (reason queue.Reason, settles bool) {
	switch kind {
	case queue.Accepted:
		return queue.Settled, true
	case queue.RejectedKind:
		return queue.Rejected, true
	}
	return 0, false
}

// removeLate has messages removed without a dispatcher. done is told by the group's
// goroutine.
func (s *shard) removeLate(q queue.ID, reason queue.Reason, runs []queue.Run, done func(error)) {
	mean := s.meanBytes(q)
	for i := range runs {
		runs[i].Bytes = mean * uint64(runs[i].Count)
	}
	s.propose(func(b *queue.PackBuilder) { b.Remove(q, reason, runs) }, func(_ queue.Reply, err error) { done(err) })
}

// meanBytes is about how large a message of a queue is, for a removal by somebody
// who has not kept its size.
func (s *shard) meanBytes(q queue.ID) uint64 {
	state, _ := s.journal.Queue(q)
	if state.Count == 0 {
		return 0
	}
	return state.Bytes / state.Count
}

// tellAgain repeats the outcomes that are waited for and that the dispatcher which is
// gone has not confirmed. It may have made facts of them.
func (s *consumer) tellAgain() {
	for ref, u := range s.unconfirmed {
		u.outcome.Again = true
		s.late(u.seq, ref, u.outcome)
	}
}
