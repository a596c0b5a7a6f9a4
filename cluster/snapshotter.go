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
	due                  chan struct{} // cap 1
}

func newSnapshotter(cfg *Config) *snapshotter {
	return &snapshotter{
		maxEntries: int64(cfg.SnapshotEntries), maxBytes: cfg.SnapshotBytes, due: make(chan struct{}, 1),
	}
}

// grown is told of every append to the log.
func (s *snapshotter) grown(entries int, bytes int64) {
	if s.entries.Add(int64(entries)) < s.maxEntries && s.bytes.Add(bytes) < s.maxBytes {
		return
	}
	select {
	case s.due <- struct{}{}:
	default:
	}
}

// run takes snapshots until end is closed. A snapshot that fails is tried again
// when the log has grown by as much once more; if the disk is why, the log knows
// it first.
func (s *snapshotter) run(r *raft.Raft, log *slog.Logger, end <-chan struct{}) {
	for {
		select {
		case <-s.due:
		case <-end:
			return
		}
		s.entries.Store(0)
		s.bytes.Store(0)
		err := r.Snapshot().Error()
		if err != nil && !errors.Is(err, raft.ErrNothingNewToSnapshot) && !errors.Is(err, raft.ErrRaftShutdown) {
			log.Warn("no snapshot was taken", "error", err)
		}
	}
}
