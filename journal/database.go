package journal

import (
	"context"
	"errors"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable"
)

// database is Pebble as the store uses it. It adds two things.
//
// A change counts only if the store has not failed when it has been made: Pebble does
// not hear of errors of the disk, see guardFS.
//
// A failed store is closed while it is in use: nobody can be waited for, for some may
// never come back. Pebble panics when it is used then. So all who use it are counted,
// an open iterator among them; once closing has begun nobody gets in any more, and it
// is the last to leave who lets Pebble be closed.
type database struct {
	pebble  *pebble.DB
	failure *failure

	mu    sync.Mutex // guards all that follows
	users int
	left  chan struct{} // not nil: closing has begun; closed when nobody is in
}

// enter is the begin of every use; leave is its end. Errors: the store's failure.
func (d *database) enter() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.left != nil {
		return d.failure.get()
	}
	d.users++
	return nil
}

func (d *database) leave() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.users--
	if d.left != nil && d.users == 0 {
		close(d.left)
	}
}

// close closes Pebble. Nothing may use it meanwhile or afterwards.
func (d *database) close() error { return d.pebble.Close() }

// closeFailed closes Pebble once nobody uses it any more, if ever. REQUIRES: the store
// has failed.
func (d *database) closeFailed() {
	d.mu.Lock()
	d.left = make(chan struct{})
	if d.users == 0 {
		close(d.left)
	}
	d.mu.Unlock()
	<-d.left
	// What has failed may have left anything behind, and nobody needs an answer.
	defer func() { _ = recover() }()
	_ = d.pebble.Close()
}

// change makes a change of Pebble's. Errors: Pebble's, the store's failure.
func (d *database) change(do func() error) error {
	if err := d.enter(); err != nil {
		return err
	}
	defer d.leave()
	if err := do(); err != nil {
		return err
	}
	return d.failure.get()
}

func (d *database) newBatch() *pebble.Batch { return d.pebble.NewBatch() }

func (d *database) newBatchWithSize(n int) *pebble.Batch { return d.pebble.NewBatchWithSize(n) }

// commit is for Store.commit alone.
func (d *database) commit(b *pebble.Batch, w *pebble.WriteOptions) error {
	return d.change(func() error { return b.Commit(w) })
}

func (d *database) ingest(paths []string) error {
	return d.change(func() error { return d.pebble.Ingest(context.Background(), paths) })
}

func (d *database) excise(r pebble.KeyRange) error {
	return d.change(func() error { return d.pebble.Excise(context.Background(), r) })
}

// get calls use with the value of key, if there is one; use must not keep it. Errors:
// *CorruptionError, what use gives, the store's failure.
func (d *database) get(key []byte, use func(v []byte) error) (found bool, err error) {
	if err := d.enter(); err != nil {
		return false, err
	}
	defer d.leave()
	v, closer, err := d.pebble.Get(key)
	switch {
	case errors.Is(err, pebble.ErrNotFound):
		return false, nil
	case err != nil:
		return false, readError(key, err)
	}
	return true, errors.Join(use(v), closer.Close())
}

// iterator is Pebble's, whose user is counted until Close.
type iterator struct {
	*pebble.Iterator
	db *database
}

func (d *database) newIter(o *pebble.IterOptions) (*iterator, error) {
	if err := d.enter(); err != nil {
		return nil, err
	}
	it, err := d.pebble.NewIter(o)
	if err != nil {
		d.leave()
		return nil, err
	}
	return &iterator{it, d}, nil
}

// Close ends the use. It is called once.
func (it *iterator) Close() error {
	defer it.db.leave()
	return it.Iterator.Close()
}

func (d *database) tables() ([][]pebble.SSTableInfo, error) {
	if err := d.enter(); err != nil {
		return nil, err
	}
	defer d.leave()
	return d.pebble.SSTables()
}

func (d *database) tableFormat() sstable.TableFormat { return d.pebble.TableFormat() }

// metrics are Pebble's; all are 0 when the store has been closed after a failure.
func (d *database) metrics() *pebble.Metrics {
	if d.enter() != nil {
		return &pebble.Metrics{}
	}
	defer d.leave()
	return d.pebble.Metrics()
}
