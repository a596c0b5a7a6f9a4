package journal

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// Marks are a shard's small named values (the snapshot mark, for one). Every
// change is synced. Names are 1..64 bytes; "state" is the shard's own.
type Marks struct {
	store *Store
	sh    uint16
}

const maxMarkName = 64

// Set stores a value.
func (m *Marks) Set(name string, val []byte) error {
	key, err := m.key(name)
	if err != nil {
		return err
	}
	b := m.store.db.newBatch()
	defer b.Close()
	if err := b.Set(key, plainValue(key, val), nil); err != nil {
		return err
	}
	return m.store.commit(b, pebble.Sync)
}

// Get returns a value, ErrNotFound if there is none.
func (m *Marks) Get(name string) ([]byte, error) {
	key, err := m.key(name)
	if err != nil {
		return nil, err
	}
	return m.store.getPlain(key)
}

// Delete removes a value; removing what is not there is no error.
func (m *Marks) Delete(name string) error {
	key, err := m.key(name)
	if err != nil {
		return err
	}
	b := m.store.db.newBatch()
	defer b.Close()
	if err := b.Delete(key, nil); err != nil {
		return err
	}
	return m.store.commit(b, pebble.Sync)
}

func (m *Marks) key(name string) ([]byte, error) {
	if name == "" || len(name) > maxMarkName || name == stateRowName {
		return nil, fmt.Errorf("journal: %q is no name of a mark", name)
	}
	return appendMarkKey(nil, m.sh, name), nil
}

// getPlain reads an S or I row into memory of its own.
func (s *Store) getPlain(key []byte) ([]byte, error) {
	var b []byte
	found, err := s.db.get(key, func(v []byte) error {
		body, err := unseal(key, v)
		b = clone(body)
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case !found:
		return nil, ErrNotFound
	}
	return b, nil
}
