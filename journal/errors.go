package journal

import (
	"errors"
	"fmt"
)

var (
	// ErrLocked: another process holds the directory's lock.
	ErrLocked = errors.New("journal: the data directory is in use by another process")
	// ErrClosed: the store was closed.
	ErrClosed = errors.New("journal: closed")
	// ErrNotFound: no entry, mark or name of that kind.
	ErrNotFound = errors.New("journal: not found")
)

// CorruptionError reports a record that is not what was written: a checksum
// that differs, a length that cannot be, an unknown format version, a gap in
// the log. A damaged record is never given to anybody; see Hooks.Damaged.
type CorruptionError struct {
	Key    string // the key, as Dump prints it
	Reason string
	Shard  uint16 // whose record it is; 0xFFFF: the whole store's
	// LogIndex is the index of the log entry that is damaged; 0: it is a row of
	// the shard's state.
	LogIndex uint64

	table string // the file that Pebble cannot read, if it is that
}

func (e *CorruptionError) Error() string {
	return fmt.Sprintf("journal: corrupt record at %s: %s", e.Key, e.Reason)
}
