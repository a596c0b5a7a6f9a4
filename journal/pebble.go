package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// pebbleOptions are the settings for one WAL that is synced for every commit,
// a log that dies in the memtable, and queues that arrive as tables.
func (s *Store) pebbleOptions() *pebble.Options {
	o := &pebble.Options{
		FS:                 s.fs,
		Lock:               s.lock,
		Logger:             pebbleLogger{s},
		FormatMajorVersion: pebble.FormatValueSeparation,
		CacheSize:          s.opts.CacheBytes, // to read only; see blockCache
		MemTableSize:       s.opts.MemTableBytes,
		// One memtable is filled while one is flushed, most of which is dead.
		MemTableStopWritesThreshold: 2,
		L0CompactionThreshold:       8,
		L0StopWritesThreshold:       24,
		// Two cores: one compaction at a time, a second one under debt.
		CompactionConcurrencyRange: func() (int, int) { return 1, 2 },
		EventListener:              s.listener(),
		Cleaner:                    pebble.ArchiveCleaner{}, // see walFS
	}
	s.compactions = newLateCompactions(compactionsWait)
	o.Experimental.CompactionScheduler = s.compactions
	for i := range o.Levels {
		o.Levels[i].BlockSize = 32 << 10
	}
	o.EnsureDefaults()
	return o
}

func (s *Store) listener() *pebble.EventListener {
	return &pebble.EventListener{
		BackgroundError: s.backgroundError,
		CompactionEnd: func(i pebble.CompactionInfo) {
			if i.Err != nil && !errors.Is(i.Err, pebble.ErrCancelledCompaction) {
				s.compactions.failed()
			}
		},
		WriteStallBegin: func(i pebble.WriteStallBeginInfo) { s.stalled(true, i.Reason) },
		WriteStallEnd:   func() { s.stalled(false, "") },
		DataCorruption: func(i pebble.DataCorruptionInfo) {
			if s.failure.get() != nil {
				return // as in backgroundError
			}
			s.complain("journal: corruption", "path", i.Path, "err", i.Details)
			s.tableDamaged(i)
		},
	}
}

// backgroundError is told what went wrong in a flush or a compaction. Pebble would try
// again at once and for ever; a disk that cannot be read is not trusted. (Errors in
// writing are the store's failure already, see guardFS.) Damage of what is read is not
// the store's end, see tableDamaged; and a flush that gives way to a range that is cut
// out (see reclaim.go) is tried again with good reason. After a failure there is no
// news: what guardFS has kept off the disk cannot be read.
func (s *Store) backgroundError(err error) {
	if errors.Is(err, pebble.ErrCancelledCompaction) || s.failure.get() != nil {
		return
	}
	s.complain("journal: background error", "err", err)
	if !pebble.IsCorruptionError(err) {
		_ = s.failure.set(fmt.Errorf("journal: background: %w", err))
	}
}

// complain logs what Pebble may have to say thousands of times a second, about a table
// that is damaged: at most ten lines within a second of the first.
func (s *Store) complain(msg string, args ...any) {
	switch n := s.complaints.Add(1); {
	case n > 10:
		return
	case n == 1:
		time.AfterFunc(time.Second, func() { s.complaints.Store(0) })
	}
	s.opts.Logger.Error(msg, args...)
}

func (s *Store) stalled(on bool, reason string) {
	s.opts.Logger.Warn("journal: writes are held back", "on", on, "reason", reason)
	if s.opts.Hooks.Stalled != nil {
		s.opts.Hooks.Stalled(on, reason)
	}
}

// pebbleLogger turns Pebble's log into ours and its fatal errors into the
// store's failure.
type pebbleLogger struct{ s *Store }

func (l pebbleLogger) Infof(format string, args ...any) {
	if l.s.opts.Logger.Enabled(context.Background(), slog.LevelDebug) {
		l.s.opts.Logger.Debug(fmt.Sprintf(format, args...))
	}
}

func (l pebbleLogger) Errorf(format string, args ...any) {
	l.s.opts.Logger.Error(fmt.Sprintf(format, args...))
}

// fatalCommit is how Pebble begins the one fatal message that comes in the
// goroutine of our own commit.
const fatalCommit = "pebble: fatal commit error"

// Fatalf must not return: Pebble's state is broken. It does not come of errors in
// writing, those Pebble does not hear of (see guardFS), but if a table is gone, say. In
// our own commit a panic leads back to Store.commit. In Pebble's goroutines the only way
// to keep the process alive, so that it can say goodbye to its clients, is to stay here.
func (l pebbleLogger) Fatalf(format string, args ...any) {
	err := l.s.failure.set(fmt.Errorf("journal: "+format, args...))
	if strings.HasPrefix(format, fatalCommit) {
		panic(err)
	}
	select {}
}
