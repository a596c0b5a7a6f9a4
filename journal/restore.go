package journal

import (
	"errors"
	"fmt"
	"sync"

	"github.com/cockroachdb/pebble/v2"
)

var (
	// ErrRestoring: another Restore of the shard is open.
	ErrRestoring = errors.New("journal: the shard is being restored")
	// ErrStaleStream: the log does not go on where the stream ends, because it
	// was truncated meanwhile. A newer stream will do.
	ErrStaleStream = errors.New("journal: the stream is older than the log")
)

// StreamError reports a stream that is not what a Stream has written: cut off,
// changed on its way, or of a version that this binary does not know.
type StreamError struct {
	Offset int64 // of the frame, in bytes
	Reason string
}

func (e *StreamError) Error() string {
	return fmt.Sprintf("journal: stream, byte %d: %s", e.Offset, e.Reason)
}

// Restore replaces a shard's state by that of a stream. Write takes the bytes,
// Finish checks and keeps them, Commit makes them the shard's state; Abort at
// any time before ends it without a trace.
//
// The rows go to tables of a new generation, which nobody sees before Finish
// ingests all of them in one step; and the memory of the new state is built from
// them as they come, so that nothing is read again. Until Commit the log is
// kept from the stream's index on, so that the shard can go on there.
//
// Its methods may be called by different goroutines: Abort ends a Write.
type Restore struct {
	shard *Shard

	mu     sync.Mutex // held by every method
	stage  restoreStage
	err    error // of the first Write that failed
	in     streamReader
	tables tableSet
	next   *Shard // the state to be: nobody else knows it
	bodies bodyCheck
	names  uint64 // how many queues have one
	// ingested: there may be rows in Pebble.
	ingested bool
	checked  bool   // the states of all queues
	key      []byte // scratch of row
	value    []byte
	index    uint64
	marks    []mark
}

// restoreStage is how far a Restore is.
type restoreStage uint8

const (
	restoreWriting  restoreStage = iota
	restoreFinished              // the generation is in Pebble
	restoreOver
)

type mark struct {
	name  string
	value []byte
}

// NewRestore begins to restore the shard. Until Commit the shard goes on with
// the state it has.
//
// Errors: ErrRestoring, the store's failure.
func (s *Shard) NewRestore() (*Restore, error) {
	if err := s.store.failure.get(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	busy := s.restoring
	s.restoring = true
	s.mu.Unlock()
	if busy {
		return nil, ErrRestoring
	}
	s.flip.RLock()
	defer s.flip.RUnlock()
	g, err := s.freeGeneration()
	if err != nil {
		s.endRestore()
		return nil, err
	}
	s.log.pin(0)
	next := newShard(s.store, s.sh, s.log)
	next.space = space{s.sh, g}
	return &Restore{
		shard: s, next: next, bodies: bodyCheck{machine: next.machine},
		tables: tableSet{store: s.store, sh: s.sh, prefix: "restore-"},
	}, nil
}

func (s *Shard) endRestore() {
	s.log.unpin()
	s.mu.Lock()
	s.restoring = false
	s.mu.Unlock()
}

// SetMark makes Commit also set a mark of the shard, in the same step.
func (r *Restore) SetMark(name string, value []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.marks = append(r.marks, mark{name, value})
}

// Finish says that the stream has ended: it holds what was written against the
// stream's trailer and syncs it. The shard still has its old state. index is the
// stream's.
//
// Errors: *StreamError, what the disk says, the store's failure.
func (r *Restore) Finish() (index uint64, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stage != restoreWriting {
		return 0, ErrClosed
	}
	if r.err == nil && !r.in.ended {
		r.err = r.in.fail("the stream is cut off")
	}
	if r.err == nil {
		r.ingested = true
		r.err = r.shard.store.failure.or(r.ingest)
	}
	if r.err != nil {
		return 0, r.err
	}
	r.stage = restoreFinished
	return r.index, nil
}

func (r *Restore) ingest() error {
	if err := r.shard.store.failure.get(); err != nil {
		return err
	}
	return r.failed(r.tables.ingest())
}

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
	old, err := r.flip()
	if err != nil {
		return err
	}
	s := r.shard
	defer s.endRestore()
	s.store.damage.repaired(s.sh, func(e *CorruptionError) bool { return e.LogIndex == 0 })
	s.wake(s.room)
	for _, g := range old {
		if err := s.store.exciseBodies(space{s.sh, g}); err != nil {
			if failed := s.store.failure.get(); failed != nil {
				return failed
			}
			// The next start tries again.
			s.store.opts.Logger.Warn("journal: an old generation stays", "shard", s.sh, "err", err)
		}
	}
	return nil
}

// flip is Commit but for the removal of the old bodies.
func (r *Restore) flip() (old []uint8, err error) {
	s := r.shard
	s.spilling.Lock()
	defer s.spilling.Unlock()
	s.flip.Lock()
	defer s.flip.Unlock()
	s.log.cutting.Lock()
	defer s.log.cutting.Unlock()
	if !s.log.goesOn(r.index, s.AppliedIndex()) {
		return nil, ErrStaleStream
	}
	b := s.store.db.NewBatch()
	defer b.Close()
	if old, err = r.put(b); err != nil {
		return nil, err
	}
	if err := errors.Join(s.store.commit(b, pebble.Sync), s.store.fs.syncAll()); err != nil {
		return nil, s.fail("commit a stream", err)
	}
	s.adopt(r.next, r.index)
	return old, nil
}

// put puts the new state row and the removal of all other generations' rows into b.
func (r *Restore) put(b *pebble.Batch) (old []uint8, err error) {
	s := r.shard
	all, err := s.store.generationsOf(s.sh)
	if damaged := (*CorruptionError)(nil); err != nil && !errors.As(err, &damaged) {
		return nil, err
	}
	if s.broken == nil {
		all = append(all, s.space.g) // whether or not it could be read
	}
	for _, g := range all {
		if g == r.next.space.g {
			continue
		}
		old = append(old, g)
		if err := (space{s.sh, g}).delete(b); err != nil {
			return nil, err
		}
	}
	key := appendMarkKey(nil, s.sh, stateRowName)
	if err := b.Set(key, plainValue(key, r.in.state.append(nil)), nil); err != nil {
		return nil, err
	}
	for _, m := range r.marks {
		key, err := s.store.Marks(s.sh).key(m.name)
		if err != nil {
			return nil, err
		}
		if err := b.Set(key, plainValue(key, m.value), nil); err != nil {
			return nil, err
		}
	}
	return old, nil
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

// Abort removes what was written. After Commit it does nothing.
func (r *Restore) Abort() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stage == restoreOver {
		return nil
	}
	r.stage = restoreOver
	defer r.shard.endRestore()
	_ = r.tables.abandon(nil) // Open removes what stays
	if !r.ingested || r.shard.store.failure.get() != nil {
		return nil
	}
	return r.shard.store.failure.or(func() error { return r.shard.store.removeGeneration(r.next.space) })
}
