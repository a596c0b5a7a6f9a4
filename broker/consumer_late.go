package broker

import (
	"errors"

	"entrepot/cluster"
	"entrepot/queue"
)

// This file is about what a client says of a delivery after the dispatcher that
// made it is gone: the node that led has stopped to lead. The message is back in
// its place, and perhaps out with another consumer. What the client has done with
// it is done all the same, so that is made a fact without a dispatcher: removing
// what is gone already does nothing, and the new dispatcher hears of it as of every
// removal.

// late makes what it can of a late outcome. ref, if it is not 0, is confirmed.
func (s *consumer) late(seq queue.Seq, ref uint64, kind queue.OutcomeKind) {
	var reason queue.Reason
	switch kind {
	case queue.Accepted:
		reason = queue.Settled
	case queue.RejectedKind:
		reason = queue.Rejected
	default: // it is back in its place, as the client wants
		s.confirmed(ref)
		return
	}
	id, c, shard := s.addr.id, s.conn, s.addr.shard
	run := queue.Run{First: seq, Count: 1, Bytes: shard.meanBytes(id)}
	shard.propose(
		func(b *queue.PackBuilder) { b.Remove(id, reason, []queue.Run{run}) },
		func(_ queue.Reply, err error) {
			c.post(func() {
				switch {
				case err == nil:
					s.confirmed(ref)
				case errors.Is(err, cluster.ErrUnknownOutcome): // to say it twice does no harm
					s.late(seq, ref, kind)
				}
				// Else this node ends, and the client hears nothing better than nothing.
			})
		})
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

// tellAgain repeats the outcomes that the client wants to see settled by us and
// that the dispatcher which is gone has not confirmed.
func (s *consumer) tellAgain() {
	for ref, u := range s.unconfirmed {
		s.late(u.seq, ref, u.kind)
	}
}
