package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/hashicorp/raft"

	"entrepot/journal"
)

// holdFSM stands between a group and its FSM, so that a replica whose state is not
// what it should be can stop without leaving the group: its log goes on to grow, it
// votes and acknowledges, and a majority may need it for that.
//
//	log  ... | x x x x x x x x x x x x x x |
//	         ^                ^            ^
//	         held since       X            last
//	                          the state of another replica
//
// While it is held nothing is applied; the log keeps everything, because it is not
// truncated behind the state on disk. resume replaces the state by another
// replica's as of X, applies X+1..last from the log, and lets go.
type holdFSM struct {
	fsm FSM
	log entryLog
	// repairable: there may be other replicas, so damage that Apply finds holds this
	// one instead of ending the group.
	repairable bool

	mu   sync.Mutex // held over Apply: resume excludes it
	held bool
	last uint64 // the newest entry that Raft brought while held: it is committed
	// checks wait for the index of the next Check that is applied.
	checks []pendingCheck
}

type pendingCheck struct {
	at    func(index uint64) (hash uint64, ok bool)
	found chan<- uint64
}

// nextCheck gives the index of the next Check that this replica applies; at is the
// shard's CheckAt.
func (h *holdFSM) nextCheck(at func(uint64) (uint64, bool)) <-chan uint64 {
	found := make(chan uint64, 1)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.checks = append(h.checks, pendingCheck{at, found})
	return found
}

// tellChecks answers whoever waits for a Check. REQUIRES: h.mu.
func (h *holdFSM) tellChecks(index uint64) {
	if _, ok := h.checks[0].at(index); !ok {
		return
	}
	for _, c := range h.checks {
		c.found <- index
	}
	h.checks = nil
}

// errHeld: the replica is being repaired.
var errHeld = errors.New("cluster: this replica is being repaired")

// Apply implements FSM.
func (h *holdFSM) Apply(index uint64, data []byte) (Result, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.held {
		h.last = max(h.last, index)
		return Result{Held: true}, nil
	}
	result, err := h.fsm.Apply(index, data)
	if damage := (*journal.CorruptionError)(nil); h.repairable && errors.As(err, &damage) {
		// Nothing of the entry was applied; the journal has told of the damage, and
		// the repair applies it.
		h.held, h.last = true, index
		return Result{Held: true}, nil
	}
	if len(h.checks) > 0 {
		h.tellChecks(index)
	}
	return result, err
}

// AppliedIndex implements FSM. A group that starts while held has nothing to replay
// up to the snapshot mark, which last is then.
func (h *holdFSM) AppliedIndex() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.held {
		return max(h.last, h.fsm.AppliedIndex())
	}
	return h.fsm.AppliedIndex()
}

func (h *holdFSM) isHeld() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.held
}

// stop begins to hold. false: it did so already.
func (h *holdFSM) stop() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.held {
		return false
	}
	h.held, h.last = true, h.fsm.AppliedIndex()
	return true
}

// reached: Raft has brought the entry at index, or one behind it, so a state as of
// that index can take over.
func (h *holdFSM) reached(index uint64) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.last >= index
}

// resume replaces the state by what commit makes visible, which is that of index,
// applies what has come since, calls caughtUp and lets go. After an error it is held
// as before, unless the FSM has failed.
func (h *holdFSM) resume(index uint64, commit func() error, caughtUp func(index uint64)) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.held {
		return nil
	}
	if err := commit(); err != nil {
		return err
	}
	for i := index + 1; i <= h.last; i++ {
		var e journal.Entry
		if err := h.log.Get(i, &e); err != nil {
			return fmt.Errorf("cluster: read log entry %d: %w", i, err)
		}
		if raft.LogType(e.Type) != raft.LogCommand {
			continue
		}
		if _, err := h.fsm.Apply(i, e.Data); err != nil {
			return fmt.Errorf("cluster: apply log entry %d: %w", i, err)
		}
	}
	caughtUp(max(index, h.last))
	h.held = false
	return nil
}

// holdStreams are the streams of a replica that may be held: it feeds nobody then,
// and what the leader feeds it makes it whole.
type holdStreams struct {
	Streams
	hold     *holdFSM
	begin    func() // a snapshot from the leader comes
	restored func() // the replica was held, and is whole
}

// OpenStream implements Streams.
func (s *holdStreams) OpenStream(ctx context.Context) (Stream, error) {
	if s.hold.isHeld() {
		return Stream{}, errHeld
	}
	return s.Streams.OpenStream(ctx)
}

// NewRestore implements Streams.
func (s *holdStreams) NewRestore() (Restore, error) {
	s.begin()
	r, err := s.Streams.NewRestore()
	if err != nil {
		return nil, err
	}
	return &holdRestore{Restore: r, streams: s}, nil
}

// holdRestore is a snapshot from the leader. Raft applies nothing meanwhile, and
// goes on behind it.
type holdRestore struct {
	Restore
	streams *holdStreams
}

// Commit implements Restore.
func (r *holdRestore) Commit() error {
	h := r.streams.hold
	h.mu.Lock()
	held := h.held
	err := r.Restore.Commit()
	if err == nil {
		h.held = false
	}
	h.mu.Unlock()
	if err == nil && held {
		r.streams.restored()
	}
	return err
}
