package journal

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// Replace rewrites entries that the log has, durably, with what another replica has
// at the same index: the damaged ones, that Get refuses.
//
// Errors: an index that the log does not have; a term that is not the entry's, or
// that does not fit between its neighbours'; the store's failure.
func (l *Log) Replace(entries []Entry) error {
	l.cutting.Lock() // what is replaced must not be deleted meanwhile
	defer l.cutting.Unlock()
	b := l.store.db.newBatch()
	defer b.Close()
	for i := range entries {
		e := &entries[i]
		if err := l.mayReplace(e); err != nil {
			return err
		}
		key := appendLogKey(nil, l.sh, e.Index)
		value := make([]byte, logValueLen(e))
		putLogValue(key, value, e)
		if err := b.Set(key, value, nil); err != nil {
			return err
		}
	}
	if err := errors.Join(l.store.commit(b, pebble.Sync), l.store.syncAll()); err != nil {
		return err
	}
	l.mu.Lock()
	l.cache.reset()
	l.mu.Unlock()
	for i := range entries {
		l.store.damage.repaired(l.sh, func(d *CorruptionError) bool { return d.LogIndex == entries[i].Index })
	}
	return nil
}

// mayReplace holds e against what can be read of the log. One index has one entry
// for each term, and terms never fall.
func (l *Log) mayReplace(e *Entry) error {
	first, last := l.First(), l.Last()
	if first == 0 || e.Index < first || e.Index > last {
		return fmt.Errorf("journal: replace log entry %d: %w in %d..%d", e.Index, ErrNotFound, first, last)
	}
	var have Entry
	for index := max(first, e.Index-1); index <= min(last, e.Index+1); index++ {
		if l.get(index, &have) != nil {
			continue // damaged too
		}
		if index < e.Index && have.Term > e.Term || index > e.Index && have.Term < e.Term || index == e.Index && have.Term != e.Term {
			return fmt.Errorf("journal: replace log entry %d of term %d, but %d has term %d", e.Index, e.Term, index, have.Term)
		}
	}
	return nil
}

// pin keeps the entries behind index from being deleted, for a state that may move
// back to it; those behind W are kept anyway. unpin lets them go.
func (l *Log) pin(index uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pinned, l.pinnedAt = true, index
}

func (l *Log) unpin() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pinned = false
}

// goesOn: after a state as of index, the log has what follows: all that was applied,
// and no gap. REQUIRES: l.cutting.
func (l *Log) goesOn(index, applied uint64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if index < max(applied, l.applied) && l.last < max(applied, l.applied) {
		return false
	}
	return l.first == 0 || l.first <= index+1
}

// moved tells the log that the state is that of index, whatever it was.
// REQUIRES: l.cutting.
func (l *Log) moved(index uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.applied, l.spilled = index, index
}
