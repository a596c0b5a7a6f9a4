package journal

import (
	"errors"
	"fmt"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"entrepot/queue"
)

// A flush that a cut-out range has cancelled is an event of Pebble's like a failed one.
// It is tried again: no reason to end. (make chaos found a node that did.)
func TestACancelledFlushIsNoFailure(t *testing.T) {
	r := newRig(t, memOptions())
	defer func() { _ = r.store.Close() }()
	r.declare(1)
	r.store.backgroundError(fmt.Errorf("flush: %w", pebble.ErrCancelledCompaction))
	r.enqueue(1, "a")
	require.Equal(t, []string{"a"}, payloads(r.all(1, 10)))

	r.store.backgroundError(errors.New("the disk is gone"))
	_, err := r.try(r.pack(func(b *queue.PackBuilder) { b.Enqueue(1, 0, 0, []byte("b")) }))
	require.ErrorContains(t, err, "the disk is gone")
}

// tableFS tells of every table that a round begins.
type tableFS struct {
	vfs.FS
	begun func()
}

func (f tableFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if category == "entrepot-table" {
		f.begun()
	}
	return f.FS.Create(name, category)
}

// A store that has failed is closed while a round is under way, which finds Pebble
// closed. Without a failure that is a fault of ours.
func TestARoundThatOutlivesItsStore(t *testing.T) {
	for _, failed := range []error{errors.New("the disk is gone"), nil} {
		o := memOptions()
		var r *rig
		o.FS = tableFS{o.FS, func() {
			if failed != nil {
				r.store.backgroundError(failed)
			}
			_ = r.store.db.Close()
		}}
		r = newRig(t, o)
		r.declare(1)
		r.enqueue(1, "a")
		if failed != nil {
			require.ErrorIs(t, r.shard.lastingRound(true), failed)
			require.ErrorIs(t, r.store.Close(), failed)
		} else {
			require.PanicsWithError(t, pebble.ErrClosed.Error(), func() { _ = r.shard.lastingRound(true) })
		}
	}
}
