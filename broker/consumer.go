package broker

import (
	"errors"
	"time"

	"entrepot/protocol/amqp"
	"entrepot/protocol/amqp/wire"
	"entrepot/queue"
)

// A consumer is a link on which we send a queue's messages to a client.
//
// The dispatcher decides which messages; what it is asked for is in
// consumer_credit.go, what becomes of them in consumer_outcome.go.
//
// Owner: the connection's owner.
type consumer struct {
	scheduled
	conn *conn
	link *amqp.Link
	addr *address
	id   queue.ConsumerID
	// posting is that of the relay when id was attached; see moved.
	posting uint32
	request *attachRequest // with which it was
	slot    uint32
	name    *nameHolder
	browse  bool
	// byDefault is what becomes of a delivery that the client settles without a
	// terminal state [amqp-messaging 3.5.3 default-outcome].
	byDefault wire.DeliveryState

	// waiting are deliveries from the dispatcher that are not sent yet, in order. Their
	// bytes count in conn.waitingBytes; see receive.
	waiting fifo[queue.Message]
	sending bool // is in conn.senders
	looking bool // will have a turn, see lookLater
	demand  demand

	// unconfirmed are deliveries whose outcome the client wants to see settled by
	// us, once it is a fact, or that have failed. Not by seq: a modified message may
	// come again before its first outcome is a fact.
	unconfirmed map[uint64]unconfirmed
	lastRef     uint64 // their last key; 0 is none of them
	// modified is what earlier outcomes had made of deliveries, by ref, if anything.
	modified map[uint64]modified
	out      int64     // deliveries sent and not settled
	shownTo  queue.Seq // of a browser: the next message to send
	// generation counts the dispatchers: it tells deliveries of this one from
	// earlier ones. It is part of every delivery's ref, see ref.
	generation uint16
	over       bool
}

// attach tells the dispatcher of the consumer; a browser begins at from, 0 is the
// queue's head.
func (s *consumer) attach(from queue.Seq) {
	s.posting = s.addr.shard.relay.posting.Load()
	s.request = &attachRequest{
		to: s.conn, id: s.id, consumer: s, from: from,
		maxDeliveries: s.addr.limits().MaxDeliveries,
		options:       queue.AttachOptions{Browse: s.browse, MaxUnsettled: s.addr.limits().MaxUnsettled},
	}
	s.toDispatcher(dispatchInput{kind: inputAttach, queue: s.addr.id, attach: s.request})
}

// toDispatcher puts an input of this consumer into the connection's outbox.
func (s *consumer) toDispatcher(in dispatchInput) {
	in.consumer, in.posting = s.id, s.posting
	s.conn.outbox(s.addr.shard).add(in)
}

// moved: the queue has another dispatcher, which knows nothing of this consumer.
// What was not sent yet is back in its place; the link stays as it is and begins
// anew. What the client has and has not settled is back in its place as well, but
// what it says about it still counts: see late.
func (s *consumer) moved() {
	if s.over {
		return
	}
	from := s.shownTo
	for s.waiting.len() > 0 {
		s.takeLast()
	}
	s.id = s.conn.broker.nextConsumer()
	s.demand = demand{mean: s.demand.mean}
	s.generation++
	s.attach(from)
	s.tellAgain()
	s.conn.schedule(s)
}

// receive takes a delivery from the dispatcher.
func (s *consumer) receive(m *queue.Message) {
	s.demand.came(len(m.Payload))
	s.waiting.push(*m)
	s.conn.waitingBytes += len(m.Payload)
	s.conn.schedule(s)
}

// takeLast takes the delivery that came last back out of those that wait.
func (s *consumer) takeLast() queue.Message {
	m := s.waiting.popLast()
	s.conn.waitingBytes -= len(m.Payload)
	return m
}

func (s *consumer) delivery(*amqp.Delivery) {}

func (s *consumer) flow() { s.conn.schedule(s) }

// turn sends what waits, takes back what the link has no credit for any more, and
// tells the dispatcher how much more it may send.
func (s *consumer) turn() {
	if s.over {
		return
	}
	if !s.sending {
		s.sendSome()
	}
	s.returnExcess()
	s.answerDrain()
	s.tellDemand()
}

