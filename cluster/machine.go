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
	intake    *intake
	clock     *clock
	snaps     *snapStore
	confs     *confs
	newConf   func(raft.Configuration) // told of every committed configuration
	restored  func()                   // told of every state that came as a stream
	failed    func(error)              // told when an entry can't be applied
	advanced  func()                   // told after each batch of entries
	err       error                    // why: no entry is applied any more
	held      bool                     // the last entry was put off, see Result.Held
	responses []any                    // all nil: nobody reads a future's response, see Batcher
}

// ApplyBatch applies entries in order. That configurations come here too makes Raft
// count them as applied, which a snapshot right after one depends on.
func (m *machine) ApplyBatch(logs []*raft.Log) []any {
	for _, l := range logs {
		m.Apply(l)
	}
	m.advanced()
	for len(m.responses) < len(logs) {
		m.responses = append(m.responses, nil)
	}
	return m.responses[:len(logs)]
}

// Apply applies one entry.
func (m *machine) Apply(l *raft.Log) any {
	switch l.Type {
	case raft.LogConfiguration:
		conf := raft.DecodeConfiguration(l.Data)
		m.confs.add(l.Index, conf)
		m.newConf(conf)
	case raft.LogCommand:
		// A pack that has no header can't be applied either, which apply says.
		h, _ := queue.ReadPackHeader(l.Data)
		m.batcher.committed(h.Origin, l.Data)
		result, err := m.apply(l)
		if m.held = result.Held; m.held {
			m.batcher.putOff()
			return nil
		}
		if err == nil {
			m.clock.applied(h.NowMillis)
			m.intake.applied(h.Origin, l.Index, result)
		}
		m.batcher.applied(h.Origin, l.Index, l.Data, result, err != nil)
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
func (m *machine) Snapshot() (raft.FSMSnapshot, error) {
	if m.held {
		return nil, errHeld
	}
	return markOnly{}, m.err
}

// Restore takes over the state of a stream that has come whole. Its content is with
// the snapStore already.
func (m *machine) Restore(r io.ReadCloser) error {
	_ = r.Close()
	if m.err != nil {
		return m.err
	}
	meta, err := m.snaps.restore()
	if err != nil {
		return err // the state is the old one; Raft asks the leader to try again
	}
	m.held = false
	m.confs.reset(meta.ConfigurationIndex, meta.Configuration)
	m.newConf(meta.Configuration)
	m.batcher.restored(meta.Index)
	m.restored()
	return nil
}

// markOnly is the snapshot of a state that needs no copying.
type markOnly struct{}

func (markOnly) Persist(sink raft.SnapshotSink) error { return sink.Close() }
func (markOnly) Release()                             {}
