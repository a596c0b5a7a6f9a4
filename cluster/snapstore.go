package cluster

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/raft"

	"entrepot/journal"
)

// errNoStream: a single voter without a Hub feeds nobody and is fed by nobody.
var errNoStream = errors.New("cluster: a snapshot here is a mark without content; streams to followers need more than one voter")

// snapshotMark is the name of the mark in the shard's marks, and restoreMark that of
// the one which is about to become it, see restore.
const (
	snapshotMark = "snapshot"
	restoreMark  = "restore"
)

// markStore is what the group needs of the journal's Marks: small values, each
// change synced, Get of what is not there ErrNotFound.
type markStore interface {
	Get(name string) ([]byte, error)
	Set(name string, value []byte) error
	Delete(name string) error
}

// snapStore is Raft's SnapshotStore. A snapshot is a mark: it says up to where
// the log may be truncated and a restart need not ask Raft, because the journal
// has that part, in its state at K and the log from K+1 on. There is one, the
// newest.
//
// What a follower is fed with is a stream made at that moment, of the state as it is
// then, whatever the mark says. What this node is fed with goes straight into a
// Restore of the journal; it takes effect in restore, not before.
type snapStore struct {
	marks   markStore
	streams Streams // nil: a single voter
	log     entryLog
	confs   *confs
	ctx     context.Context // ends with the group
	failed  func(error)     // told when the mark can't be written
	last    atomic.Uint64   // index of the newest mark read or written
	taken   atomic.Uint64   // whole streams restored, since the start

	mu       sync.Mutex
	received *received // a stream that has come whole, until it is restored
}

// received is a stream that has come whole.
type received struct {
	meta    raft.SnapshotMeta
	restore Restore
}

// The mark's value; numbers are big-endian:
//
//	0         1        9       17             25
//	+---------+--------+-------+--------------+----------------------------+
//	| version | index  | term  | config index | configuration (msgpack of  |
//	| u8 = 1  | u64    | u64   | u64          | raft.EncodeConfiguration)  |
//	+---------+--------+-------+--------------+----------------------------+
//
// What may never change: the place of version. The journal adds a checksum.
const (
	markVersion  = 1
	markFixedLen = 25
)

func appendMark(b []byte, m *raft.SnapshotMeta) []byte {
	b = append(b, markVersion)
	b = binary.BigEndian.AppendUint64(b, m.Index)
	b = binary.BigEndian.AppendUint64(b, m.Term)
	b = binary.BigEndian.AppendUint64(b, m.ConfigurationIndex)
	return append(b, raft.EncodeConfiguration(m.Configuration)...)
}

func readMark(b []byte) (m *raft.SnapshotMeta, err error) {
	if len(b) == 0 || b[0] != markVersion {
		return nil, fmt.Errorf("cluster: snapshot mark %x: unknown version", b[:min(len(b), 1)])
	}
	if len(b) < markFixedLen {
		return nil, fmt.Errorf("cluster: snapshot mark of %d bytes is cut off", len(b))
	}
	conf, err := decodeConfiguration(b[markFixedLen:])
	if err != nil {
		return nil, err
	}
	m = &raft.SnapshotMeta{
		Version:            raft.SnapshotVersionMax,
		Index:              binary.BigEndian.Uint64(b[1:]),
		Term:               binary.BigEndian.Uint64(b[9:]),
		ConfigurationIndex: binary.BigEndian.Uint64(b[17:]),
		Configuration:      conf,
	}
	m.ID = fmt.Sprintf("%d-%d", m.Term, m.Index)
	return m, nil
}

// decodeConfiguration is raft.DecodeConfiguration with an error: that one panics.
func decodeConfiguration(b []byte) (c raft.Configuration, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("cluster: configuration: %v", r)
		}
	}()
	return raft.DecodeConfiguration(b), nil
}

// latest is the newest mark, nil if there is none.
func (s *snapStore) latest() (*raft.SnapshotMeta, error) {
	m, err := s.read(snapshotMark)
	if m != nil {
		s.last.Store(m.Index)
	}
	return m, err
}

func (s *snapStore) read(name string) (*raft.SnapshotMeta, error) {
	b, err := s.marks.Get(name)
	if errors.Is(err, journal.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cluster: read snapshot mark: %w", err)
	}
	return readMark(b)
}

// write makes a mark durable.
func (s *snapStore) write(name string, m *raft.SnapshotMeta) error {
	if err := s.marks.Set(name, appendMark(nil, m)); err != nil {
		err = fmt.Errorf("cluster: write snapshot mark: %w", err)
		s.failed(err)
		return err
	}
	if name == snapshotMark {
		s.last.Store(m.Index)
	}
	return nil
}

// List returns the mark, if there is one.
func (s *snapStore) List() ([]*raft.SnapshotMeta, error) {
	m, err := s.latest()
	if m == nil || err != nil {
		return nil, err
	}
	return []*raft.SnapshotMeta{m}, nil
}

// Create begins a mark, which its Close makes durable, or, if something is written to
// it, the reception of a stream.
func (s *snapStore) Create(version raft.SnapshotVersion, index, term uint64, configuration raft.Configuration,
	configurationIndex uint64, _ raft.Transport) (raft.SnapshotSink, error) {
	return &sink{store: s, meta: raft.SnapshotMeta{
		Version: version, ID: fmt.Sprintf("%d-%d", term, index), Index: index, Term: term,
		Configuration: configuration, ConfigurationIndex: configurationIndex,
	}}, nil
}

