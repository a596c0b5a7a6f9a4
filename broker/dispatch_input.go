package broker

import (
	"entrepot/journal"
	"entrepot/queue"
)

// inputKind says what a dispatchInput is.
type inputKind uint8

const (
	// From connections.
	inputAttach inputKind = iota
	inputDetach
	inputLimit
	inputDrain
	inputOutcome
	inputReturn
	inputLate
	inputSent
	// From the group: facts, in the order they were applied.
	inputEnqueued
	inputRemoved
	inputDeleted
	// Answers to what the dispatcher asked for.
	inputProposed
	inputLoaded
	inputDue
	// From the admin interface.
	inputConfigure
)

// dispatchInput is one thing that a shard's dispatcher is told. Which fields have a
// meaning depends on kind.
type dispatchInput struct {
	kind     inputKind
	posting  uint32 // of the consumer, see relay; 0: of none
	consumer queue.ConsumerID
	queue    queue.ID // of an outcome: at the node that has the link only
	seq      queue.Seq
	limit    uint64
	ref      uint64 // of an outcome: see queue.Dispatcher.Outcome; of a drain: see demand
	outcome  queue.Outcome

	attach   *attachRequest // of an outcome: the consumer's, if it is on this node
	messages []queue.Message
	runs     []queue.Run
	load     *loadResult
	due      *dueResult
	proposed *proposalResult
}

// attachRequest is a new consumer.
type attachRequest struct {
	to recipient
	id queue.ConsumerID // by which to knows it
	// consumer is set at the node that has the link only.
	consumer      *consumer
	options       queue.AttachOptions
	maxDeliveries uint32
	from          queue.Seq // where a browser begins; 0: at the head
	drain         uint64    // the ref of the last drain. Owner: the dispatch loop
}

// salvage makes a late outcome of one that finds no dispatcher. One that the client
// waits for is repeated by its consumer in any case, see tellAgain. If the connection has
// ended, with this as its last word, that is added to orphans, for removeTold.
func (in *dispatchInput) salvage(orphans []toldOutcome) []toldOutcome {
	if in.kind != inputOutcome || in.ref != 0 || in.attach == nil || in.attach.consumer == nil {
		return orphans
	}
	s, seq, o := in.attach.consumer, in.seq, in.outcome
	if s.conn.post(func() { s.late(seq, 0, o) }) {
		return orphans
	}
	if reason, settles := reasonOf(o.Kind); settles {
		orphans = append(orphans, toldOutcome{in.queue, seq, reason})
	}
	return orphans
}

// loadResult answers an EffectLoad.
type loadResult struct {
	id       queue.LoadID
	messages []queue.Message
	next     queue.Seq
	err      error
}

// dueResult is what an expiry sweep found.
type dueResult struct {
	runs     []journal.DueRun
	upTo     int64
	anyway   bool        // propose the sweep though nothing is removed
	except   []queue.Ref // are out with a consumer
	removed  bool        // something was free to go; valid when it is answered
	proposed func()      // called by the dispatch loop when the removals are proposed,
	nothing  func()      // or when there are none
}

// proposalResult tells that the proposals up to token have been answered.
type proposalResult struct {
	token  uint64
	failed bool
}

// An outbox gathers what a connection's turn has for one shard, so that the shard
// is woken once a turn.
type outbox struct {
	shard   *shard
	inputs  []dispatchInput
	records bool // packs were added to
}

func (o *outbox) add(in dispatchInput) { o.inputs = append(o.inputs, in) }

// outbox finds the connection's outbox for s. Shards are few.
func (c *conn) outbox(s *shard) *outbox {
	for _, o := range c.outboxes {
		if o.shard == s {
			return o
		}
	}
	o := &outbox{shard: s}
	c.outboxes = append(c.outboxes, o)
	return o
}

func (c *conn) flushOutboxes() {
	for _, o := range c.outboxes {
		if len(o.inputs) > 0 {
			o.shard.relay.post(o.inputs)
			clear(o.inputs)
			o.inputs = o.inputs[:0]
		}
		if o.records {
			o.records = false
			o.shard.batcher.Flush()
		}
	}
}
