package cluster

import (
	"fmt"
	"io"

	"github.com/hashicorp/raft"

	"entrepot/queue"
)

// machine is Raft's FSM: it applies committed packs and tells their waiters.
// All of it runs in Raft's FSM goroutine.
type machine struct {
	fsm       FSM
	batcher   *Batcher
	failed    func(error) // told when an entry can't be applied
	err       error       // why: no entry is applied any more
	responses []any       // all nil: nobody reads a future's response, see Batcher
}

// ApplyBatch applies entries in order. Configurations come here too, and need
// no action: being a BatchingFSM is what makes Raft count them as applied, which
// a snapshot right after a configuration change depends on.
func (m *machine) ApplyBatch(logs []*raft.Log) []any {
	for _, l := range logs {
		m.Apply(l)
	}
	for len(m.responses) < len(logs) {
		m.responses = append(m.responses, nil)
	}
	return m.responses[:len(logs)]
}

// Apply applies one entry.
func (m *machine) Apply(l *raft.Log) any {
	if l.Type != raft.LogCommand {
		return nil
	}
	p := m.batcher.committed(l.Data)
	result, err := m.apply(l)
	switch {
	case err != nil && p != nil:
		m.batcher.unapplied(p)
	case err != nil:
	case p != nil:
		m.batcher.applied(p, result.Replies)
	default:
		if h, err := queue.ReadPackHeader(l.Data); err == nil {
			m.batcher.appliedAt(h.NowMillis)
		}
	}
	return nil
}

// apply applies an entry, unless one before could not be.
func (m *machine) apply(l *raft.Log) (Result, error) {
	if m.err != nil {
		return Result{}, m.err
	}
	result, err := m.fsm.Apply(l.Index, l.Data)
	if err != nil {
		m.err = fmt.Errorf("cluster: apply log entry %d: %w", l.Index, err)
		m.failed(m.err)
	}
	return result, m.err
}

// Snapshot answers with a mark: the journal has the content. What was not applied
// must not be marked.
func (m *machine) Snapshot() (raft.FSMSnapshot, error) { return markOnly{}, m.err }

// Restore would read a stream from a leader.
func (m *machine) Restore(r io.ReadCloser) error {
	_ = r.Close()
	return errNoStream
}

// markOnly is the snapshot of a state that needs no copying.
type markOnly struct{}

func (markOnly) Persist(sink raft.SnapshotSink) error { return sink.Close() }
func (markOnly) Release()                             {}
