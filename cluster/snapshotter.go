package cluster

import (
	"errors"
	"log/slog"
	"sync/atomic"

	"github.com/hashicorp/raft"
)

// snapshotter asks Raft for a snapshot mark whenever the log has grown enough.
// Raft's own trigger counts entries and looks at a clock; ours counts bytes as
// well, and looks when something was written. The work is done by Raft's
// snapshot goroutine: one synced mark, which shares its fsync with the packs
// that are being written, and a deletion that is not synced.
type snapshotter struct {
	maxEntries, maxBytes int64
	entries, bytes       atomic.Int64  // since the last snapshot
	mean                 atomic.Int64  // bytes of an entry, between the last two snapshots
	due                  chan struct{} // cap 1
}

func newSnapshotter(cfg *Config) *snapshotter {
	return &snapshotter{
		maxEntries: int64(cfg.SnapshotEntries), maxBytes: cfg.SnapshotBytes, due: make(chan struct{}, 1),
	}
}

// grown is told of every append to the log.
func (s *snapshotter) grown(entries int, bytes int64) {
	n, size := s.entries.Add(int64(entries)), s.bytes.Add(bytes)
	if n < s.maxEntries && size < s.maxBytes {
		return
	}
	select {
	case s.due <- struct{}{}:
	default:
	}
}

// run takes snapshots until end is closed, each after tune. A snapshot that fails is tried again
// when the log has grown by as much once more; if the disk is why, the log knows
// it first.
func (s *snapshotter) run(r *raft.Raft, tune func(), log *slog.Logger, end <-chan struct{}) {
	for {
		select {
		case <-s.due:
		case <-end:
			return
		}
		if n := s.entries.Swap(0); n > 0 {
			s.mean.Store(s.bytes.Swap(0) / n)
		}
		tune()
		err := r.Snapshot().Error()
		if err != nil && !errors.Is(err, raft.ErrNothingNewToSnapshot) && !errors.Is(err, raft.ErrRaftShutdown) {
			log.Warn("no snapshot was taken", "error", err)
		}
	}
}

// entryBytes is the mean size of recent entries.
func (s *snapshotter) entryBytes() int64 {
	if m := s.mean.Load(); m > 0 {
		return m
	}
	return s.bytes.Load() / max(s.entries.Load(), 1)
}
