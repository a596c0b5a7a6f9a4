package broker

import (
	"entrepot/queue"
)

const (
	// consumerAhead is the most deliveries that a consumer asks for ahead, however
	// much credit its link has: enough to fill a socket, and little to take back
	// when the link goes.
	consumerAhead = 512
	// aheadBytes is about how many bytes those may have.
	aheadBytes = 1 << 20
	// firstMean is what a consumer takes for its messages' size before it has seen
	// any: large, for it is soon known better.
	firstMean = 64 << 10
	// waitingHigh is how many bytes of deliveries may wait on one connection before
	// its consumers ask for no more: a client that does not read, or whose window
	// is shut, costs this much, and what is on its way when that is found.
	waitingHigh = 4 << 20
)

// demand is what a consumer has asked the dispatcher for: the link's credit as a
// limit on the number of deliveries ever (see queue.Dispatcher.SetLimit), so that
// it does not matter how many are on their way.
type demand struct {
	seen  uint64 // deliveries that came from the dispatcher
	mean  int    // bytes of recent ones
	limit uint64 // the last one that it was told
	held  bool   // a delivery was returned: nothing comes before the next limit
	// asked: the limit was told with a drain. answered: all that there was for that
	// limit has come.
	asked, answered bool
	// ref numbers what was told: an old answer is none to a new question.
	ref uint64
}

// limitFor is the limit to tell, for a link with so much credit of which so many
// deliveries wait here, and that may have so many bytes on their way.
func (d *demand) limitFor(credit uint32, waiting, bytes int) uint64 {
	ahead := min(int(credit), consumerAhead, max(1, bytes/max(1, d.mean)))
	return d.seen + uint64(max(ahead-waiting, 0))
}

// came counts a delivery.
func (d *demand) came(sizeBytes int) {
	d.seen++
	d.mean += (sizeBytes - d.mean) / 8
}

// worthTelling: the dispatcher is told of more credit when it has nothing left, or
// when it is much more, and of less at once.
func (d *demand) worthTelling(limit uint64) bool {
	return d.asked || d.held || limit < d.limit ||
		limit > d.limit && (d.limit <= d.seen || limit-d.limit >= consumerAhead/4)
}

// tellDemand tells the dispatcher how much more may come.
func (s *consumer) tellDemand() {
	d := &s.demand
	if s.conn.congested {
		if d.limit > d.seen || d.asked {
			s.tellLimit(inputLimit, d.seen)
		}
		return
	}
	limit := d.limitFor(s.link.Credit(), s.waiting.len(), s.addr.shard.relay.aheadBytes())
	switch {
	case s.link.Draining():
		if !d.asked || d.held {
			s.tellLimit(inputDrain, limit)
		}
	case d.worthTelling(limit):
		s.tellLimit(inputLimit, limit)
	}
}

func (s *consumer) tellLimit(kind inputKind, limit uint64) {
	d := &s.demand
	d.limit, d.held = limit, false
	d.asked, d.answered = kind == inputDrain, false
	d.ref++
	s.toDispatcher(dispatchInput{kind: kind, limit: limit, ref: d.ref})
}

// drained: the dispatcher has nothing more for the limit that was told as ref.
func (s *consumer) drained(ref uint64) {
	if s.demand.asked && ref == s.demand.ref {
		s.demand.answered = true
		s.conn.schedule(s)
	}
}

// answerDrain answers a drain when all that there was for it is sent.
//
// [amqp-transport 2.6.7] "If the drain flag is set, the sender SHOULD (after sending
// all available messages) advance the delivery-count as much as possible, consuming
// all link-credit, and send the flow state to the receiver."
func (s *consumer) answerDrain() {
	d := &s.demand
	switch {
	case !s.link.Draining():
	case s.link.Credit() == 0: // it is consumed; what still waits is for other credit
		s.link.Drained()
	case !d.answered || s.waiting.len() > 0:
	case d.limit == d.seen: // the limit was used up, and not the queue: ask on
		d.asked, d.answered = false, false
	default:
		d.limit, d.asked, d.answered = d.seen, false, false
		s.link.Drained()
	}
}

// returnExcess gives back what waits beyond the link's credit: the client has
// taken credit back, and others may have some.
func (s *consumer) returnExcess() {
	credit := int(s.link.Credit())
	if s.browse && s.waiting.len() > credit {
		s.browseAgain(credit)
		return
	}
	for s.waiting.len() > credit {
		s.giveBack(s.takeLast().Seq)
	}
}

// browseAgain forgets all copies but the first few. A browser's cursor does not go
// back, so another one takes its place.
func (s *consumer) browseAgain(keep int) {
	var from queue.Seq
	for s.waiting.len() > keep {
		from = s.takeLast().Seq
	}
	s.toDispatcher(dispatchInput{kind: inputDetach})
	s.id = s.conn.broker.nextConsumer()
	s.demand = demand{mean: s.demand.mean}
	s.attach(from)
}

// giveBack returns an unsent delivery to its place, uncounted.
func (s *consumer) giveBack(seq queue.Seq) {
	if s.browse {
		return
	}
	s.demand.held = true
	s.toDispatcher(dispatchInput{kind: inputReturn, seq: seq})
}

// sendLater puts a consumer behind those that wait to send on this connection.
func (c *conn) sendLater(s *consumer) {
	s.sending = true
	c.senders = append(c.senders, s)
}

// serveSenders lets those that wait to send do so once each, as long as there is
// room for output.
func (c *conn) serveSenders() {
	batch := c.senders
	c.senders = nil
	for i, s := range batch {
		if c.outputFull() {
			c.senders = append(batch[i:], c.senders...)
			return
		}
		s.sending = false
		s.turn()
	}
}

// watchWaiting has all consumers ask for less, or for more again, when what waits on
// this connection calls for it.
func (c *conn) watchWaiting() {
	switch {
	case !c.congested && c.waitingBytes > waitingHigh:
		c.congested = true
	case c.congested && c.waitingBytes < waitingHigh/2:
		c.congested = false
	default:
		return
	}
	for _, e := range c.slots {
		if s, ok := e.(*consumer); ok {
			c.schedule(s)
		}
	}
}
