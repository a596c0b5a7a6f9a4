package journal

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"entrepot/queue"
)

// Pebble takes what memtables hold off its block cache. Blocks that were read stay in
// memory all the same, also when a memtable as large as the cache is being filled.
func TestBlocksAreCachedBesideALargeMemtable(t *testing.T) {
	o := memOptions()
	o.CacheBytes = int64(o.MemTableBytes)
	r := newRig(t, o)
	defer r.close()
	for i := range 4 { // memtables double up to their limit
		var names []string
		for j := range 1000 {
			names = append(names, fmt.Sprintf("name-%04d", 4*j+i))
		}
		r.do(declares(names...))
		r.flush()
		require.NoError(t, r.store.db.pebble.Flush())
	}
	// A compaction would take blocks away that were just read: let none be due.
	require.NoError(t, r.store.db.pebble.Compact(t.Context(), []byte{0}, []byte{0xff}, false))
	require.GreaterOrEqual(t, r.store.db.metrics().MemTable.Size, o.MemTableBytes, "else nothing is tried here")
	misses := func() int64 {
		before := r.store.db.metrics().BlockCache.Misses
		for i := range 100 {
			_, _, ok, err := r.shard.Lookup(fmt.Sprintf("name-%04d+", 40*i))
			require.NoError(t, err)
			require.False(t, ok, "nobody has declared it")
		}
		return r.store.db.metrics().BlockCache.Misses - before
	}
	misses()
	require.Zero(t, misses(), "it was all read a moment ago")
}

// What memtables do not take yet is not the cache's.
func TestTheCacheKeepsToItsSize(t *testing.T) {
	o := memOptions()
	o.CacheBytes, o.MemTableBytes = 1<<20, 4<<20
	r := newRig(t, o)
	defer r.close()
	require.NotZero(t, r.store.cache.reserved, "memtables begin small")
	reserved := func() int64 {
		m := r.store.db.metrics()
		return r.store.cache.reserved + int64(m.MemTable.Size+m.MemTable.ZombieSize)
	}
	r.do(declares("q"))
	for range 200 {
		r.do(func(b *queue.PackBuilder) { b.Enqueue(1, 0, 0, make([]byte, 100<<10)) })
		r.flush()
	}
	require.NoError(t, r.store.db.pebble.Flush())
	r.store.fitCache()
	require.EqualValues(t, 2*o.MemTableBytes, reserved(), "the rest is CacheBytes")
	require.Zero(t, r.store.cache.reserved, "memtables have grown up")
}
