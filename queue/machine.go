package queue

// Machine is what is true of a shard: the state of each of its queues, the
// cluster's settings, and how far the packs of each origin have come. It is a
// function of the records that were applied, in their order, and of nothing
// else: replicas that applied the same are equal (Hash).
//
// It knows no names, no bodies, no deadlines and no annotations. Those are in
// the store; the Machine says which of them still count. That is what makes a
// queue at rest cost 72 bytes.
//
// Applying is idempotent where the log may repeat a fact: removing what is gone,
// deleting what is deleted, declaring what exists do nothing and say so.
//
// Owner: whoever applies the log. Not for two goroutines at a time.
type Machine struct {
	queues      slab
	nextID      ID
	nowMillis   int64
	sweptMillis int64
	totals      Totals
	origins     origins
	settings    settings
	dirty       dirtySet
	pool        pagePool
}

// NewMachine makes the machine of an empty shard.
func NewMachine() *Machine { return &Machine{nextID: 1} }

// Totals are sums over a shard, the same price for a million queues. Queues,
// Count and Bytes are state; the others count since the Machine was made.
type Totals struct {
	Queues        uint64
	Count         uint64
	Bytes         uint64
	Enqueued      uint64
	EnqueuedBytes uint64
	Removed       [NumReasons]uint64
}

// Totals are the shard's sums.
func (m *Machine) Totals() Totals {
	t := m.totals
	t.Queues = uint64(m.queues.n)
	return t
}

// NextID is an id that was never used. It stays the same until a Declare with
// it, or with a higher one, is applied.
func (m *Machine) NextID() ID { return m.nextID }

// NowMillis is the latest time of a pack that was applied. It never goes back.
func (m *Machine) NowMillis() int64 { return m.nowMillis }

// SweptMillis is up to when deadlines have been swept (see PackBuilder.Expire).
func (m *Machine) SweptMillis() int64 { return m.sweptMillis }

// Queue is q's state: a copy, which does not follow later changes.
func (m *Machine) Queue(q ID) (State, bool) {
	if s := m.queues.get(q); s != nil {
		return *s, true
	}
	return State{}, false
}

// Queues calls f for each queue in the order of ids until it says false. f must
// not change the state, nor keep it.
func (m *Machine) Queues(f func(q ID, s *State) bool) { m.queues.each(f) }

// Alive tells whether a message of q is there.
func (m *Machine) Alive(q ID, seq Seq) bool {
	s := m.queues.get(q)
	if s == nil || seq < s.Head || seq >= s.Tail {
		return false
	}
	return s.live == nil || s.live.nextAlive(seq, seq+1) == seq
}

// NextAlive is the first live message of q at or behind from.
func (m *Machine) NextAlive(q ID, from Seq) (Seq, bool) {
	s := m.queues.get(q)
	if s == nil {
		return 0, false
	}
	seq := s.live.nextAlive(max(from, s.Head), s.Tail)
	return seq, seq < s.Tail
}

// NextAliveRun is the first unbroken run of live messages of q at or behind
// from: [first, end).
func (m *Machine) NextAliveRun(q ID, from Seq) (first, end Seq, ok bool) {
	first, ok = m.NextAlive(q, from)
	if !ok {
		return 0, 0, false
	}
	s := m.queues.get(q)
	return first, s.live.nextDead(first, s.Tail), true
}

// CountAlive is how many messages of q in [from, to) are there.
func (m *Machine) CountAlive(q ID, from, to Seq) uint64 {
	s := m.queues.get(q)
	if s == nil {
		return 0
	}
	return s.live.count(max(from, s.Head), min(to, s.Tail))
}

// pagePool keeps pages and live sets that are free for the next to need one.
type pagePool struct {
	pages []*page
	sets  []*liveSet
}

// poolLimit bounds what the pool keeps: 32 KiB of pages.
const poolLimit = 64

// page gives a page with every message alive.
func (p *pagePool) page() *page {
	var pg *page
	if n := len(p.pages); n > 0 {
		pg, p.pages = p.pages[n-1], p.pages[:n-1]
	} else {
		pg = new(page)
	}
	pg.fill()
	return pg
}

func (p *pagePool) set() *liveSet {
	if n := len(p.sets); n > 0 {
		ls := p.sets[n-1]
		p.sets = p.sets[:n-1]
		return ls
	}
	return new(liveSet)
}

func (p *pagePool) freePage(pg *page) {
	if pg != nil && pg != deadPage && len(p.pages) < poolLimit {
		p.pages = append(p.pages, pg)
	}
}

// freeSet takes back a live set without pages; a wide one is left to the
// garbage collector.
func (p *pagePool) freeSet(ls *liveSet) {
	if len(p.sets) < poolLimit && cap(ls.pages) <= poolLimit {
		ls.pages = ls.pages[:0]
		p.sets = append(p.sets, ls)
	}
}
