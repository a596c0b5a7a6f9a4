package journal

import (
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

// lateCompactions is Pebble's own scheduler, which sees nothing to do for a while. Its
// ticker, which would look at what waits ten times a second for ever, is left out: the
// only occasions are a flush, the end of a compaction, and the end of the wait.
type lateCompactions struct {
	*pebble.ConcurrencyLimitScheduler
	until time.Time
	end   *time.Timer
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
	l.ConcurrencyLimitScheduler.Register(goroutines, lateDB{db, l.until})
	l.end = time.AfterFunc(time.Until(l.until), l.offer)
}

// Unregister implements pebble.CompactionScheduler.
func (l *lateCompactions) Unregister() {
	l.end.Stop()
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
	until time.Time
}

// GetAllowedWithoutPermission implements pebble.DBForCompaction. More than one at a
// time is what Pebble allows when level 0 grows too deep, or when it was told to
// compact.
func (d lateDB) GetAllowedWithoutPermission() int {
	n := d.DBForCompaction.GetAllowedWithoutPermission()
	if n <= 1 && time.Now().Before(d.until) {
		return 0
	}
	return n
}
