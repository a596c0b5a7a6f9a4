package journal

import (
	"sync"
	"time"

	"entrepot/queue"
)

// Shard is the state of one shard: the queue.Machine, the window of recent
// entries and what was spilled of it. Its methods are safe for concurrent use;
// Apply is called by one goroutine, in the order of indexes.
//
// Who may touch what: everything behind mu belongs to whoever holds it. It is
// held for memory work only, never for a read or write of the disk. Rounds of
// stage 2 (see spill.go) exclude each other by spilling.
type Shard struct {
	store *Store
	sh    uint16
	space space
	log   *Log
	now   func() time.Time

	mu      sync.Mutex
	machine *queue.Machine
	window  window
	active  map[queue.ID]struct{}
	applied uint64 // the last entry in machine
	durable uint64 // K
	// fresh takes what is applied, committing is what a round is writing; nil
	// if there is no round.
	fresh, committing *pending
	rounds            uint64 // rounds that have ended, see whileNoRoundEnds
	// written are modifications that have M rows, of messages in the window:
	// those are read without the disk.
	written   modifications
	dead      deadRuns
	deadBytes uint64 // about what died on disk since the last reclaim
	// inFlight is the last entry whose bodies a round is writing: their
	// messages count as if they had Q keys.
	inFlight uint64
	// orphans are, by queue, the end of messages that may have Q keys although
	// the window has them: a crash came between a table's ingestion and the
	// state row. replayTo is the last entry of which that can be true.
	orphans  map[queue.ID]queue.Seq
	replayTo uint64
	// modifiedEver: the shard may have M rows.
	modifiedEver bool
	dueFrom      int64 // no T row behind it was left out of Due, see due.go
	sweptRow     int64 // T rows up to here have been deleted
	excepted     map[queue.Ref]struct{}
	checks       []check // the last ones, oldest first

	changedSince time.Time // the first Apply since the last round, zero if none
	changes      int       // about how many rows the next round writes

	rec    queue.Record // scratch of Apply
	result Applied
	taken  []queue.ID // of the pack being applied, see readTaken

	// held: Apply waits, while a stream is opened.
	held int
	// broken is why there is no state, see Store.BrokenShard; nil if there is one.
	broken    error
	restoring bool                 // a Restore is open
	streams   map[*Stream]struct{} // open; nil once the store closes

	// flip is held by readers of rows as long as they read, and by a Restore's
	// Commit that changes the generation under them: space, above, changes
	// with flip, spilling and mu held.
	flip sync.RWMutex

	spilling sync.Mutex    // held for a round of stage 2
	kick     chan struct{} // cap 1: there is work for stage 2
	room     chan struct{} // cap 1: the window has shrunk
	stop     chan struct{} // closed by close
	stopped  chan struct{} // closed when spillLoop has ended
	scratch  spillScratch  // under spilling
}

func newShard(s *Store, sh uint16, l *Log) *Shard {
	return &Shard{
		store: s, sh: sh, log: l, now: time.Now,
		machine:  queue.NewMachine(),
		window:   newWindow(),
		active:   map[queue.ID]struct{}{},
		fresh:    newPending(),
		written:  modifications{},
		orphans:  map[queue.ID]queue.Seq{},
		excepted: map[queue.Ref]struct{}{},
		streams:  map[*Stream]struct{}{},
		kick:     make(chan struct{}, 1),
		room:     make(chan struct{}, 1),
		stop:     make(chan struct{}),
		stopped:  make(chan struct{}),
	}
}

// SetActive begins or ends the events of q and copies its state in the same
// instant: every fact that is not in the copy becomes an event. ok is false if
// there is no such queue; then it is not active.
func (s *Shard) SetActive(q queue.ID, active bool) (st queue.State, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, ok = s.machine.Queue(q)
	if active && ok {
		s.active[q] = struct{}{}
	} else {
		delete(s.active, q)
	}
	return st, ok
}

// Queue copies the state of q.
func (s *Shard) Queue(q queue.ID) (st queue.State, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.machine.Queue(q)
}

// Removed tells whether a message was in q and is there no more, or q itself is not. One
// that this replica has not heard of yet is not removed.
func (s *Shard) Removed(q queue.ID, seq queue.Seq) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, ok := s.machine.Queue(q)
	if !ok {
		return q < s.machine.NextID()
	}
	return seq < st.Tail && !s.machine.Alive(q, seq)
}

// NextID is an id that no queue has had: all that were, or are, have smaller ones.
func (s *Shard) NextID() queue.ID {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.machine.NextID()
}

// Totals are the sums over all queues of the shard.
func (s *Shard) Totals() queue.Totals {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.machine.Totals()
}

// Hash is a hash of the shard's state, equal on replicas that have applied the
// same entries.
func (s *Shard) Hash() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.machine.Hash()
}

// AppliedIndex is the index of the last entry that was applied to memory.
func (s *Shard) AppliedIndex() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.applied
}

// DurableIndex is K: the state on disk is that of memory after this entry.
func (s *Shard) DurableIndex() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.durable
}

// WindowBytes is what the window holds: the time to hold credit back is when
// it is well over Options.WindowBytes.
func (s *Shard) WindowBytes() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.window.bytes
}

// diskEnd is the message of q behind the last one that may have a Q key.
// REQUIRES: s.mu.
func (s *Shard) diskEnd(q queue.ID) queue.Seq {
	end := s.orphans[q]
	wq := s.window.queues[q]
	if wq == nil {
		st, _ := s.machine.Queue(q)
		return max(end, st.Tail)
	}
	for _, r := range wq.segments {
		if r.entry.index > s.inFlight {
			return max(end, r.segment().first)
		}
	}
	st, _ := s.machine.Queue(q)
	return max(end, st.Tail)
}

// Budgets of the window and of a round.
const (
	// fullFactor times the window's budget is where Apply waits.
	fullFactor = 2
	// maxChanges is how many changed rows make a round due: a round encodes
	// them under the lock.
	maxChanges = 8192
)

// generations gives what has no rows yet, the newest first. REQUIRES: s.mu.
func (s *Shard) generations() []*pending {
	if s.committing == nil {
		return []*pending{s.fresh}
	}
	return []*pending{s.fresh, s.committing}
}

// modifications gives those known in memory, the newest first. REQUIRES: s.mu.
func (s *Shard) modifications() [3]modifications {
	if s.committing == nil {
		return [3]modifications{s.fresh.modified, s.written}
	}
	return [3]modifications{s.fresh.modified, s.committing.modified, s.written}
}

// full: Apply must wait. REQUIRES: s.mu.
func (s *Shard) full() bool {
	return s.held > 0 || s.window.bytes > fullFactor*s.store.opts.WindowBytes || s.changes > 8*maxChanges
}

func (s *Shard) wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
