package queue

// Dispatcher decides who gets what: it holds what a shard's leader knows of
// its consumers, their credit, and the messages that are out. None of that is
// replicated. Inputs are its methods; what it wants done it says in Effects. It
// has no clock: SetNow and Tick bring the time.
//
// Rules. A queue's messages go out in the order of their sequence numbers, in
// turn to the consumers that have credit. What comes back goes to its old
// place. One released is offered to others at once, and to its releaser when
// its credit is renewed or after CoolMillis. One refused "here" is not offered
// to that consumer again. Nothing whose deadline has come goes out. A browser
// has a cursor of its own; it sees what waits, and changes nothing.
//
// Messages come to it in two ways. While a queue's reader keeps up with its
// tail, Enqueued brings them, and a consumer with credit gets one in the same
// call. Else they are loaded page by page (feed.go) into a bounded buffer. What
// came back is a stub, without its payload, and is loaded again.
//
// Facts arrive late. How each race is survived:
//
//   - A message is removed by someone else (purge, expiry, delete) while it is
//     out: its entry becomes gone; the outcome that comes is confirmed at once.
//   - It is removed while a load that has it is under way: the removal is
//     remembered until then (runtime.tombs).
//   - A load brings what Enqueued has brought meanwhile, or the other way round:
//     loadPos says up to where everything is known.
//   - A consumer settles what an earlier leader's dispatcher gave it, and which
//     another one has by now: it goes whatever that one says (late.go). Or it says
//     that it has failed: that counts (late_modified.go).
//   - A consumer leaves while its outcome is proposed: the entry stays, without
//     a holder, until the fact or the failure comes; so nothing settled goes
//     out again, though nobody else be attached.
//   - A modified message is back in its place before the store knows its new
//     count: what is known here goes over what loads bring (modify.go).
//   - All consumers leave before the store knows who had what: the runtime
//     lives until the Mark is applied, so that no later one is told that it is
//     the first acquirer.
//   - A removal fails, or nobody knows: the message is ready again. If the
//     fact does come later, it finds the entry wherever it is by then.
//   - Credit is taken back while deliveries are on their way: the limit is
//     counted from Attach, and the connection returns what it cannot send.
//   - A load that began before a Modify was applied would bring what was before:
//     a stub is filled only by loads that began after it became one, and what
//     is known here of a stub stays.
//
// Owner: one goroutine of the leader.
type Dispatcher struct {
	cfg       DispatcherConfig
	now       int64
	runtimes  map[ID]*runtime
	consumers map[ConsumerID]*consumer

	effects    []Effect
	taken      bool // effects have been given out: the next input begins anew
	lastRemove int  // the last Remove in effects, -1: none

	marks    []*runtime // want a Mark
	ended    []ID       // had a runtime, and want an Idle unless they have one again
	timers   timerQueue
	nextLoad LoadID
	pool     entryPool
	scratch  []*entry
	stats    DispatcherStats
}

// Limits of the Dispatcher where the caller gives none.
const (
	DefaultBufferMessages = 1024     // read ahead, per queue
	DefaultBufferBytes    = 1 << 20  // read ahead, per queue
	DefaultTotalBytes     = 32 << 20 // read ahead, all queues of the shard
	DefaultMaxUnsettled   = 2048     // deliveries out, per consumer
	MaxExcluded           = 4096     // messages a consumer may refuse "here" before it gets no more
	CoolMillis            = 100      // a released message is not offered to its releaser for so long
)

// DispatcherConfig are a shard's settings. Zero values take the defaults.
type DispatcherConfig struct {
	Epoch          uint64 // the leader's Raft term; must grow from leader to leader
	BufferMessages int
	BufferBytes    int
	TotalBytes     int
}

// AttachOptions are what a consumer is.
type AttachOptions struct {
	Browse       bool   // copies only: own cursor, nothing acquired
	MaxUnsettled uint32 // most deliveries out at a time; 0: DefaultMaxUnsettled
	NoExclude    bool   // a router: "undeliverable here" does not exclude it
}

// Snapshot is what the Dispatcher must know of a queue when a consumer comes.
//
// REQUIRES: every fact about the queue that is applied after State was copied
// reaches the Dispatcher after the Attach, in the order of application. So the
// Dispatcher's owner first makes the queue active, then copies, then attaches.
// Older facts that come late do no harm.
type Snapshot struct {
	State         State
	MaxDeliveries uint32 // of the policy; 0: no end
}

