package journal

import (
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// Pebble flushes what it finds in the WAL when it opens, and that is often one flush
// too many for level 0: it begins to compact at the very moment at which all rows are
// being read and leaders are elected. What a compaction saves is spread over days, so
// it waits. Three nodes on two cores, killed together with 1M empty queues: more than
// half of each one's CPU until it was ready went into a compaction.

// compactionsWait is how long after the opening compactions wait, unless they get
// urgent: about what a restart takes.
const compactionsWait = 5 * time.Second

// compactionsPause is how long they wait after one that failed.
const compactionsPause = time.Second

// lateCompactions is Pebble's own scheduler, which sees nothing to do for a while. Its
// ticker, which would look at what waits ten times a second for ever, is left out: the
// only occasions are a flush, the end of a compaction, and the end of a wait.
//
// Pebble begins a compaction that has failed again at once, and for ever: one of a damaged
// table, or, in a store that has failed, one of tables that guardFS has kept off the disk.
// Here each failure makes a pause.
type lateCompactions struct {
	*pebble.ConcurrencyLimitScheduler

	mu    sync.Mutex
	until time.Time   // before it only urgent ones begin
	after time.Time   // before it none
	next  *time.Timer // nil before Register
	ended bool
}

func newLateCompactions(wait time.Duration) *lateCompactions {
	return &lateCompactions{
		// The name says what it is made for; what it makes is the whole scheduler,
		// and there is no other way to one.
		ConcurrencyLimitScheduler: pebble.NewConcurrencyLimitSchedulerWithNoPeriodicGrantingForTest(),
		until:                     time.Now().Add(wait),
	}
}

// Register implements pebble.CompactionScheduler.
func (l *lateCompactions) Register(goroutines int, db pebble.DBForCompaction) {
	l.ConcurrencyLimitScheduler.Register(goroutines, lateDB{db, l})
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next = time.AfterFunc(time.Until(l.until), l.waited)
}

// waited is the end of a wait or a pause.
func (l *lateCompactions) waited() {
	l.mu.Lock()
	if rest := time.Until(l.until); rest > 0 && !l.ended {
		l.next.Reset(rest)
	}
	l.mu.Unlock()
	l.offer()
}

// failed is told of a compaction that has failed. The caller may hold Pebble's locks.
func (l *lateCompactions) failed() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended || l.next == nil {
		return
	}
	l.after = time.Now().Add(compactionsPause)
	l.next.Reset(compactionsPause)
}

// most is how many may run at a time, of n that Pebble would allow.
func (l *lateCompactions) most(n int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch now := time.Now(); {
	case now.Before(l.after):
		return 0
	case n <= 1 && now.Before(l.until):
		// More than one is what Pebble allows when level 0 grows too deep, or when it
		// was told to compact.
		return 0
	}
	return n
}

// stop ends all waits. Pebble does not unregister if it fails to open.
func (l *lateCompactions) stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	if l.next != nil {
		l.next.Stop()
	}
}

// Unregister implements pebble.CompactionScheduler.
func (l *lateCompactions) Unregister() {
	l.stop()
	l.ConcurrencyLimitScheduler.Unregister()
}

// UpdateGetAllowedWithoutPermission implements pebble.CompactionScheduler: there was a
// flush. Pebble holds locks that an offer needs.
func (l *lateCompactions) UpdateGetAllowedWithoutPermission() { go l.offer() }

// offer lets a compaction that waits begin, if one may: a grant that is given back goes
// to it.
func (l *lateCompactions) offer() {
	if ok, grant := l.TrySchedule(); ok {
		grant.Done()
	}
}

// lateDB is a store as its scheduler sees it.
type lateDB struct {
	pebble.DBForCompaction
	late *lateCompactions
}

// GetAllowedWithoutPermission implements pebble.DBForCompaction.
func (d lateDB) GetAllowedWithoutPermission() int {
	return d.late.most(d.DBForCompaction.GetAllowedWithoutPermission())
}
