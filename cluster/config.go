package cluster

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
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
// result is read before the next Apply. An error says
// that the FSM can't go on: a pack that it can't read, a store that has failed.
// Skipping the entry would make the replicas differ, so nothing is applied any
// more and the group stops, see Config.OnFatal.
//
// AppliedIndex is the index of the last entry whose effect the FSM holds,
// wherever it came from. Before the first Apply after a start that is what the
// journal recovered (K), and the group replays from there.
type FSM interface {
	Apply(index uint64, data []byte) (Result, error)
	AppliedIndex() uint64
}

// Result is what the FSM says about one entry.
type Result struct {
	// Replies are one per record of the pack, or nil when every record went through
	// with nothing to say. A pack that was not applied has none.
	Replies []queue.Reply
	// Verdict is whether the pack was applied, or why not; see queue.BeginPack.
	Verdict queue.PackVerdict
	// Held: the entry was put off, because this replica is being repaired; it is
	// applied later, from the log. Nothing is known about it here: waiters and other
	// nodes are told nothing, and no snapshot is marked meanwhile. See holdFSM.
	Held bool
}

// Streams is what a group with peers needs of the shard's state to feed a replica
// that the log no longer serves, and to be fed. See JournalStreams.
//
// Stream and Restore are those of package journal; their contracts are there.
type Streams interface {
	OpenStream(ctx context.Context) (Stream, error)
	NewRestore() (Restore, error)
	// OriginSeq is the last pack of an origin that was applied.
	OriginSeq(node uint64) (last uint64, known bool)
	// StateBytes is about how large the state is.
	StateBytes() uint64
}

// Stream is the state of a shard at one index, as bytes.
type Stream struct {
	Index uint64 // holds the effects of every entry up to it and of no later one
	Size  int64  // exactly what Reader gives
	io.ReadCloser
}

// Restore replaces a shard's state by that of a stream, see journal.Restore.
type Restore interface {
	io.Writer
	Finish() (index uint64, err error)
	Commit() error
	Abort() error
}

// JournalStreams are the streams of a shard of the journal.
func JournalStreams(s *journal.Shard) Streams { return journalStreams{s} }

type journalStreams struct{ *journal.Shard }

func (s journalStreams) OpenStream(ctx context.Context) (Stream, error) {
	st, err := s.Shard.OpenStream(ctx)
	if err != nil {
		return Stream{}, err
	}
	return Stream{Index: st.Index, Size: st.Size, ReadCloser: st}, nil
}

// StateBytes are those of the messages.
func (s journalStreams) StateBytes() uint64 { return s.Totals().Bytes }

func (s journalStreams) NewRestore() (Restore, error) {
	r, err := s.Shard.NewRestore()
	if err != nil {
		return nil, err
	}
	return r, nil
}

// StableStore keeps a group's term and vote, each Set durably. A key that is not
// there is the error "not found" (Raft looks at the text) or the zero value.
type StableStore interface {
	Set(key, value []byte) error
	Get(key []byte) ([]byte, error)
	SetUint64(key []byte, value uint64) error
	GetUint64(key []byte) (uint64, error)
}

// Route says where packs go: who leads, as far as this node knows.
type Route struct {
	Leader string // node id, "" while nobody is known to lead
	Term   uint64
}

