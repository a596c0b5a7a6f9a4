package journal

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"
)

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

// A failed store's Pebble is closed while a round is under way.
func TestARoundThatOutlivesItsStore(t *testing.T) {
	gone := errors.New("the disk is gone")
	o := memOptions()
	var r *rig
	o.FS = tableFS{o.FS, func() {
		r.store.backgroundError(gone)
		r.store.db.closeFailed() // what Close leaves to itself
	}}
	r = newRig(t, o)
	r.declare(1)
	r.enqueue(1, "a")
	require.ErrorIs(t, r.shard.round(true), gone)
	require.True(t, pebbleClosed(r))
}

// pebbleClosed: Pebble panics when it is used, as it does when it has been closed.
func pebbleClosed(r *rig) (closed bool) {
	defer func() { closed = recover() != nil }()
	_, _ = r.store.db.pebble.SSTables()
	return false
}

// Whoever reads a failed store while it is closed, reads on. Who comes later hears of
// the failure.
func TestReadersThatOutliveTheirStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, memOptions())
		r.declare(1)
		r.enqueue(1, "a", "b")
		r.spill()
		it, err := r.store.db.newIter(nil)
		require.NoError(t, err)
		require.True(t, it.First())

		gone := errors.New("the disk is gone")
		found, err := r.store.db.get(appendMarkKey(nil, storeShard, formatName), func([]byte) error {
			r.store.backgroundError(gone)
			require.ErrorIs(t, r.store.Close(), gone)
			synctest.Wait()
			require.True(t, it.Next(), "this one is let finish")
			everyUse(t, r, gone)
			require.NoError(t, it.Close())
			synctest.Wait()
			require.False(t, pebbleClosed(r), "so is who reads a value")
			return nil
		})
		require.NoError(t, err)
		require.True(t, found)
		synctest.Wait()
		require.True(t, pebbleClosed(r))
		everyUse(t, r, gone)
	})
}

// TestReadingAValueDoesNotAllocate: a declaration looks its name up.
func TestReadingAValueDoesNotAllocate(t *testing.T) {
	r := newRig(t, memOptions())
	defer r.close()
	key := appendMarkKey(nil, storeShard, formatName)
	n := 0
	require.Zero(t, testing.AllocsPerRun(100, func() {
		_, _ = r.store.db.get(key, func(v []byte) error { n += len(v); return nil })
	}))
	require.NotZero(t, n)
}

// everyUse tries every use of a database whose closing has begun.
func everyUse(t *testing.T, r *rig, failure error) {
	t.Helper()
	_, err := r.shard.Load(1, 0, 10, 1<<20, nil)
	require.ErrorIs(t, err, failure)
	_, err = r.shard.Scrub(t.Context())
	require.ErrorIs(t, err, failure)
	_, err = r.shard.OpenStream(t.Context())
	require.ErrorIs(t, err, failure)
	_, err = r.store.Marks(0).Get("mark")
	require.ErrorIs(t, err, failure)
	require.ErrorIs(t, r.store.Marks(0).Set("mark", nil), failure)
	require.ErrorIs(t, r.shard.Flush(context.Background()), failure)
	require.Zero(t, r.store.Metrics())
	r.store.fitCache()

	db := r.store.db
	_, err = db.tables()
	require.ErrorIs(t, err, failure)
	require.ErrorIs(t, db.ingest([]string{"table"}), failure)
	require.ErrorIs(t, db.excise(pebble.KeyRange{Start: []byte("a"), End: []byte("b")}), failure)
	b := db.newBatch()
	require.NoError(t, b.Set([]byte("a"), nil, nil))
	require.ErrorIs(t, db.commit(b, pebble.Sync), failure)
	require.NoError(t, b.Close())
}
