package journal

import (
	"sync"

	"github.com/cockroachdb/pebble/v2"
)

// blockCache holds Pebble's cache at the size that Options.CacheBytes says.
//
// Pebble takes its memtables off the cache: the one that is filled, and the one that is
// flushed or kept for use again. A cache of CacheBytes is none at all once they have
// grown, and each look for a name that nobody has declared read and unpacked blocks of
// several tables: a quarter of a follower's CPU while queues were declared. So the
// cache is larger by what two memtables may take, and what they do not take yet is
// taken off here.
//
//	|<----------------- size of Pebble's cache ------------------>|
//	| CacheBytes: blocks | memtables as they are | reserved by us |
type blockCache struct {
	*pebble.Cache
	memtables int64 // what two of them may take

	mu       sync.Mutex // guards all that follows
	reserved int64
	release  func()
}

func newBlockCache(o *Options) *blockCache {
	c := &blockCache{memtables: 2 * int64(o.MemTableBytes), release: func() {}}
	c.Cache = pebble.NewCache(o.CacheBytes + c.memtables)
	c.fit(0)
	return c
}

// fit is told what memtables take now. They double with each flush, up to their limit.
func (c *blockCache) fit(memtables int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	wanted := max(c.memtables-memtables, 0)
	if wanted == c.reserved {
		return
	}
	c.release() // first: a cache that is too small for a moment loses its blocks
	c.reserved, c.release = wanted, c.Reserve(int(wanted))
}

// fitCache is due whenever memtables may have changed: once a round is often enough.
func (s *Store) fitCache() {
	m := s.db.metrics()
	s.cache.fit(int64(m.MemTable.Size + m.MemTable.ZombieSize))
}
