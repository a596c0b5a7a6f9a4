package journal

import (
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/stretchr/testify/require"

	"entrepot/queue"
)

// TestSpaceComesBack: when everything of many queues that share tables is
// settled, no table with Q keys is left, and a queue that still has a message
// keeps it.
func TestSpaceComesBack(t *testing.T) {
	const queues = 50
	r := newRig(t, memOptions())
	defer func() { r.close() }()
	for q := queue.ID(1); q <= queues; q++ {
		r.declare(q)
	}
	for range 3 {
		for q := queue.ID(1); q <= queues; q++ {
			r.enqueue(q, string(make([]byte, 5000)))
		}
		r.spill() // tables that overlap each other
	}
	tables := func() (n int) {
		levels, err := r.store.db.tables()
		require.NoError(t, err)
		for _, level := range levels {
			for i := range level {
				if level[i].Smallest.UserKey[0] == kindMessage {
					n++
				}
			}
		}
		return n
	}
	settle := func(q queue.ID, n uint32) {
		r.do(func(b *queue.PackBuilder) {
			b.Remove(q, queue.Settled, []queue.Run{{First: 1, Count: n, Bytes: 5000 * uint64(n)}})
		})
	}
	for q := queue.ID(1); q < queues; q++ {
		settle(q, 3)
	}
	settle(queues, 2)
	r.shard.deadBytes = reclaimBytes
	r.spill()
	require.NotZero(t, tables(), "one message lives")
	require.Len(t, r.all(queues, 10), 1)
	settle(queues, 3)
	r.enqueue(7, "later")
	r.shard.deadBytes = reclaimBytes
	require.NoError(t, r.shard.round(false))
	require.Zero(t, tables(), "nothing on disk lives, and the window does not count")
	require.Equal(t, []string{"later"}, payloads(r.all(7, 10)))
	r.spill()
	require.Equal(t, []string{"later"}, payloads(r.all(7, 10)), "what comes later is not cut out")
	r.close()
	r.open()
	require.Equal(t, []string{"later"}, payloads(r.all(7, 10)))
}

func TestJoinKeyRanges(t *testing.T) {
	r := func(start, end string) pebble.KeyRange {
		return pebble.KeyRange{Start: []byte(start), End: []byte(end)}
	}
	require.Equal(t, []pebble.KeyRange{r("a", "d"), r("e", "f")},
		joinKeyRanges([]pebble.KeyRange{r("e", "f"), r("b", "d"), r("a", "b"), r("a", "c")}))
	require.Empty(t, joinKeyRanges(nil))
}