// Config describes one node's part in one group. Zero values mean the default
// given at the field.
type Config struct {
	// NodeID is this node's stable id, never an address. Required.
	NodeID string
	// Shard is the group's number; its log and marks are the shard's.
	Shard uint16
	// Dir holds the group's StableStore, the bbolt file "raft-<shard>.db" with
	// term and vote; it is made if it is missing. Required without Stable.
	Dir string
	// Stable is used instead of a file in Dir: a simulation's. The group does not
	// close it. Optional.
	Stable StableStore
	// Hub is how the group's members talk. nil: a group of this one voter.
	Hub *Hub
	// Origin is the mesh's incarnation: random per process start, not 0, the same
	// for all groups of a node. Packs carry it, so that one that is sent again is
	// applied once. Default: a random number.
	Origin uint64
	// Voters are the members of a group that is made now: every one of them is
	// started with the same list. It is not looked at when there is a log. nil with
	// a Hub: the group exists, wait to be told by its leader. Without a Hub: this node.
	Voters []string
	// Streams is the shard's state for replicas that the log no longer serves.
	// Required with a Hub.
	Streams Streams
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
	// OnRoute is told who leads, "" nobody, whenever that changes as far as this node
	// knows; of this node itself only when OnLeader(true) has returned. Calls come
	// from the goroutine that calls OnLeader. Optional.
	OnRoute func(Route)
	// OnFatal is told once, from a goroutine of its own, that the disk failed
	// under the log or the FSM could not apply an entry: the group has stopped
	// accepting and will not come back in this process. Optional; the error is logged in any case.
	OnFatal func(error)
	// OnPack is told about every pack of this node that was applied, before its
	// waiters, from the goroutine that applies: it must be quick. Optional.
	OnPack func(PackStats)

	// OnRestore is told that the state was replaced by a newer one that came as a
	// stream: FSM.Apply has not been told of what happened between the two. It is
	// called by the goroutine that applies, and must be quick. Optional.
	OnRestore func()

	// Compress lets packs be compressed where that pays.
	Compress bool
	// Wall is the wall clock. Default: time.Now.
	Wall func() time.Time

	// MaxPackBytes and MaxPackRecords close a pack: 256 KiB and 1024. A record
	// that is bigger than MaxPackBytes travels in a pack of its own.
	MaxPackBytes, MaxPackRecords int
	// Outstanding is how many packs may be on their way (handed to Raft, not yet
	// committed). Default: 1, see Batcher. 2 may pay where nodes are far apart: one
	// is written while one replicates.
	Outstanding int

	// SnapshotBytes and SnapshotEntries are how much log makes a new snapshot
	// mark, whichever comes first: 8 MiB and 4096.
	SnapshotBytes   int64
	SnapshotEntries uint64
	// TrailingLogs is how many entries stay behind a snapshot for followers that
	// lag. Default: 64 for a single voter, else what makes 1/32 of the state's
	// bytes, at least 8 and at most 128 MiB; see trailingLogs.
	TrailingLogs uint64

	// Raft's clocks: 1 s, 1 s, 500 ms and 200 ms. Shorter heartbeats and leases
	// lost leaders on a loaded machine. A single voter does not wait for them: it
	// elects itself at once (see Group). CommitTimeout (up to twice as long) is how
	// often an idle leader tells its followers of its last commit, which they know as a
	// rule (see lulls); each costs a frame to every follower.
	HeartbeatTimeout, ElectionTimeout, LeaseTimeout, CommitTimeout time.Duration

	// Eager: this node is to lead. From its start it waits for another leader as long as
	// the lease, up to twice (the others as long as HeartbeatTimeout), so that after a
	// start of all nodes it is the first to stand. One that leads already keeps the lead
	// (PreVote).
	Eager bool
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
	case c.Dir == "" && c.Stable == nil:
		return errors.New("cluster: Config.Dir is missing")
	case c.Store == nil:
		return errors.New("cluster: Config.Store is missing")
	case c.FSM == nil:
		return errors.New("cluster: Config.FSM is missing")
	case c.Logger == nil:
		return errors.New("cluster: Config.Logger is missing")
	case c.Hub != nil && c.Streams == nil:
		return errors.New("cluster: Config.Streams is missing")
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
	setDefault(&c.CommitTimeout, 200*time.Millisecond)
	if c.Wall == nil {
		c.Wall = time.Now
	}
	for c.Origin == 0 {
		c.Origin = rand.Uint64()
	}
	if c.Hub == nil {
		c.Voters = []string{c.NodeID}
	}
	return c
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
