package journal

import (
	"errors"
	"fmt"
	"sync"
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
