package journal

// Entry is one entry of a Raft log. Data is a pack, opaque here.
type Entry struct {
	Index, Term      uint64
	Type             uint8
	Data             []byte
	Extensions       []byte
	AppendedAtMillis int64
}

// Log is one shard's Raft log. Its methods are safe for concurrent use;
// Append and DeleteRange must not run at the same time as each other.
type Log struct{}

// First is the index of the oldest entry, 0 if the log is empty.
func (l *Log) First() uint64 { panic("unimplemented") }

// Last is the index of the newest entry, 0 if the log is empty.
func (l *Log) Last() uint64 { panic("unimplemented") }

// Get reads the entry at index into e. e.Data and e.Extensions may be shared
// with the log's cache: they must not be changed, and stay valid.
//
// Errors: ErrNotFound, *CorruptionError.
func (l *Log) Get(index uint64, e *Entry) error { panic("unimplemented") }

// Append writes entries in one commit and returns when it is durable. The
// log keeps Data and Extensions: they must not be changed afterwards.
//
// REQUIRES: indexes are consecutive; the first is Last()+1 unless the log is
// empty.
func (l *Log) Append(entries []Entry) error { panic("unimplemented") }

// DeleteRange removes the entries min..max. A prefix (min <= First()) is
// clamped to K, the shard's durable apply index: what only the log has is
// kept, and no error is returned. A suffix is removed exactly and the removal
// is durable when DeleteRange returns.
func (l *Log) DeleteRange(min, max uint64) error { panic("unimplemented") }
