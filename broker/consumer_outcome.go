package broker

import (
	"time"

	"entrepot/protocol/amqp"
	"entrepot/protocol/amqp/wire"
	"entrepot/queue"
)

type unconfirmed struct {
	id    amqp.DeliveryID
	seq   queue.Seq
	kind  queue.OutcomeKind
	state wire.DeliveryState
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
	if uint16(o.Ref>>refSeqBits) != s.generation {
		s.countOut(-1)
		s.conn.broker.metrics.settledBy(out.Kind)
		s.late(seq, s.await(o, seq, out.Kind, &state), out.Kind)
		return
	}
	if out.Kind == queue.Modified {
		out.Annotations = s.mergedAnnotations(seq, state.Modified.MessageAnnotations)
	}
	delete(s.annotated, seq)
	s.countOut(-1)
	s.tell(seq, s.await(o, seq, out.Kind, &state), out)
}

// await notes that the client wants us to settle, and gives the ref by which that
// is found; 0 if it has settled itself.
func (s *consumer) await(o *amqp.Outcome, seq queue.Seq, kind queue.OutcomeKind, state *wire.DeliveryState) (ref uint64) {
	if o.Settled {
		return 0
	}
	if s.unconfirmed == nil {
		s.unconfirmed = map[uint64]unconfirmed{}
	}
	s.lastRef++
	s.unconfirmed[s.lastRef] = unconfirmed{o.ID, seq, kind, settledState(state)}
	return s.lastRef
}

// tell passes on an outcome; ref, if it is not 0, comes back with its confirmation.
func (s *consumer) tell(seq queue.Seq, ref uint64, o queue.Outcome) {
	s.conn.broker.metrics.settledBy(o.Kind)
	s.toDispatcher(dispatchInput{kind: inputOutcome, queue: s.addr.id, seq: seq, ref: ref, outcome: o, attach: s.request})
}

// settledState is what we say when we settle: the state without what it aliases.
func settledState(state *wire.DeliveryState) wire.DeliveryState {
	return wire.DeliveryState{Kind: state.Kind, Modified: wire.Modified{
		DeliveryFailed:    state.Modified.DeliveryFailed,
		UndeliverableHere: state.Modified.UndeliverableHere,
	}}
}

// mergedAnnotations are the annotations that the message gets by modified: its
// earlier ones, replaced or followed by these.
func (s *consumer) mergedAnnotations(seq queue.Seq, added wire.Raw) []byte {
	earlier := wire.Raw(s.annotated[seq])
	if len(added) == 0 {
		return earlier
	}
	merged, err := wire.MergeAnnotations(nil, earlier, added)
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
	s.link.SettleOut(u.id, u.state)
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
				s.late(u.seq, ref, u.kind)
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
