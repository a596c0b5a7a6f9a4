package journal

import (
	"errors"
	"fmt"
	"sync"

	"github.com/cockroachdb/pebble/v2"
)

// EntryPack is the Type of entries whose Data is a pack. Other types are the
// log's own affairs (Raft's configurations and no-ops) and are never applied.
const EntryPack = 0

// Entry is one entry of a Raft log.
type Entry struct {
	Index, Term      uint64
	Type             uint8
	Data             []byte
	Extensions       []byte
	AppendedAtMillis int64
}

// Log is one shard's Raft log. Its methods are safe for concurrent use, but
// Append and DeleteRange must not run at the same time as each other.
//
// What an entry costs: one copy into a Pebble batch (with its checksum), and
// from there Pebble's into the memtable and into the WAL's block. A prefix is
// deleted by a range tombstone, mostly in the memtable that holds the entries,
// so that a flush drops both and they are never written again.
type Log struct {
	store *Store
	sh    uint16

	cutting sync.Mutex // held while a prefix is deleted, or the state moves

	mu          sync.Mutex // guards all that follows
	first, last uint64     // 0: empty
	cache       logCache
	// applied is the shard's applied index: entries up to it are committed.
	applied uint64
	// spilled is W: entries up to it hold nothing that the state on disk
	// lacks. Invariant: first <= spilled+1, unless the log is empty.
	spilled uint64
	// wanted is how far a prefix was asked to be deleted.
	wanted uint64
	// pinned: entries behind pinnedAt stay, for a Restore.
	pinned   bool
	pinnedAt uint64
}

// openLog finds the ends of a shard's log.
func openLog(s *Store, sh uint16) (*Log, error) {
	l := &Log{store: s, sh: sh, cache: logCache{limit: s.opts.LogCacheBytes}}
	row, err := s.readStateRow(sh)
	if damaged := (*CorruptionError)(nil); err != nil && !errors.As(err, &damaged) {
		return nil, err
	}
	l.applied, l.spilled = row.durable, row.spilled // 0 if that is damaged, which loadShard tells
	prefix := appendShard(nil, kindLog, sh)
	it, err := s.db.newIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: prefixEnd(prefix)})
	if err != nil {
		return nil, err
	}
	if it.First() {
		l.first = indexOf(it.Key())
	}
	if it.Last() {
		l.last = indexOf(it.Key())
	}
	if err := errors.Join(it.Error(), it.Close()); err != nil {
		return nil, readError(prefix, err)
	}
	return l, nil
}

// First is the index of the oldest entry, 0 if the log is empty.
func (l *Log) First() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.first
}

// Last is the index of the newest entry, 0 if the log is empty.
func (l *Log) Last() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}

// Get reads the entry at index into e. e.Data and e.Extensions may be shared
// with the log's cache: they must not be changed, and stay valid.
//
// Errors: ErrNotFound, *CorruptionError.
func (l *Log) Get(index uint64, e *Entry) error { return l.store.found(l.get(index, e)) }

func (l *Log) get(index uint64, e *Entry) error {
	l.mu.Lock()
	inside := l.first > 0 && index >= l.first && index <= l.last
	cached, ok := l.cache.get(index)
	l.mu.Unlock()
	if !inside {
		return ErrNotFound
	}
	if ok {
		*e = cached
		return nil
	}
	key := appendLogKey(nil, l.sh, index)
	found, err := l.store.db.get(key, func(v []byte) error { return decodeLogValue(key, clone(v), e) })
	if err == nil && !found {
		return l.missing(index)
	}
	return err
}

// missing tells a hole in the log from an entry that was deleted meanwhile.
func (l *Log) missing(index uint64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if index < l.first || index > l.last {
		return ErrNotFound
	}
	return corrupt(appendLogKey(nil, l.sh, index), "missing between %d and %d", l.first, l.last)
}

// Append writes entries in one commit and returns when it is durable. The
// log keeps Data and Extensions: they must not be changed afterwards.
//
// REQUIRES: indexes are consecutive; the first is Last()+1 unless the log is
// empty. A log that ends before K, as after a Restore, also takes K+1, and loses
// what it had.
func (l *Log) Append(entries []Entry) error {
	if len(entries) == 0 {
		return nil
	}
	l.store.pace()
	anew, err := l.follows(entries)
	if err != nil {
		return err
	}
	size := 0
	for i := range entries {
		size += logValueLen(&entries[i]) + logKeyLen + 16
	}
	b := l.store.db.newBatchWithSize(size + 16)
	defer b.Close()
	if anew {
		if err := l.deleteAll(b); err != nil {
			return err
		}
	}
	for i := range entries {
		e := &entries[i]
		op := b.SetDeferred(logKeyLen, logValueLen(e))
		appendLogKey(op.Key[:0], l.sh, e.Index)
		putLogValue(op.Key, op.Value, e)
		if err := op.Finish(); err != nil {
			return err
		}
	}
	if err := l.store.commit(b, pebble.Sync); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.first == 0 || anew {
		l.first = entries[0].Index
	}
	l.last = entries[len(entries)-1].Index
	for i := range entries {
		l.cache.add(entries[i])
	}
	return nil
}

