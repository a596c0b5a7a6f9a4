package journal

import (
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
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

// That the disk is told to begin may fail, and may be the only time that it says so: the
// store must not go on. (Only files of the real disk have a SyncTo.)
func TestADiskThatFailsEarlyFailsTheStore(t *testing.T) {
	var hits atomic.Int64
	o := Options{Dir: t.TempDir(), FS: errorfs.Wrap(vfs.Default, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpFileSyncTo && strings.Contains(op.Path, tableDir) && hits.Add(1) == 1 {
			return errBroken
		}
		return nil
	}))}
	r := newRig(t, o)
	r.declare(1)
	body := make([]byte, 32<<10)
	_, _ = rand.NewChaCha8([32]byte{}).Read(body)
	for range 128 {
		r.do(func(b *queue.PackBuilder) { b.Enqueue(1, 0, 0, body) })
	}
	require.ErrorIs(t, r.shard.round(true), errBroken)
	require.ErrorIs(t, r.store.failure.get(), errBroken)
	require.ErrorIs(t, r.store.Close(), errBroken)

	r.opts.FS = vfs.Default
	r.open()
	require.Len(t, r.all(1, 200), 128, "nothing is lost")
	r.close()
}
