package journal

import (
	"math/rand/v2"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"entrepot/queue"
)

// flushFS holds a flush as it makes its first table, once it is told to.
type flushFS struct {
	vfs.FS
	hold       atomic.Bool
	held, goOn chan struct{}
	table      string // the one that is made
}

func (f *flushFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if strings.HasSuffix(name, ".sst") && category == "pebble-memtable-flush" && f.hold.CompareAndSwap(true, false) {
		f.table = name
		close(f.held)
		<-f.goOn
	}
	return f.FS.Create(name, category)
}

// Cutting a range out cancels a flush of keys on both sides of it, which Pebble tells
// like one that has failed, and tries again: no reason to end. (make chaos found a node
// that did.)
func TestACancelledFlushIsNoFailure(t *testing.T) {
	o := memOptions()
	fs := &flushFS{FS: o.FS, held: make(chan struct{}), goOn: make(chan struct{})}
	o.FS, o.MemTableBytes = fs, 8<<20
	r := newRig(t, o)
	r.declare(1)
	body := make([]byte, 32<<10)
	_, _ = rand.NewChaCha8([32]byte{}).Read(body) // it is not to be compressed
	fill := func(n int) {
		for range n {
			r.do(func(b *queue.PackBuilder) { b.Enqueue(1, 0, 0, body) })
		}
	}
	for r.store.Metrics().MemTableBytes < o.MemTableBytes {
		fill(1)
	}
	require.NoError(t, r.store.db.pebble.Flush())
	fill(160) // 5 MB of L rows are more tables than one: a flush sees between them that it is cancelled
	require.NoError(t, r.store.Marks(0).Set("mark", nil))
	fs.hold.Store(true)
	flushed, err := r.store.db.pebble.AsyncFlush()
	require.NoError(t, err)
	<-fs.held
	q := r.shard.space.prefix(nil, kindMessage) // between L rows and marks
	require.NoError(t, r.store.db.excise(pebble.KeyRange{Start: q, End: prefixEnd(q)}))
	close(fs.goOn)
	<-flushed
	r.store.db.pebble.TestOnlyWaitForCleaning() // what it had made is removed behind its back
	_, err = fs.Stat(fs.table)
	require.ErrorIs(t, err, os.ErrNotExist, "else nothing was cancelled")
	r.enqueue(1, "b")
	r.close()
}