// sendQuantum is about how many bytes a consumer sends before its neighbours on the
// connection have their turn.
const sendQuantum = 64 << 10

// sendSome sends what waits, as far as link and session allow, up to a quantum.
func (s *consumer) sendSome() {
	if s.waiting.len() == 0 || s.link.Ready() == 0 {
		return
	}
	if !s.addr.shard.relay.mayDeliver(s.posting, s.conn.now) {
		s.lookLater()
		return
	}
	for quantum := sendQuantum; s.waiting.len() > 0 && s.link.Ready() > 0; {
		if quantum <= 0 || s.conn.outputFull() {
			s.conn.sendLater(s)
			return
		}
		m := s.waiting.pop()
		s.conn.waitingBytes -= len(m.Payload)
		quantum -= len(m.Payload)
		s.send(&m)
	}
}

// lookLater asks for a turn in a moment: nobody tells when the leader is heard of again.
// If it is another one, what waits is gone by then.
func (s *consumer) lookLater() {
	if s.looking {
		return
	}
	s.looking = true
	time.AfterFunc(leaseLook, func() {
		s.conn.post(func() {
			s.looking = false
			s.conn.schedule(s)
		})
	})
}

// send writes one message: "the bare message as it came; header and annotations
// are patched".
func (s *consumer) send(m *queue.Message) {
	patch := wire.Patch{FirstAcquirer: m.FirstAcquirer, FailedDeliveries: m.DeliveryCount}
	if m.DeadlineMillis != 0 {
		remains := m.DeadlineMillis - s.addr.shard.group.NowMillis()
		if remains <= 0 { // nothing that has expired is ever sent
			s.giveBack(m.Seq)
			return
		}
		// A node's estimate of the leader's time may be some milliseconds off: where it was
		// ahead when the message came, or is behind now. No more remains than there ever was.
		remains = min(remains, max(m.DeadlineMillis-m.ArrivedMillis, 1))
		patch.TTL = wire.Some(uint32(min(remains, 1<<32-1)))
		patch.MinTTL = uint32(min(s.addr.limits().TTLMin.Milliseconds(), 1<<32-1))
	}
	head, rest, err := s.patched(m, patch)
	if err != nil { // it was checked when it came: the store is at fault
		s.conn.log.Error("stored message can't be read", "queue", s.addr.name, "seq", m.Seq, "error", err)
		s.unsendable(m.Seq)
		return
	}
	_, err = s.link.Deliver(&amqp.Outgoing{
		Ref:     s.ref(m.Seq),
		Head:    head,
		Body:    rest,
		Settled: s.link.SndSettleMode() == wire.SenderSettled,
	})
	switch {
	case err == nil:
		s.conn.broker.metrics.delivered.Add(1)
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
		s.shownTo = m.Seq + 1
	case s.link.SndSettleMode() == wire.SenderSettled: // at most once
		s.tell(m.Seq, 0, queue.Outcome{Kind: queue.Accepted})
	default:
		s.countOut(1)
		s.noteModified(m)
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

// queueGone: the queue was deleted.
func (s *consumer) queueGone() { s.expel(deletedError(s.addr.name)) }

// expelled: another link has taken the name.
func (s *consumer) expelled() { s.expel(stolenError()) }

func (s *consumer) expel(err *amqp.Error) {
	if !s.over {
		s.link.Detach(true, err)
		s.detached()
	}
}

func (s *consumer) session() *amqp.Session { return s.link.Session() }

func (s *consumer) rest() { s.waiting.trim() }

// detached gives back what the link held.
func (s *consumer) detached() {
	if s.over {
		return
	}
	s.over = true
	c, b := s.conn, s.conn.broker
	for s.waiting.len() > 0 {
		s.takeLast()
	}
	s.unconfirmed, s.modified = nil, nil
	s.countOut(-s.out)
	s.addr.consumers.Add(-1)
	s.toDispatcher(dispatchInput{kind: inputDetach})
	// Who gets the name next is to find the messages back in their places.
	c.flushOutboxes()
	b.names.release(s.name)
	b.metrics.linksOut.Add(-1)
	b.directory.release(s.addr)
	c.freeSlot(s.slot)
}

// gone: there is nothing that a consumer keeps beyond its link.
func (s *consumer) gone() {}
