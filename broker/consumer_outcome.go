package broker

import (
	"time"

	"entrepot/protocol/amqp"
	"entrepot/protocol/amqp/wire"
	"entrepot/queue"
)

// unconfirmed is an outcome that may not be a fact yet. There is one for every message
// that a client does not settle by itself; Go's maps keep values of more than 128 bytes
// each in an allocation of its own.
type unconfirmed struct {
	id      amqp.DeliveryID
	settled bool // by the client itself, which waits for nothing
	seq     queue.Seq
	outcome queue.Outcome
}

// modified is what earlier outcomes had made of a message when it was sent.
type modified struct {
	failures    uint32 // as stored
	annotations []byte
}

// noteModified notes it for the outcome of this delivery.
func (s *consumer) noteModified(m *queue.Message) {
	before := modified{m.DeliveryCount, m.Annotations}
	if m.Implied {
		before.failures--
	}
	if before.failures == 0 && len(before.annotations) == 0 {
		return
	}
	if s.modified == nil {
		s.modified = map[uint64]modified{}
	}
	s.modified[s.ref(m.Seq)] = before
}

// A delivery's ref, which the engine gives back with its outcome:
//
//	63         48                                      0
//	+------------+--------------------------------------+
//	| generation |                 seq                  |
//	+------------+--------------------------------------+
//
// 2^48 messages are three years of a queue at 3 million a second.
const refSeqBits = 48

func (s *consumer) ref(seq queue.Seq) uint64 {
	return uint64(s.generation)<<refSeqBits | uint64(seq)&(1<<refSeqBits-1)
}

// outcome passes on what the client made of a delivery.
func (s *consumer) outcome(o *amqp.Outcome) {
	state := o.State
	out, terminal := queueOutcome(&state)
	switch {
	case terminal:
	case state.Kind == wire.StateTransactional || state.Kind == wire.StateDeclared:
		s.expel(linkError(wire.CondNotImplemented, "disposition.state: transactions are not supported"))
		return
	case !o.Settled:
		return // nothing that ends the delivery
	default:
		// [amqp-messaging 3.5.3] "Indicates the outcome to be used for transfers that
		// have not reached a terminal state at the receiver when the transfer is
		// settled".
		state = s.byDefault
		out, _ = queueOutcome(&state)
	}
	if s.browse {
		if !o.Settled {
			s.link.SettleOut(o.ID, state)
		}
		return
	}
	seq := queue.Seq(o.Ref & (1<<refSeqBits - 1))
	late := uint16(o.Ref>>refSeqBits) != s.generation
	before := s.modified[o.Ref]
	delete(s.modified, o.Ref)
	// Late, the message may have got other annotations since: without new ones they stay.
	if added := state.Modified.MessageAnnotations; out.Kind == queue.Modified && !(late && len(added) == 0) {
		out.Annotations = s.mergedAnnotations(before.annotations, added)
	}
	out.Failures = before.failures
	s.countOut(-1)
	ref := s.await(o, seq, &out)
	if late {
		s.conn.broker.metrics.settledBy(out.Kind)
		s.late(seq, ref, out)
		return
	}
	s.tell(seq, ref, out)
}

// await notes that we are to settle, or that a failure is to be counted, and gives the
// ref by which that is found; 0 if nothing is to be waited for.
func (s *consumer) await(o *amqp.Outcome, seq queue.Seq, out *queue.Outcome) (ref uint64) {
	if o.Settled && !out.Recorded() {
		return 0
	}
	if s.unconfirmed == nil {
		s.unconfirmed = map[uint64]unconfirmed{}
	}
	s.lastRef++
	s.unconfirmed[s.lastRef] = unconfirmed{o.ID, o.Settled, seq, *out}
	return s.lastRef
}

// tell passes on an outcome; ref, if it is not 0, comes back with its confirmation.
func (s *consumer) tell(seq queue.Seq, ref uint64, o queue.Outcome) {
	s.conn.broker.metrics.settledBy(o.Kind)
	s.toDispatcher(dispatchInput{kind: inputOutcome, queue: s.addr.id, seq: seq, ref: ref, outcome: o, attach: s.request})
}

// settledState is what we say when we settle: what the client has said, without its
// error or annotations.
func settledState(o *queue.Outcome) wire.DeliveryState {
	switch o.Kind {
	case queue.Accepted:
		return wire.DeliveryState{Kind: wire.StateAccepted}
	case queue.RejectedKind:
		return wire.DeliveryState{Kind: wire.StateRejected}
	case queue.Modified:
		return wire.DeliveryState{Kind: wire.StateModified, Modified: wire.Modified{
			DeliveryFailed: o.Failed, UndeliverableHere: o.Here,
		}}
	}
	return wire.DeliveryState{Kind: wire.StateReleased}
}

// mergedAnnotations are the annotations that the message gets by modified: its
// earlier ones, replaced or followed by these.
func (s *consumer) mergedAnnotations(earlier []byte, added wire.Raw) []byte {
	if len(added) == 0 {
		return earlier
	}
	merged, err := wire.MergeAnnotations(nil, wire.Raw(earlier), added)
	if err != nil {
		s.conn.log.Warn("message-annotations of modified are not a map and are left out", "queue", s.addr.name, "error", err)
		return earlier
	}
	return merged
}

// queueOutcome translates a delivery state; terminal is false for one that ends
// nothing, and then o is released.
func queueOutcome(state *wire.DeliveryState) (o queue.Outcome, terminal bool) {
	switch state.Kind {
	case wire.StateAccepted:
		return queue.Outcome{Kind: queue.Accepted}, true
	case wire.StateReleased:
		return queue.Outcome{Kind: queue.Released}, true
	case wire.StateRejected:
		return queue.Outcome{Kind: queue.RejectedKind}, true
	case wire.StateModified:
		return queue.Outcome{
			Kind:   queue.Modified,
			Failed: state.Modified.DeliveryFailed,
			Here:   state.Modified.UndeliverableHere,
		}, true
	}
	return queue.Outcome{Kind: queue.Released}, false
}

// confirmed: what the client said is a fact now, so that we settle.
func (s *consumer) confirmed(ref uint64) {
	u, waits := s.unconfirmed[ref]
	if !waits || s.over {
		return
	}
	delete(s.unconfirmed, ref)
	if !u.settled {
		s.link.SettleOut(u.id, settledState(&u.outcome))
	}
}

// failed: the dispatcher could not make what the client said a fact, or does not
// know. What the client has done with the message is done, so it is tried again, though
// the message is this consumer's no more; in a moment, for it would fail again at once.
// "Released" is no answer: clients take it for success.
func (s *consumer) failed(ref uint64) {
	id := s.id
	time.AfterFunc(leaseLook, func() {
		s.conn.post(func() {
			if u, waits := s.unconfirmed[ref]; waits && !s.over && s.id == id {
				u.outcome.Again = true
				s.late(u.seq, ref, u.outcome)
				s.conn.schedule(s)
			}
		})
	})
}

// recalled: somebody has settled a message late that is on its way to our client. If it
// is still here, the client does not get it.
func (s *consumer) recalled(seq queue.Seq) {
	m, waits := s.waiting.takeFirst(func(m *queue.Message) bool { return m.Seq == seq })
	if !waits {
		s.toDispatcher(dispatchInput{kind: inputSent, seq: seq})
		return
	}
	s.conn.waitingBytes -= len(m.Payload)
	s.giveBack(seq)
	s.conn.schedule(s)
}
