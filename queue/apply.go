package queue

import (
	"math"
	"math/bits"
)

// Status is how the Machine answers a record.
type Status uint8

const (
	OK        Status = iota
	NoQueue          // there is no such queue (any more); Declare: the id is used up
	Exists           // Declare of a queue that is there (Reply.Queue): nothing done
	NoMessage        // Modify of a message that is gone: nothing done
)

var statusNames = [...]string{"ok", "no queue", "exists", "no message"}

// String is the status as errors show it.
func (s Status) String() string {
	if int(s) < len(statusNames) {
		return statusNames[s]
	}
	return "status?"
}

// Reply is the Machine's answer to one record.
type Reply struct {
	Kind   Kind
	Status Status
	Queue  ID  // Declare: the new queue's, or that of the one that has the name
	Seq    Seq // Enqueue: the message's place. Modify: the message. Purge, Delete: the old head
	Next   Seq // Purge, Delete: the tail: everything in [Seq, Next) is gone

	// Of removals: how many messages, and their bytes, really went now.
	Removed uint64
	Bytes   uint64
}

// Apply does what rec says and tells what came of it. nowMillis is the time of
// the record's pack. It keeps nothing of rec.
//
// A removed run brings the bytes that its maker knows of. If of its n messages
// only k are still there, bytes*k/n are taken off: exact while nothing races,
// and never adding up, because an empty queue has no bytes by definition.
//
// Names are the store's business: it answers a Declare of a name that is taken
// in place of the Machine.
//
// Expire only moves SweptMillis: the removals stand in Remove records of their
// own, for the Machine knows no deadlines. An Update changes nothing here.
func (m *Machine) Apply(rec *Record, nowMillis int64) Reply {
	m.nowMillis = max(m.nowMillis, nowMillis)
	r := Reply{Kind: rec.Kind, Queue: rec.Queue}
	switch rec.Kind {
	case KindDeclare:
		if rec.NewID {
			r.Queue = m.nextID
		}
		m.declare(r.Queue, &r)
		return r
	case KindExpire:
		m.sweptMillis = max(m.sweptMillis, rec.DeadlineMillis)
		return r
	case KindSetting:
		m.settings.set(rec.Name, rec.Spec)
		return r
	case KindCheck:
		return r
	}
	s := m.queues.get(rec.Queue)
	if s == nil {
		r.Status = NoQueue
		return r
	}
	switch rec.Kind {
	case KindEnqueue:
		m.enqueue(rec.Queue, s, uint64(len(rec.Payload)), &r)
	case KindRemove:
		for _, run := range rec.Runs {
			m.removeRun(rec.Queue, s, run, &r)
		}
		m.totals.Removed[rec.Reason] += r.Removed
	case KindModify:
		r.Seq = rec.Seq
		if !m.Alive(rec.Queue, rec.Seq) {
			r.Status = NoMessage
		}
	case KindPurge:
		m.empty(rec.Queue, s, Purged, &r)
	case KindDelete:
		m.empty(rec.Queue, s, Deleted, &r)
		m.queues.remove(rec.Queue)
		m.dirty.deleted(rec.Queue)
	case KindMark:
		m.mark(rec.Queue, s, rec.Seq, rec.Epoch)
	}
	return r
}

func (m *Machine) declare(q ID, r *Reply) {
	if m.queues.get(q) != nil {
		r.Status = Exists
		return
	}
	if q < m.nextID || q == math.MaxUint32 {
		// An id is never used again: whoever still knows the old queue by it
		// would take the new one's messages for the old one's.
		r.Status = NoQueue
		return
	}
	m.nextID = q + 1
	s := m.queues.add(q, State{Head: 1, Tail: 1})
	m.dirty.queue(q, s)
}

func (m *Machine) enqueue(q ID, s *State, size uint64, r *Reply) {
	r.Seq = s.Tail
	s.Tail++
	s.Count++
	s.Bytes += size
	m.totals.Count++
	m.totals.Bytes += size
	m.totals.Enqueued++
	m.totals.EnqueuedBytes += size
	m.dirty.queue(q, s)
}

