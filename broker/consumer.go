package broker

import (
	"errors"

	"entrepot/protocol/amqp"
	"entrepot/protocol/amqp/wire"
	"entrepot/queue"
)

// consumerAhead is the most deliveries that wait here for a link's turn, however
// much credit it has: enough to fill a socket, and little to take back when the
// link goes.
const consumerAhead = 512

// A consumer is a link on which we send a queue's messages to a client.
//
// The dispatcher decides which messages; it sees the link's credit as a limit on
// the number of deliveries ever (see queue.Dispatcher.SetLimit), which this
// endpoint moves on as the engine sends.
//
// Owner: the connection's owner.
type consumer struct {
	scheduled
	conn   *conn
	link   *amqp.Link
	addr   *address
	id     queue.ConsumerID
	slot   uint32
	name   *nameHolder
	browse bool
	// byDefault is what becomes of a delivery that the client settles without a
	// word [amqp-messaging 3.5.3 default-outcome].
	byDefault wire.DeliveryState

	waiting []queue.Message // from the dispatcher, not yet sent; from next on
	next    int
	seen    uint64 // deliveries that came from the dispatcher
	limit   uint64 // the last one that the dispatcher was told
	held    bool   // a delivery was returned: nothing comes before the next limit

	drainTold bool // the dispatcher knows of the drain
	drainDone bool // and has nothing more for it

	// unconfirmed are deliveries whose outcome the client wants to see settled by
	// us, once it is a fact. Not by seq: a modified message may come again before
	// its first outcome is a fact.
	unconfirmed map[uint64]unconfirmed
	lastRef     uint64 // their last key; 0 is none of them
	// annotated are deliveries that carry the annotations of an earlier modified.
	annotated map[queue.Seq][]byte
	out       int64 // deliveries sent and not settled
	over      bool
}

type unconfirmed struct {
	id    amqp.DeliveryID
	state wire.DeliveryState
}

// receive takes a delivery from the dispatcher.
func (s *consumer) receive(m *queue.Message) {
	s.seen++
	s.waiting = append(s.waiting, *m)
	s.conn.schedule(s)
}

func (s *consumer) delivery(*amqp.Delivery) {}

func (s *consumer) flow() { s.conn.schedule(s) }

// turn sends what waits, takes back what the link has no credit for any more, and
// tells the dispatcher how much more it may send.
func (s *consumer) turn() {
	if s.over {
		return
	}
	s.sendWaiting()
	s.returnExcess()
	s.moveLimit()
	s.finishDrain()
}

func (s *consumer) left() int { return len(s.waiting) - s.next }

func (s *consumer) sendWaiting() {
	for s.left() > 0 && s.link.Ready() > 0 {
		if s.conn.outputFull() {
			s.conn.schedule(s)
			break
		}
		m := &s.waiting[s.next]
		s.send(m)
		*m = queue.Message{}
		s.next++
	}
	if s.left() == 0 {
		s.waiting, s.next = s.waiting[:0], 0
		if cap(s.waiting) > consumerAhead {
			s.waiting = nil
		}
	}
}

// send writes one message: "the bare message as it came; header and annotations
// are patched".
func (s *consumer) send(m *queue.Message) {
	patch := wire.Patch{FirstAcquirer: m.FirstAcquirer, FailedDeliveries: m.DeliveryCount}
	if m.DeadlineMillis != 0 {
		remains := m.DeadlineMillis - s.conn.now.UnixMilli()
		if remains <= 0 { // nothing that has expired is ever sent
			s.giveBack(m.Seq)
			return
		}
		patch.TTL = wire.Some(uint32(min(remains, 1<<32-1)))
	}
	head, rest, err := s.patched(m, patch)
	if err != nil { // it was checked when it came: the store is at fault
		s.conn.log.Error("stored message can't be read", "queue", s.addr.name, "seq", m.Seq, "error", err)
		s.unsendable(m.Seq)
		return
	}
	_, err = s.link.Deliver(&amqp.Outgoing{
		Ref:     uint64(m.Seq),
		Head:    head,
		Body:    rest,
		Settled: s.link.SndSettleMode() == wire.SenderSettled,
	})
	metrics := &s.conn.broker.metrics
	switch {
	case err == nil:
		metrics.delivered.Add(1)
		s.sent(m)
	case errors.Is(err, amqp.ErrTooLarge):
		s.unsendable(m.Seq)
	default:
		s.giveBack(m.Seq)
	}
}

