package queue

import "slices"

// entryState is where a known message stands with the Dispatcher.
//
//	          deliver                accepted, ...     fact applied
//	ready -----------------> acquired -----> settling ------------> (forgotten)
//	| ^                       |    |
//	| |  released, modified,  |    '-- removed by others: gone ---> (forgotten)
//	| '-----------------------'
//	|   nobody is attached, a Modify is not answered
//	'<---------------------------------------------> parked
//	    a load brings it for a new consumer
//
// A settling entry whose proposal failed is ready again. A parked one is
// forgotten when the answer comes: then the store knows all of it.
type entryState uint8

const (
	ready    entryState = iota // waits for a consumer, in its runtime's ready or restricted list
	acquired                   // out with holder, undecided, in holder.out
	gone                       // out with holder, in holder.out, but removed meanwhile
	settling                   // its Remove is proposed; in holder.out if it has a holder
	parked                     // back with the store, which does not know all of it yet; in no list
)

// entry is what the Dispatcher knows of one message.
//
// Invariant: it is in its runtime's table, and in the one list its state names.
// Invariant: payload and annotations are set only while it is ready and loaded,
// but for annotations that are ours: a message that is out, or came back, must
// not hold the store's memory.
type entry struct {
	next, prev *entry
	seq        Seq
	deadline   int64
	payload    []byte
	annotate   []byte
	holder     *consumer
	only       *restriction // nil: any consumer may get it
	ref        uint64       // settling: the connection's, from the outcome
	fillFrom   LoadID       // a stub is filled by this load or a later one
	size       int
	count      uint32 // failed deliveries, as far as is known here or in the store
	modifies   uint32 // of it that are proposed and not answered (runtime.modifies)
	state      entryState
	outcome    OutcomeKind
	flags      Flags
	loaded     bool // ready: it has its payload (else: a stub)
	touched    bool // some consumer had it
	late       bool // settling: for its deadline
	ours       bool // annotate is from an outcome; the store may not have it yet
	spent      bool // has failed too often, as was said while it was out: it goes if it comes back
	recall     recallState
}

// recallState is whether the holder of a message is asked to give it back (late.go).
type recallState uint8

const (
	notRecalled recallState = iota
	recalled
	withClient // its holder's client has it
)

// restriction keeps a message from some consumers.
type restriction struct {
	excluded []ConsumerID // refused it "here"; stale ids of detached ones do no harm

	// The consumer that released it last gets it again only when others could
	// not: when its credit is renewed (coolGen is no longer its gen) or at
	// coolUntil.
	cool      ConsumerID
	coolGen   uint32
	coolUntil int64
}

// admits tells whether c may get a message with restriction o.
func (o *restriction) admits(c *consumer, nowMillis int64) bool {
	if o.cool == c.id && o.coolGen == c.gen && nowMillis < o.coolUntil {
		return false
	}
	return !slices.Contains(o.excluded, c.id)
}

func (e *entry) expired(nowMillis int64) bool {
	return e.deadline != 0 && e.deadline <= nowMillis
}

// entryList is a list of entries through their next and prev. Where it must be
// in the order of seq, insert is used; hint makes it cheap when entries come
// back in any kind of order.
type entryList struct {
	first, last *entry
	hint        *entry // the last one that insert put in, or a neighbour
	n           int
}

// insert puts e at its place. REQUIRES: the list is in order of seq.
func (l *entryList) insert(e *entry) {
	at := l.hint // e goes behind at; nil: to the front
	switch {
	case l.last == nil || l.last.seq < e.seq:
		at = l.last
	case e.seq < l.first.seq:
		at = nil
	default:
		for at != nil && at.seq > e.seq {
			at = at.prev
		}
		if at == nil {
			at = l.first
		}
		for at.next != nil && at.next.seq < e.seq {
			at = at.next
		}
	}
	l.insertBehind(at, e)
	l.hint = e
}

// push puts e at the end.
func (l *entryList) push(e *entry) { l.insertBehind(l.last, e) }

func (l *entryList) insertBehind(at, e *entry) {
	e.prev = at
	if at == nil {
		e.next, l.first = l.first, e
	} else {
		e.next, at.next = at.next, e
	}
	if e.next == nil {
		l.last = e
	} else {
		e.next.prev = e
	}
	l.n++
}

// remove takes e out, which must be in this list.
func (l *entryList) remove(e *entry) {
	if l.hint == e {
		l.hint = e.prev
	}
	if e.prev == nil {
		l.first = e.next
	} else {
		e.prev.next = e.next
	}
	if e.next == nil {
		l.last = e.prev
	} else {
		e.next.prev = e.prev
	}
	e.next, e.prev = nil, nil
	l.n--
}

// entryPool keeps free entries for all queues of a shard. They are made in
// blocks; the pool holds on to at most as many as entryPoolLimit.
type entryPool struct {
	free *entry // through next
	n    int
}

const (
	entryBlock     = 32
	entryPoolLimit = 16 << 10
)

func (p *entryPool) get() *entry {
	if p.free == nil {
		block := make([]entry, entryBlock)
		for i := range block {
			p.put(&block[i])
		}
	}
	e := p.free
	p.free, e.next = e.next, nil
	p.n--
	return e
}

func (p *entryPool) put(e *entry) {
	*e = entry{}
	if p.n >= entryPoolLimit {
		return
	}
	e.next, p.free = p.free, e
	p.n++
}
