package sim

import (
	"errors"
	"sync"

	"entrepot/cluster"
)

// vault is a machine's disk for terms and votes. Each write is durable at once; what a
// ghost writes is lost.
type vault struct {
	mu     sync.Mutex // guards all that follows
	values map[uint16]map[string][]byte
	owner  *process // the one that may write
}

func newVault() *vault { return &vault{values: map[uint16]map[string][]byte{}} }

func (v *vault) give(p *process) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.owner = p
}

// shelf is the part of a vault that one process has for one shard.
type shelf struct {
	vault   *vault
	process *process
	shard   uint16
}

var _ cluster.StableStore = shelf{}

var errNoKey = errors.New("not found") // Raft looks at the text

func (s shelf) Set(key, value []byte) error {
	s.vault.mu.Lock()
	defer s.vault.mu.Unlock()
	if s.vault.owner != s.process {
		return nil
	}
	if s.vault.values[s.shard] == nil {
		s.vault.values[s.shard] = map[string][]byte{}
	}
	s.vault.values[s.shard][string(key)] = append([]byte(nil), value...)
	return nil
}

func (s shelf) Get(key []byte) ([]byte, error) {
	s.vault.mu.Lock()
	defer s.vault.mu.Unlock()
	value, ok := s.vault.values[s.shard][string(key)]
	if !ok {
		return nil, errNoKey
	}
	return append([]byte(nil), value...), nil
}

func (s shelf) SetUint64(key []byte, value uint64) error {
	var b [8]byte
	for i := range b {
		b[i] = byte(value >> (8 * i))
	}
	return s.Set(key, b[:])
}

func (s shelf) GetUint64(key []byte) (value uint64, err error) {
	b, err := s.Get(key)
	if err != nil {
		return 0, nil
	}
	for i := range b {
		value |= uint64(b[i]) << (8 * i)
	}
	return value, nil
}
