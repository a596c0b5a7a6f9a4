package journal

import (
	"errors"

	"github.com/cockroachdb/pebble/v2"
)

// Commit makes what was finished the state of the shard, in one step, and syncs:
// K and AppliedIndex are the stream's index then, the window is empty, no queue is
// active. The entries behind that index are to be applied again.
//
// REQUIRES: no Apply runs meanwhile. Readers may.
//
// Errors: ErrStaleStream (the old state stays, Abort follows), the store's failure.
func (r *Restore) Commit() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stage != restoreFinished {
		return ErrClosed
	}
	if err := r.shard.store.failure.or(r.commit); err != nil {
		return err
	}
	r.stage = restoreOver
	return nil
}

func (r *Restore) commit() error {
	if err := r.flip(); err != nil {
		return err
	}
	s := r.shard
	defer s.endRestore()
	s.store.damage.repaired(s.sh, func(e *CorruptionError) bool { return e.LogIndex == 0 })
	s.wake(s.room)
	return s.store.oldRowsStay(s.sh, s.store.keepGeneration(r.next.space))
}

// flip is Commit but for the removal of the old generation.
func (r *Restore) flip() error {
	s := r.shard
	s.spilling.Lock()
	defer s.spilling.Unlock()
	s.flip.Lock()
	defer s.flip.Unlock()
	s.log.cutting.Lock()
	defer s.log.cutting.Unlock()
	if !s.log.goesOn(r.index, s.AppliedIndex()) {
		return ErrStaleStream
	}
	b := s.store.db.newBatch()
	defer b.Close()
	if err := r.put(b); err != nil {
		return err
	}
	if err := errors.Join(s.store.commit(b, pebble.Sync), s.store.syncAll()); err != nil {
		return s.fail("commit a stream", err)
	}
	s.adopt(r.next, r.index)
	return nil
}

// put puts the new state row and the marks into b.
func (r *Restore) put(b *pebble.Batch) error {
	s := r.shard
	key := appendMarkKey(nil, s.sh, stateRowName)
	if err := b.Set(key, plainValue(key, r.in.state.append(nil)), nil); err != nil {
		return err
	}
	for _, m := range r.marks {
		key, err := s.store.Marks(s.sh).key(m.name)
		if err != nil {
			return err
		}
		if err := b.Set(key, plainValue(key, m.value), nil); err != nil {
			return err
		}
	}
	return nil
}

// adopt takes over the memory of a restored state. REQUIRES: s.spilling, s.flip and
// s.log.cutting.
func (s *Shard) adopt(x *Shard, index uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.space, s.machine, s.window = x.space, x.machine, x.window
	s.fresh, s.committing = x.fresh, nil
	s.written, s.modifiedEver = x.written, x.modifiedEver
	s.dead, s.deadBytes = deadRuns{}, 0
	s.orphans, s.replayTo, s.inFlight = x.orphans, 0, 0
	s.dueFrom, s.sweptRow, s.excepted = 0, x.machine.SweptMillis(), x.excepted
	s.changedSince, s.changes = x.changedSince, 0
	s.applied, s.durable = index, index
	s.checks, s.broken = nil, nil
	clear(s.active)
	s.rounds++
	s.log.moved(index)
}