func (s *consumer) patched(m *queue.Message, patch wire.Patch) (head, rest []byte, err error) {
	scratch := s.conn.scratch[:0]
	if len(m.Annotations) > 0 {
		head, rest, err = wire.AppendPatchedAnnotated(scratch, m.Payload, patch, m.Annotations)
	} else {
		head, rest, err = wire.AppendPatched(scratch, m.Payload, patch)
	}
	s.conn.scratch = head[:0]
	return head, rest, err
}

// sent notes what the delivery's outcome will need.
func (s *consumer) sent(m *queue.Message) {
	switch {
	case s.browse:
	case s.link.SndSettleMode() == wire.SenderSettled: // at most once
		s.tell(m.Seq, 0, queue.Outcome{Kind: queue.Accepted})
	default:
		s.countOut(1)
		if len(m.Annotations) > 0 {
			if s.annotated == nil {
				s.annotated = map[queue.Seq][]byte{}
			}
			s.annotated[m.Seq] = m.Annotations
		}
	}
}

func (s *consumer) countOut(n int64) {
	s.out += n
	s.addr.unsettled.Add(n)
}

// unsendable: this link can't take the message; others may.
func (s *consumer) unsendable(seq queue.Seq) {
	if !s.browse {
		s.tell(seq, 0, queue.Outcome{Kind: queue.Modified, Here: true})
	}
}

// giveBack returns an unsent delivery to its place, uncounted.
func (s *consumer) giveBack(seq queue.Seq) {
	if s.browse {
		return
	}
	s.held = true
	s.conn.outbox(s.addr.shard).add(dispatchInput{kind: inputReturn, consumer: s.id, seq: seq})
}

// tell passes on an outcome; ref, if it is not 0, comes back with its confirmation.
func (s *consumer) tell(seq queue.Seq, ref uint64, o queue.Outcome) {
	s.conn.broker.metrics.settledBy(o.Kind)
	s.conn.outbox(s.addr.shard).add(dispatchInput{kind: inputOutcome, consumer: s.id, seq: seq, ref: ref, outcome: o})
}

// returnExcess gives back what waits beyond the link's credit: the client has
// taken credit back, and others may have some.
func (s *consumer) returnExcess() {
	if s.browse {
		return // copies are nobody else's
	}
	for credit := int(s.link.Credit()); s.left() > credit; {
		last := len(s.waiting) - 1
		s.giveBack(s.waiting[last].Seq)
		s.waiting = s.waiting[:last]
	}
}

// moveLimit tells the dispatcher the link's credit, but not for every message.
func (s *consumer) moveLimit() {
	ahead := min(int(s.link.Credit()), consumerAhead) - s.left()
	want := s.seen + uint64(max(ahead, 0))
	switch {
	case s.link.Draining():
		if s.drainTold && !s.held {
			return
		}
		s.drainTold, s.drainDone = true, false
		s.tellLimit(inputDrain, want)
	case s.held, want < s.limit, want > s.limit && (s.limit <= s.seen || want-s.limit >= consumerAhead/4):
		s.drainTold = false
		s.tellLimit(inputLimit, want)
	}
}

func (s *consumer) tellLimit(kind inputKind, limit uint64) {
	s.held = false
	s.limit = limit
	s.conn.outbox(s.addr.shard).add(dispatchInput{kind: kind, consumer: s.id, limit: limit})
}

