package cluster

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
	"go.etcd.io/bbolt"

	"entrepot/journal"
)

// stableStore is the file with the group's term and vote, or what a simulation has
// in its place. It is written at elections only.
type stableStore struct {
	StableStore
	close  func() error
	path   string
	failed func(error) // told when a write failed
}

// Set writes a value durably.
func (s *stableStore) Set(key, value []byte) error { return s.report(s.StableStore.Set(key, value)) }

// SetUint64 writes a number durably.
func (s *stableStore) SetUint64(key []byte, value uint64) error {
	return s.report(s.StableStore.SetUint64(key, value))
}

// Close closes the file.
func (s *stableStore) Close() error { return s.close() }

func (s *stableStore) report(err error) error {
	if err == nil {
		return nil
	}
	err = fmt.Errorf("cluster: write %s: %w", s.path, err)
	s.failed(err)
	return err
}

// lockWait is how long the file's lock is waited for: not at all, as far as
// bbolt can be told. The journal's lock has kept other brokers out already.
const lockWait = 100 * time.Millisecond

func openStable(cfg *Config) (*stableStore, error) {
	if cfg.Stable != nil {
		return &stableStore{StableStore: cfg.Stable, path: "the stable store", close: func() error { return nil }}, nil
	}
	dir, shard := cfg.Dir, cfg.Shard
	if err := journal.MakeDir(dir, 0o750); err != nil {
		return nil, fmt.Errorf("cluster: %w", err)
	}
	path := filepath.Join(dir, fmt.Sprintf("raft-%d.db", shard))
	s, err := raftboltdb.New(raftboltdb.Options{
		Path: path, BoltOptions: &bbolt.Options{Timeout: lockWait},
	})
	if err != nil {
		return nil, fmt.Errorf("cluster: open %s: %w", path, err)
	}
	if err := journal.SyncDir(dir); err != nil { // bbolt syncs the file, not its name
		return nil, errors.Join(fmt.Errorf("cluster: sync %s: %w", dir, err), s.Close())
	}
	return &stableStore{StableStore: s, path: path, close: s.Close}, nil
}

// term is the current term, 0 if there never was one.
func (s *stableStore) term() (uint64, error) {
	t, err := s.GetUint64([]byte("CurrentTerm"))
	if err != nil && err.Error() != raftboltdb.ErrKeyNotFound.Error() {
		return 0, fmt.Errorf("cluster: read %s: %w", s.path, err)
	}
	return t, nil
}

var _ raft.StableStore = (*stableStore)(nil)
