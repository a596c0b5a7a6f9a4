package cluster

import (
	"errors"
	"log/slog"
	"time"

	"entrepot/journal"
	"entrepot/queue"
)

// FSM is what a group's log is applied to, on every replica.
//
// Apply is called with strictly growing indexes from one goroutine, and the
// same entries again after a restart: an index at or below AppliedIndex must be
// skipped. data stays valid and unchanged for as long as the FSM keeps it (on
// the leader it is the proposed pack itself, elsewhere the log's buffer). The
// result is one reply per record of the pack, or nil when every record went
// through with nothing to say; it is read before the next Apply. An error says
// that the FSM can't go on: a pack that it can't read, a store that has failed.
// Skipping the entry would make the replicas differ, so nothing is applied any
// more and the group stops, see Config.OnFatal.
//
// AppliedIndex is the index of the last entry whose effect the FSM holds,
// wherever it came from. Before the first Apply after a start that is what the
// journal recovered (K), and the group replays from there.
type FSM interface {
	Apply(index uint64, data []byte) ([]queue.Reply, error)
	AppliedIndex() uint64
}

// Config describes one node's part in one group. Zero values mean the default
// given at the field.
type Config struct {
	// NodeID is this node's stable id, never an address. Required.
	NodeID string
	// Shard is the group's number; its log and marks are the shard's.
	Shard uint16
	// Dir holds the group's StableStore, the bbolt file "raft-<shard>.db" with
	// term and vote; it is made if it is missing. Required.
	Dir string
	// Store holds the shard's log and marks. Required. The group does not close it.
	Store *journal.Store
	// FSM is what packs are applied to. Required.
	FSM FSM
	// Logger receives Raft's words and ours. Required.
	Logger *slog.Logger

	// OnLeader is told (true, term) once this node leads and its FSM has applied
	// everything that was committed before; (false, term) when it no longer
	// leads. Calls alternate, begin with true, and come from one goroutine, which
	// they must not block for long. Optional.
	OnLeader func(leader bool, term uint64)
	// OnFatal is told once, from a goroutine of its own, that the disk failed
	// under the log or the FSM could not apply an entry: the group has stopped
	// accepting and will not come back in this process. Optional; the error is logged in any case.
	OnFatal func(error)
	// OnPack is told about every pack of this node that was applied, before its
	// waiters, from the goroutine that applies: it must be quick. Optional.
	OnPack func(PackStats)

	// MaxPackBytes and MaxPackRecords close a pack: 256 KiB and 1024. A record
	// that is bigger than MaxPackBytes travels in a pack of its own.
	MaxPackBytes, MaxPackRecords int
	// Outstanding is how many packs may be on their way (handed to Raft, not yet
	// committed). Default: 1 for a single voter, where a second one would only
	// delay the first (see Batcher), else 2: one written while one replicates.
	Outstanding int

	// SnapshotBytes and SnapshotEntries are how much log makes a new snapshot
	// mark, whichever comes first: 8 MiB and 4096.
	SnapshotBytes   int64
	SnapshotEntries uint64
	// TrailingLogs is how many entries stay behind a snapshot for followers that
	// lag. Default: 64 for a single voter, else 2048.
	TrailingLogs uint64

	// Raft's clocks: 1 s, 1 s, 500 ms and 500 ms. Shorter heartbeats and leases
	// lost leaders on a loaded machine. A single voter does not wait for them: it
	// elects itself at once (see Group).
	HeartbeatTimeout, ElectionTimeout, LeaseTimeout, CommitTimeout time.Duration
}

// PackStats describes one applied pack.
type PackStats struct {
	Records   int
	SizeBytes int
	// Commit is the time from handing the pack to Raft until its commitment
	// reached the FSM: the fsync, and the replication if there is any.
	Commit time.Duration
}

// Defaults of Config.
const (
	DefaultMaxPackBytes    = 256 << 10
	DefaultMaxPackRecords  = 1024
	DefaultSnapshotBytes   = 8 << 20
	DefaultSnapshotEntries = 4096
)

// check reports what is missing.
func (c *Config) check() error {
	switch {
	case c.NodeID == "":
		return errors.New("cluster: Config.NodeID is missing")
	case c.Dir == "":
		return errors.New("cluster: Config.Dir is missing")
	case c.Store == nil:
		return errors.New("cluster: Config.Store is missing")
	case c.FSM == nil:
		return errors.New("cluster: Config.FSM is missing")
	case c.Logger == nil:
		return errors.New("cluster: Config.Logger is missing")
	}
	return nil
}

// withDefaults fills what does not depend on the number of voters.
func (c Config) withDefaults() Config {
	setDefault(&c.MaxPackBytes, DefaultMaxPackBytes)
	setDefault(&c.MaxPackRecords, DefaultMaxPackRecords)
	setDefault(&c.SnapshotBytes, DefaultSnapshotBytes)
	setDefault(&c.SnapshotEntries, DefaultSnapshotEntries)
	setDefault(&c.HeartbeatTimeout, time.Second)
	setDefault(&c.ElectionTimeout, time.Second)
	setDefault(&c.LeaseTimeout, 500*time.Millisecond)
	setDefault(&c.CommitTimeout, 500*time.Millisecond)
	return c
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