// drained: the dispatcher has nothing more for the credit that is drained.
func (s *consumer) drained() {
	s.drainDone = true
	s.conn.schedule(s)
}

// finishDrain answers a drain when all that the dispatcher had for it is sent.
// More credit than consumerAhead is drained in steps.
func (s *consumer) finishDrain() {
	if !s.drainDone || s.left() > 0 {
		return
	}
	s.drainDone = false
	if s.limit == s.seen && s.link.Draining() && s.link.Credit() > 0 { // the limit was used up, not the queue
		s.drainTold = false
		s.conn.schedule(s)
		return
	}
	s.drainTold = false
	s.limit = s.seen
	if s.link.Draining() {
		s.link.Drained()
	}
}

// outcome passes on what the client made of a delivery.
func (s *consumer) outcome(o *amqp.Outcome) {
	state := o.State
	if state.Kind == wire.StateNone && o.Settled {
		state = s.byDefault
	}
	out, terminal := queueOutcome(&state)
	switch {
	case state.Kind == wire.StateTransactional || state.Kind == wire.StateDeclared:
		s.link.Detach(true, &amqp.Error{Condition: wire.CondNotImplemented,
			Description: "disposition.state: transactions are not supported"})
		s.detached()
		return
	case !terminal && !o.Settled:
		return // received, or nothing said yet
	case !terminal:
		out = queue.Outcome{Kind: queue.Released}
	}
	if s.browse {
		if !o.Settled {
			s.link.SettleOut(o.ID, state)
		}
		return
	}
	seq := queue.Seq(o.Ref)
	if out.Kind == queue.Modified {
		out.Annotations = s.mergedAnnotations(seq, state.Modified.MessageAnnotations)
	}
	delete(s.annotated, seq)
	s.countOut(-1)
	var ref uint64
	if !o.Settled {
		if s.unconfirmed == nil {
			s.unconfirmed = map[uint64]unconfirmed{}
		}
		s.lastRef++
		ref = s.lastRef
		s.unconfirmed[ref] = unconfirmed{o.ID, settledState(state)}
	}
	s.tell(seq, ref, out)
}

// settledState is what we say when we settle: the state without what it aliases.
func settledState(state wire.DeliveryState) wire.DeliveryState {
	return wire.DeliveryState{Kind: state.Kind}
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
// nothing.
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
	return queue.Outcome{}, false
}

// confirmed: what the client said is a fact now, or (ok is false) could not
// become one and the message is in its place again.
func (s *consumer) confirmed(ref uint64, ok bool) {
	u, waits := s.unconfirmed[ref]
	if !waits || s.over {
		return
	}
	delete(s.unconfirmed, ref)
	if !ok {
		u.state = wire.DeliveryState{Kind: wire.StateReleased}
	}
	s.link.SettleOut(u.id, u.state)
}

// queueGone: the queue was deleted.
func (s *consumer) queueGone() {
	if !s.over {
		s.link.Detach(true, deletedError(s.addr.name))
		s.detached()
	}
}

// expelled: another link has taken the name.
func (s *consumer) expelled() {
	if !s.over {
		s.link.Detach(true, stolenError())
		s.detached()
	}
}

func (s *consumer) detached() {
	if s.over {
		return
	}
	s.release()
	s.conn.freeSlot(s.slot)
}

func (s *consumer) gone() { s.release() }

func (s *consumer) on(session *amqp.Session) bool { return s.link.Session() == session }

func (s *consumer) release() {
	if s.over {
		return
	}
	s.over = true
	s.waiting, s.unconfirmed, s.annotated = nil, nil, nil
	s.countOut(-s.out)
	s.addr.consumers.Add(-1)
	b := s.conn.broker
	s.conn.outbox(s.addr.shard).add(dispatchInput{kind: inputDetach, consumer: s.id})
	b.names.release(s.name)
	b.metrics.linksOut.Add(-1)
	b.directory.release(s.addr)
}