// mark keeps two marks apart: what was delivered under this epoch's leader, who
// learns the outcomes, and what was under those before it, who did not.
func (m *Machine) mark(q ID, s *State, upTo Seq, epoch uint64) {
	upTo = min(upTo, s.Tail-1)
	if epoch < s.MarkEpoch || upTo <= s.DeliveredUpTo {
		return
	}
	if epoch > s.MarkEpoch {
		s.SuspectUpTo, s.MarkEpoch = s.DeliveredUpTo, epoch
	}
	s.DeliveredUpTo = upTo
	m.dirty.queue(q, s)
}

// removeRun takes what is left of run out of the queue and adds to r what went.
func (m *Machine) removeRun(q ID, s *State, run Run, r *Reply) {
	from, to := max(run.First, s.Head), min(run.End(), s.Tail)
	if from >= to {
		return
	}
	n := s.live.count(from, to)
	if n == 0 {
		return
	}
	bytes := run.Bytes
	if n < uint64(run.Count) {
		hi, lo := bits.Mul64(bytes, n)
		bytes, _ = bits.Div64(hi, lo, uint64(run.Count))
	}
	m.take(s, n, min(bytes, s.Bytes), r)
	if from == s.Head {
		m.moveHead(q, s, s.live.nextAlive(to, s.Tail))
	} else {
		m.clearRange(q, s, from, to)
	}
	m.dirty.queue(q, s)
}

// empty takes out everything.
func (m *Machine) empty(q ID, s *State, reason Reason, r *Reply) {
	r.Seq, r.Next = s.Head, s.Tail
	m.totals.Removed[reason] += s.Count
	m.take(s, s.Count, s.Bytes, r)
	m.moveHead(q, s, s.Tail)
	m.dirty.queue(q, s)
}

// take counts n messages and their bytes off. The last one takes what is left.
func (m *Machine) take(s *State, n, bytes uint64, r *Reply) {
	s.Count -= n
	if s.Count == 0 {
		bytes = s.Bytes
	}
	s.Bytes -= bytes
	m.totals.Count -= n
	m.totals.Bytes -= bytes
	r.Removed += n
	r.Bytes += bytes
}

// moveHead makes head the first live message and lets the pages before it go.
func (m *Machine) moveHead(q ID, s *State, head Seq) {
	s.Head = head
	if s.live == nil {
		return
	}
	keep := pageOf(head)
	if head == s.Tail {
		keep = pageOf(head) + 1 // nothing is alive: no page says anything
	}
	s.live.dropBefore(keep, func(n PageNo, p *page) {
		m.dirty.page(q, n, p)
		m.pool.freePage(p)
	})
	m.dropEmptySet(s)
}

// clearRange takes [from, to) out of the middle: pages that lie in it wholly
// become the shared dead page, the others lose bits.
func (m *Machine) clearRange(q ID, s *State, from, to Seq) {
	if s.live == nil {
		s.live = m.pool.set()
	}
	for from < to {
		n := pageOf(from)
		end := min(n.end(), to)
		p := s.live.at(n)
		switch {
		case p == deadPage:
		case from == n.begin() && end == n.end():
			m.setDead(q, s, n, p)
		default:
			if p == nil {
				p = m.pool.page()
				s.live.put(n, p)
			}
			p.clear(int(from-n.begin()), int(end-n.begin()))
			if p.ones == 0 {
				m.setDead(q, s, n, p)
			} else {
				m.dirty.page(q, n, p)
			}
		}
		from = end
	}
}

func (m *Machine) setDead(q ID, s *State, n PageNo, old *page) {
	m.dirty.page(q, n, old)
	s.live.put(n, deadPage)
	m.pool.freePage(old)
}

func (m *Machine) dropEmptySet(s *State) {
	if s.live.set == 0 {
		m.pool.freeSet(s.live)
		s.live = nil
	}
}
