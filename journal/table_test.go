package journal

import (
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/require"

	"entrepot/queue"
)

// The disk gets a table piece by piece, and not all of it at its end, when every commit
// would have to wait for that.
func TestTablesReachTheDiskPieceByPiece(t *testing.T) {
	const total = 8 << 20
	var written, atOnce, most atomic.Int64
	o := memOptions()
	o.FS = errorfs.Wrap(o.FS, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if !strings.Contains(op.Path, tableDir) {
			return nil
		}
		switch op.Kind {
		case errorfs.OpFileWrite:
			written.Add(1)
			atOnce.Add(1)
		case errorfs.OpFileSync, errorfs.OpFileSyncData:
			most.Store(max(most.Load(), atOnce.Swap(0)))
		}
		return nil
	}))
	o.MemTableBytes = 4 * total
	r := newRig(t, o)
	defer r.close()
	r.declare(1)
	body := make([]byte, 32<<10)
	_, _ = rand.NewChaCha8([32]byte{}).Read(body) // it is not to be compressed
	for range total / len(body) {
		r.do(func(b *queue.PackBuilder) { b.Enqueue(1, 0, 0, body) })
	}
	require.NoError(t, r.shard.round(true))
	require.Greater(t, written.Load(), int64(32), "else a piece is too much")
	// What was written last stays out until the end: Pebble's syncing file keeps a
	// megabyte behind.
	require.Less(t, most.Load(), written.Load()/3)
}
