package cluster

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"entrepot/journal"
)

// entryLog is what the group needs of the journal's Log; its contract is there.
type entryLog interface {
	First() uint64
	Last() uint64
	Get(index uint64, e *journal.Entry) error
	Append(entries []journal.Entry) error
	DeleteRange(min, max uint64) error
}

// logStore is Raft's LogStore over the shard's log in the journal. It is also
// where the batcher learns how far its packs got, where the bytes that make a
// snapshot due are counted, and where a failing disk stops the group.
//
// Owner: Raft. StoreLogs comes from its leader or follower loop; DeleteRange
// from there, for a suffix, and from the snapshot goroutine, for a prefix.
type logStore struct {
	log     entryLog
	batcher *Batcher
	grown   func(entries int, bytes int64) // told of every successful append
	early   func(logs []*raft.Log)         // shown what is about to be written; nil: nobody is
	// keepFrom is the index from which on entries must stay for a follower that is
	// being fed, 0: none.
	keepFrom func() uint64
	// awaitMending waits for mendPause; false: there is nobody who mends.
	awaitMending func() bool
	failed       func(error) // told of the first failed write

	// writes orders appends and deletions, as journal.Log asks for: who has put
	// something in may write. A prefix deletion is not synced, so an append waits for
	// it only some microseconds. (A mutex would stop the clock of a simulation, in
	// which an append takes virtual time; see journal.Pacer.)
	writes  chan struct{}
	entries []journal.Entry // scratch
	// writing are the entries that are being written, and those of a write that has
	// failed; nil: none. See unwritten.
	writing atomic.Pointer[[]*raft.Log]
	broken  atomic.Pointer[error]
	damage  atomic.Pointer[error] // the first entry that could not be read
}

// FirstIndex is the index of the oldest entry, 0 if there is none.
func (s *logStore) FirstIndex() (uint64, error) { return s.log.First(), nil }

// LastIndex is the index of the newest entry, 0 if there is none.
func (s *logStore) LastIndex() (uint64, error) { return s.log.Last(), nil }

// IsMonotonic: the log has no gaps, so Raft removes the old entries itself after
// an InstallSnapshot instead of relying on one.
func (s *logStore) IsMonotonic() bool { return true }

// GetLog reads one entry. Raft panics on every error but ErrLogNotFound, so
// damage is kept for Start to report, and in a running group with peers waited for:
// the journal has told of it, and the entry is being fetched from another replica.
func (s *logStore) GetLog(index uint64, l *raft.Log) error {
	err := s.read(index, l)
	for n := 0; err != nil && err != raft.ErrLogNotFound && n < mendTries && s.awaitMending(); n++ {
		err = s.read(index, l)
	}
	return err
}

// mendTries times mendPause are what is waited for a damaged entry to be replaced.
const (
	mendTries = 50
	mendPause = 100 * time.Millisecond
)

func (s *logStore) read(index uint64, l *raft.Log) error {
	var e journal.Entry
	err := s.log.Get(index, &e)
	if errors.Is(err, journal.ErrNotFound) {
		if s.unwritten(index, l) {
			return nil
		}
		err = s.log.Get(index, &e) // it may have been written meanwhile
	}
	switch {
	case errors.Is(err, journal.ErrNotFound):
		return raft.ErrLogNotFound
	case err != nil:
		err = fmt.Errorf("cluster: read log entry %d: %w", index, err)
		s.damage.CompareAndSwap(nil, &err)
		return err
	}
	*l = raft.Log{
		Index: e.Index, Term: e.Term, Type: raft.LogType(e.Type),
		Data: e.Data, Extensions: e.Extensions, AppendedAt: time.UnixMilli(e.AppendedAtMillis),
	}
	return nil
}

// unwritten gives an entry that is being written, or could not be.
//
// A follower may have it already (early.go), and Raft then goes on behind it. If Raft
// were told that there is no such entry, it would take it for one that was removed long
// ago, and feed the follower with a snapshot. The follower would throw its log away for
// that, with entries that it was counted for when they were committed.
func (s *logStore) unwritten(index uint64, l *raft.Log) bool {
	logs := s.writing.Load()
	if logs == nil || index < (*logs)[0].Index || index-(*logs)[0].Index >= uint64(len(*logs)) {
		return false
	}
	*l = *(*logs)[index-(*logs)[0].Index]
	return true
}

// StoreLog stores one entry.
func (s *logStore) StoreLog(l *raft.Log) error { return s.StoreLogs([]*raft.Log{l}) }

// StoreLogs stores entries in one synced commit. After a failure nothing more is
// written: a disk that failed once cannot be trusted to have kept what the next
// success would seem to promise.
func (s *logStore) StoreLogs(logs []*raft.Log) error {
	s.writes <- struct{}{}
	defer func() { <-s.writes }()
	if err := s.broken.Load(); err != nil {
		return *err
	}
	var bytes int64
	s.entries = s.entries[:0]
	for _, l := range logs {
		s.batcher.writing(l.Data)
		bytes += int64(len(l.Data))
		s.entries = append(s.entries, journal.Entry{
			Index: l.Index, Term: l.Term, Type: uint8(l.Type),
			Data: l.Data, Extensions: l.Extensions, AppendedAtMillis: appendedAtMillis(l),
		})
	}
	s.writing.Store(&logs)
	if s.early != nil {
		s.early(logs)
	}
	err := s.log.Append(s.entries)
	clear(s.entries) // the window decides how long data lives, not this scratch
	if err != nil {
		return s.fail(fmt.Errorf("cluster: write log entries %d..%d: %w", logs[0].Index, logs[len(logs)-1].Index, err))
	}
	s.writing.Store(nil)
	s.batcher.stored()
	s.grown(len(logs), bytes)
	return nil
}

// DeleteRange removes entries; the journal keeps what the FSM still needs.
func (s *logStore) DeleteRange(min, max uint64) error {
	s.writes <- struct{}{}
	defer func() { <-s.writes }()
	if err := s.broken.Load(); err != nil {
		return *err
	}
	if from := s.keepFrom(); from > 0 && max >= from && max < s.log.Last() {
		max = from - 1 // a prefix; Raft asks for more with the next snapshot
	}
	if err := s.log.DeleteRange(min, max); err != nil {
		return s.fail(fmt.Errorf("cluster: delete log entries %d..%d: %w", min, max, err))
	}
	return nil
}

func (s *logStore) fail(err error) error {
	if s.broken.CompareAndSwap(nil, &err) {
		s.failed(err)
	}
	return err
}

// appendedAtMillis is 0 for an entry without a time (the bootstrap's).
func appendedAtMillis(l *raft.Log) int64 {
	if l.AppendedAt.IsZero() {
		return 0
	}
	return l.AppendedAt.UnixMilli()
}