// NewDispatcher makes the dispatcher of a shard whose leader this node has
// just become, when everything committed before has been applied.
func NewDispatcher(cfg DispatcherConfig) *Dispatcher {
	if cfg.BufferMessages <= 0 {
		cfg.BufferMessages = DefaultBufferMessages
	}
	if cfg.BufferBytes <= 0 {
		cfg.BufferBytes = DefaultBufferBytes
	}
	if cfg.TotalBytes <= 0 {
		cfg.TotalBytes = DefaultTotalBytes
	}
	return &Dispatcher{
		cfg:        cfg,
		runtimes:   map[ID]*runtime{},
		consumers:  map[ConsumerID]*consumer{},
		lastRemove: -1,
	}
}

// DispatcherStats are sums over the shard.
type DispatcherStats struct {
	Queues           int // with a runtime
	Consumers        int
	Acquired         int // out with consumers, their end is proposed, or they are parked
	BufferedMessages int
	BufferedBytes    int
}

// Stats are counted as they change: O(1).
func (d *Dispatcher) Stats() DispatcherStats {
	s := d.stats
	s.Queues, s.Consumers = len(d.runtimes), len(d.consumers)
	return s
}

// SetLimit tells how many deliveries c may get in all, counted from Attach:
// the number of Deliver effects that the connection has received for c so far
// (sent or returned), plus the link's credit now. Said this way it does not
// matter how many deliveries are on their way. It ends a drain.
func (d *Dispatcher) SetLimit(c ConsumerID, limit uint64) { d.setLimit(c, limit, false) }

// Drain is SetLimit, and asks for Drained as soon as the limit is reached or
// nothing is left that c may get now.
func (d *Dispatcher) Drain(c ConsumerID, limit uint64) { d.setLimit(c, limit, true) }

func (d *Dispatcher) setLimit(c ConsumerID, limit uint64, drain bool) {
	d.begin()
	cons := d.consumers[c]
	if cons == nil {
		return
	}
	cons.setLimit(limit)
	cons.setDraining(drain)
	d.dispatch(cons.runtime)
}

// Configure replaces the MaxDeliveries of an attached queue.
func (d *Dispatcher) Configure(q ID, maxDeliveries uint32) {
	d.begin()
	if r := d.runtimes[q]; r != nil {
		r.maxDeliveries = maxDeliveries
	}
}

// Active tells whether anything is known of q: if not, nothing of it is held.
func (d *Dispatcher) Active(q ID) bool { return d.runtimes[q] != nil }

// Holds tells whether a message is out with a consumer, or its end is already
// proposed: an expiry sweep leaves it alone.
func (d *Dispatcher) Holds(q ID, seq Seq) bool {
	r := d.runtimes[q]
	if r == nil {
		return false
	}
	e := r.table.get(seq)
	return e != nil && (e.state == acquired || e.state == settling)
}

// DeletedQueue tells that q was deleted: its consumers are Gone. Answers that
// are still to come may come or not.
func (d *Dispatcher) DeletedQueue(q ID) {
	d.begin()
	r := d.runtimes[q]
	if r == nil {
		return
	}
	for _, m := range r.modifies.all() {
		d.emitModify(EffectConfirmed, q, m)
	}
	d.scratch = r.table.appendAll(d.scratch[:0])
	for _, e := range d.scratch {
		d.final(r, e, EffectConfirmed)
	}
	for _, seq := range r.unknownIn(0, noSeq) {
		d.neverKnown(r, seq)
	}
	for _, c := range r.consumers {
		for e := c.out.first; e != nil; e = e.next {
			if e.state == settling {
				d.emitOutcome(EffectConfirmed, e)
			}
		}
	}
	for _, list := range [...][]*consumer{r.consumers, r.browsers} {
		for _, c := range list {
			d.emit(EffectGone, q).Consumer = c.id
			delete(d.consumers, c.id)
		}
	}
	for _, e := range d.scratch {
		d.forget(r, e)
	}
	r.consumers, r.browsers = nil, nil
	d.drop(r)
}

// end ends the runtime if there is nothing left to know.
func (d *Dispatcher) end(r *runtime) {
	if r.idle() {
		d.drop(r)
	}
}

// drop ends the runtime. That the queue is idle is told by Effects: an Attach
// may come before.
func (d *Dispatcher) drop(r *runtime) {
	r.markQueued = false
	delete(d.runtimes, r.q)
	d.ended = append(d.ended, r.q)
}
