package cluster

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/hashicorp/raft"

	"entrepot/journal"
)

// errNoStream: the content of a snapshot is made on demand for a follower that
// the log no longer serves. A single voter has no follower.
var errNoStream = errors.New("cluster: a snapshot here is a mark without content; streams to followers need more than one voter")

// snapshotMark is the name of the mark in the shard's marks.
const snapshotMark = "snapshot"

// markStore is what the group needs of the journal's Marks: small values, each
// Set synced, Get of what is not there ErrNotFound.
type markStore interface {
	Get(name string) ([]byte, error)
	Set(name string, value []byte) error
}

// snapStore is Raft's SnapshotStore. A snapshot is a mark: it says up to where
// the log may be truncated and a restart need not ask Raft, because the journal
// has that part, in its state at K and the log from K+1 on. There is one, the
// newest.
type snapStore struct {
	marks  markStore
	failed func(error)   // told when the mark can't be written
	last   atomic.Uint64 // index of the newest mark read or written
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
	defer func() { // raft.DecodeConfiguration has no error result: it panics
		if r := recover(); r != nil {
			m, err = nil, fmt.Errorf("cluster: snapshot mark: configuration: %v", r)
		}
	}()
	m = &raft.SnapshotMeta{
		Version:            raft.SnapshotVersionMax,
		Index:              binary.BigEndian.Uint64(b[1:]),
		Term:               binary.BigEndian.Uint64(b[9:]),
		ConfigurationIndex: binary.BigEndian.Uint64(b[17:]),
		Configuration:      raft.DecodeConfiguration(b[markFixedLen:]),
	}
	m.ID = fmt.Sprintf("%d-%d", m.Term, m.Index)
	return m, nil
}

// latest is the newest mark, nil if there is none.
func (s *snapStore) latest() (*raft.SnapshotMeta, error) {
	b, err := s.marks.Get(snapshotMark)
	if errors.Is(err, journal.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cluster: read snapshot mark: %w", err)
	}
	m, err := readMark(b)
	if err == nil {
		s.last.Store(m.Index)
	}
	return m, err
}

// List returns the mark, if there is one.
func (s *snapStore) List() ([]*raft.SnapshotMeta, error) {
	m, err := s.latest()
	if m == nil || err != nil {
		return nil, err
	}
	return []*raft.SnapshotMeta{m}, nil
}

// Create begins a mark, which its Close makes durable.
func (s *snapStore) Create(version raft.SnapshotVersion, index, term uint64, configuration raft.Configuration,
	configurationIndex uint64, _ raft.Transport) (raft.SnapshotSink, error) {
	return &markSink{store: s, meta: raft.SnapshotMeta{
		Version: version, ID: fmt.Sprintf("%d-%d", term, index), Index: index, Term: term,
		Configuration: configuration, ConfigurationIndex: configurationIndex,
	}}, nil
}

// Open is called when a follower needs the content.
func (s *snapStore) Open(string) (*raft.SnapshotMeta, io.ReadCloser, error) {
	return nil, nil, errNoStream
}

// markSink is a mark being made. It takes no content.
type markSink struct {
	store *snapStore
	meta  raft.SnapshotMeta
}

func (k *markSink) ID() string                { return k.meta.ID }
func (k *markSink) Write([]byte) (int, error) { return 0, errNoStream }
func (k *markSink) Cancel() error             { return nil }

// Close makes the mark durable.
func (k *markSink) Close() error {
	if err := k.store.marks.Set(snapshotMark, appendMark(nil, &k.meta)); err != nil {
		err = fmt.Errorf("cluster: write snapshot mark: %w", err)
		k.store.failed(err)
		return err
	}
	k.store.last.Store(k.meta.Index)
	return nil
}