// sink is a mark being made, or a stream being received.
type sink struct {
	store   *snapStore
	meta    raft.SnapshotMeta
	restore Restore // not nil: a stream
}

func (k *sink) ID() string { return k.meta.ID }

func (k *sink) Write(p []byte) (int, error) {
	if k.restore == nil {
		if k.store.streams == nil {
			return 0, errNoStream
		}
		k.store.drop()
		var err error
		if k.restore, err = k.store.streams.NewRestore(); err != nil {
			return 0, err
		}
	}
	return k.restore.Write(p)
}

// Cancel leaves no trace of what was received.
func (k *sink) Cancel() error {
	if k.restore == nil {
		return nil
	}
	return k.restore.Abort()
}

// Close makes the mark durable, or holds a stream against its trailer.
func (k *sink) Close() error {
	if k.restore == nil {
		return k.store.write(snapshotMark, &k.meta)
	}
	index, err := k.restore.Finish()
	if err == nil && index != k.meta.Index {
		err = fmt.Errorf("cluster: a stream of index %d was sent as one of %d", index, k.meta.Index)
	}
	if err != nil {
		return errors.Join(err, k.restore.Abort())
	}
	k.store.mu.Lock()
	defer k.store.mu.Unlock()
	k.store.received = &received{meta: k.meta, restore: k.restore}
	return nil
}

// drop gives up a stream that came whole and was not restored.
func (s *snapStore) drop() {
	s.mu.Lock()
	r := s.received
	s.received = nil
	s.mu.Unlock()
	if r != nil {
		_ = r.restore.Abort() // the journal tells of what fails
	}
}

// Open is called by the leader to feed a follower, and by a follower that was fed,
// before restore.
func (s *snapStore) Open(id string) (*raft.SnapshotMeta, io.ReadCloser, error) {
	s.mu.Lock()
	r := s.received
	s.mu.Unlock()
	switch {
	case r != nil && r.meta.ID == id:
		return &r.meta, io.NopCloser(bytes.NewReader(nil)), nil
	case s.streams == nil:
		return nil, nil, errNoStream
	}
	st, err := s.streams.OpenStream(s.ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("cluster: open stream: %w", err)
	}
	m, err := s.describe(&st)
	if err != nil { // Raft tries again
		return nil, nil, errors.Join(err, st.Close())
	}
	return m, st, nil
}

// describe makes the meta data of a stream.
func (s *snapStore) describe(st *Stream) (*raft.SnapshotMeta, error) {
	c, ok := s.confs.at(st.Index)
	if !ok {
		return nil, fmt.Errorf("cluster: the configuration as of entry %d is not known any more", st.Index)
	}
	var e journal.Entry
	err := s.log.Get(st.Index, &e)
	if errors.Is(err, journal.ErrNotFound) {
		var mark *raft.SnapshotMeta
		if mark, err = s.latest(); err == nil && (mark == nil || mark.Index != st.Index) {
			err = fmt.Errorf("cluster: entry %d is not in the log any more", st.Index)
		} else if err == nil {
			e.Term = mark.Term
		}
	}
	if err != nil {
		return nil, err
	}
	return &raft.SnapshotMeta{
		Version: raft.SnapshotVersionMax, ID: fmt.Sprintf("%d-%d", e.Term, st.Index),
		Index: st.Index, Term: e.Term, Size: st.Size,
		Configuration: c.conf, ConfigurationIndex: c.index,
	}, nil
}

// restore makes the stream that was received the state of the shard.
//
// State and mark are two writes. So that a crash between them leaves no state without
// a mark, the mark is written before under another name, which recovery takes for the
// mark if the state is that of its index: see settleRestore. It must not outlive an
// attempt that failed, for the log may bring the state to the same index.
func (s *snapStore) restore() (*raft.SnapshotMeta, error) {
	s.mu.Lock()
	r := s.received
	s.received = nil
	s.mu.Unlock()
	if r == nil {
		return nil, errNoStream
	}
	if err := s.write(restoreMark, &r.meta); err != nil {
		return nil, errors.Join(err, r.restore.Abort())
	}
	if err := r.restore.Commit(); err != nil {
		return nil, errors.Join(fmt.Errorf("cluster: restore from stream: %w", err),
			r.restore.Abort(), s.marks.Delete(restoreMark))
	}
	if err := s.write(snapshotMark, &r.meta); err != nil {
		return nil, err
	}
	s.taken.Add(1)
	return &r.meta, nil
}

// settleRestore finishes what a crash in restore left half done. k is the FSM's
// applied index at the start.
func (s *snapStore) settleRestore(k uint64) error {
	m, err := s.read(restoreMark)
	if m == nil || err != nil {
		return err
	}
	mark, err := s.latest()
	if err != nil {
		return err
	}
	if k != m.Index || mark != nil && mark.Index >= m.Index {
		return s.marks.Delete(restoreMark) // it was finished, or its Commit never was
	}
	// Nothing in the log is of use: the stream was sent because its entries end long
	// before. Raft had not removed them yet.
	if first, last := s.log.First(), s.log.Last(); last > 0 {
		if err := s.log.DeleteRange(first, last); err != nil {
			return fmt.Errorf("cluster: delete log entries %d..%d: %w", first, last, err)
		}
	}
	return s.write(snapshotMark, m)
}