// follows checks what Append requires. anew: the log begins with the entries.
func (l *Log) follows(entries []Entry) (anew bool, err error) {
	l.mu.Lock()
	next := l.last + 1
	anew = l.last > 0 && l.last < l.applied && l.applied == l.spilled && entries[0].Index == l.applied+1
	l.mu.Unlock()
	if next == 1 || anew {
		next = entries[0].Index
	}
	for i := range entries {
		if entries[i].Index != next+uint64(i) {
			return false, fmt.Errorf("journal: log entry %d appended where %d belongs", entries[i].Index, next+uint64(i))
		}
	}
	return anew, nil
}

// deleteAll puts the removal of every entry into b.
func (l *Log) deleteAll(b *pebble.Batch) error {
	prefix := appendShard(nil, kindLog, l.sh)
	return b.DeleteRange(prefix, prefixEnd(prefix), nil)
}

// DeleteRange removes the entries from..to.
//
// A suffix, which must lie behind everything applied, is removed exactly, and
// durably; so is the whole log if the state on disk has all that was applied, as
// after a Restore. Anything else is a prefix: it is clamped to what the state on disk
// has, without an error, and the rest goes by itself once it has been spilled.
func (l *Log) DeleteRange(from, to uint64) error {
	l.cutting.Lock()
	defer l.cutting.Unlock()
	l.mu.Lock()
	if l.first == 0 || to < l.first || from > l.last || from > to {
		l.mu.Unlock()
		return nil
	}
	whole := from <= l.first && l.spilled >= l.applied && !l.pinned
	if to >= l.last && (from > l.applied || whole) {
		defer l.mu.Unlock()
		return l.deleteSuffix(max(from, l.first))
	}
	l.wanted = max(l.wanted, to)
	l.mu.Unlock()

	b := l.store.db.newBatch()
	defer b.Close()
	done := l.deletePrefix(b, 0)
	if b.Empty() {
		return nil
	}
	if err := l.store.commit(b, pebble.NoSync); err != nil {
		return err
	}
	done()
	return nil
}

// deleteSuffix removes the entries from index from on. REQUIRES: l.mu.
func (l *Log) deleteSuffix(from uint64) error {
	b := l.store.db.newBatch()
	defer b.Close()
	if err := b.DeleteRange(appendLogKey(nil, l.sh, from), appendLogKey(nil, l.sh, l.last+1), nil); err != nil {
		return err
	}
	if err := l.store.commit(b, pebble.Sync); err != nil {
		return err
	}
	l.cache.keepBefore(from)
	l.last = from - 1
	if from <= l.first {
		l.first, l.last = 0, 0
	}
	return nil
}

// deletePrefix puts what may go of the wanted prefix into b, which also makes
// W spilled if that is more than it was. done must be called when b has been
// committed.
func (l *Log) deletePrefix(b *pebble.Batch, spilled uint64) (done func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	spilled = max(spilled, l.spilled)
	upTo := min(l.wanted, spilled, l.last)
	if l.pinned {
		upTo = min(upTo, l.pinnedAt)
	}
	if l.first == 0 || upTo < l.first {
		return func() { l.setSpilled(spilled) }
	}
	// The batch is the shard's own or new; its DeleteRange cannot fail.
	_ = b.DeleteRange(appendLogKey(nil, l.sh, l.first), appendLogKey(nil, l.sh, upTo+1), nil)
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.spilled = max(l.spilled, spilled)
		l.cache.keepAfter(upTo)
		l.first = max(l.first, upTo+1)
		if l.first > l.last {
			l.first, l.last = 0, 0
		}
	}
}

// setApplied tells the log what the shard has applied.
func (l *Log) setApplied(index uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.applied = index
}

// setSpilled tells the log that entries up to index are no longer needed.
func (l *Log) setSpilled(index uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.spilled = max(l.spilled, index)
}
