package queue

type Dispatcher struct{}

// NewDispatcher makes the dispatcher of a shard whose leader this node has
// just become, when everything committed before has been applied.
func NewDispatcher(cfg DispatcherConfig) *Dispatcher { panic("unimplemented") }

// SetNow tells the time, Unix milliseconds. It never goes back: an earlier
// time is ignored. Call it before a batch of inputs.
func (d *Dispatcher) SetNow(nowMillis int64) {}

// Tick is SetNow, and does what has become due. Next says when to call it.
func (d *Dispatcher) Tick(nowMillis int64) {}

// NextTick is when Tick wants to be called, Unix milliseconds; 0: never.
func (d *Dispatcher) NextTick() int64 { return 0 }

// Effects gives what was asked for and told since the last call, in order. The
// slice is valid until the next input.
func (d *Dispatcher) Effects() []Effect { return nil }

// Attach adds consumer c to queue q. It has no credit yet.
func (d *Dispatcher) Attach(c ConsumerID, q ID, opts AttachOptions, snap Snapshot) {}

// Detach removes c: what it held and had not decided is released. Nothing more
// comes for c. An unknown consumer is ignored.
func (d *Dispatcher) Detach(c ConsumerID) {}

// SetLimit tells how many deliveries c may get in all, counted from Attach:
// the number of Deliver effects that the connection has received for c so far
// (sent or returned), plus the link's credit now. Said this way it does not
// matter how many deliveries are on their way.
func (d *Dispatcher) SetLimit(c ConsumerID, limit uint64) {}

// Drain is SetLimit, and asks for Drained as soon as the limit is reached or
// nothing is left for c.
func (d *Dispatcher) Drain(c ConsumerID, limit uint64) {}

// Outcome tells what c made of seq; ref comes back with Confirmed.
func (d *Dispatcher) Outcome(c ConsumerID, seq Seq, ref uint64, o Outcome) {}

// Return gives back a delivery that the connection could not send. It is not
// counted, and c gets nothing more until its next SetLimit.
func (d *Dispatcher) Return(c ConsumerID, seq Seq) {}

// Enqueued tells that messages were appended to q, in order.
func (d *Dispatcher) Enqueued(q ID, msgs []Message) {}

// Removed tells that a removal was applied, whoever proposed it. For a Purge:
// the run from the old head to the tail.
func (d *Dispatcher) Removed(q ID, runs []Run) {}

// Modified tells that a Modify was applied.
func (d *Dispatcher) Modified(q ID, seq Seq) {}

// DeletedQueue tells that q was deleted.
func (d *Dispatcher) DeletedQueue(q ID) {}

// ProposalFailed tells that Remove or Modify effects for these messages will
// not be applied, or that nobody knows.
func (d *Dispatcher) ProposalFailed(q ID, runs []Run) {}

// Loaded answers a Load: msgs are the live messages of q in [From, next), in
// order, as they were at some moment after the Load was asked for.
func (d *Dispatcher) Loaded(q ID, id LoadID, msgs []Message, next Seq) {}

// LoadFailed answers a Load that could not be made. It is asked for again
// after a while.
func (d *Dispatcher) LoadFailed(q ID, id LoadID) {}

// Configure replaces the MaxDeliveries of an attached queue.
func (d *Dispatcher) Configure(q ID, maxDeliveries uint32) {}

// Holds tells whether a message is out with a consumer or its end is already
// proposed: an expiry sweep leaves it alone.
func (d *Dispatcher) Holds(q ID, seq Seq) bool { return false }

// Stats are sums over the shard.
type DispatcherStats struct {
	Queues, Consumers int
	Acquired          int // out with consumers or settling
	BufferedMessages  int
	BufferedBytes     int
}

// Stats are counted as they change: O(1).
func (d *Dispatcher) Stats() DispatcherStats { return DispatcherStats{} }
