package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// guardFS stands between Pebble and the disk. It passes everything on, up to the first
// error of an operation that changes something. That error is the store's failure; from
// then on the disk stays as it is, nothing is made, written, synced, renamed or removed
// any more, and Pebble is told each time that all went well.
//
// Why Pebble never hears of an error. It cannot live with one. If a WAL file cannot be
// closed or made (DB.rotateWAL), it panics while a mutex is unlocked that is unlocked
// again on the way out, and that ends the process on the spot, whoever recovers. Other
// panics leave locks taken (DB.commitWrite, atomicfs.Marker); an error of the manifest
// is a Logger.Fatalf, which must not return; a flush is tried again at once and for
// ever. The operator would read Pebble's last words instead of ours, and the clients
// would get no farewell.
//
// Why this is safe. What needs an operation to have been done begins after that has
// returned; by then the failure is known, and it does not reach the disk. So the disk
// is as a crash at the moment of the error could have left it. A failed fsync is never
// tried again, and nobody takes it for done: what the store accepts is not decided by
// Pebble but by database, which looks for a failure behind every change.
type guardFS struct {
	vfs.FS
	failure *failure
}

// change does an operation that changes the disk; after a failure it does nothing.
// done: it was done.
func (g *guardFS) change(what, name string, do func() error) (done bool) {
	if g.failure.get() != nil {
		return false
	}
	err := do()
	if err != nil {
		g.failed(what, name, err)
	}
	return err == nil
}

// failed makes the error of an operation the store's failure.
func (g *guardFS) failed(what, name string, err error) {
	if p := (*os.PathError)(nil); errors.As(err, &p) {
		err = p.Err // what and name are in our sentence
	}
	_ = g.failure.set(fmt.Errorf("journal: %s %s: %w", what, name, err))
}

// newFile gives the file that open makes, or after a failure one that leads nowhere.
func (g *guardFS) newFile(what, name string, open func() (vfs.File, error)) (vfs.File, error) {
	var f vfs.File
	if g.change(what, name, func() (err error) { f, err = open(); return err }) {
		return &guardFile{File: f, fs: g, name: name}, nil
	}
	f, err := vfs.NewMem().Create("nowhere", vfs.WriteCategoryUnspecified)
	return &guardFile{File: f, fs: g, name: name}, err
}

// Create implements vfs.FS.
func (g *guardFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return g.newFile("create", name, func() (vfs.File, error) { return g.FS.Create(name, c) })
}

// ReuseForWrite implements vfs.FS.
func (g *guardFS) ReuseForWrite(from, to string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return g.newFile("reuse "+from+" as", to, func() (vfs.File, error) { return g.FS.ReuseForWrite(from, to, c) })
}

// OpenReadWrite implements vfs.FS.
func (g *guardFS) OpenReadWrite(name string, c vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	return g.newFile("open", name, func() (vfs.File, error) { return g.FS.OpenReadWrite(name, c, o...) })
}

// OpenDir implements vfs.FS. A directory is opened to be synced.
func (g *guardFS) OpenDir(name string) (vfs.File, error) {
	f, err := g.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return &guardFile{File: f, fs: g, name: name}, nil
}

// Open opens a file to be read. After a failure that what is not there may have been
// kept off the disk by us; Pebble would take it for lost and end the process.
func (g *guardFS) Open(name string, o ...vfs.OpenOption) (vfs.File, error) {
	f, err := g.FS.Open(name, o...)
	if failed := g.failure.get(); err != nil && failed != nil {
		return nil, failed
	}
	return f, err
}

// Link implements vfs.FS. That it does not work is no failure: not every file system
// has links, and Pebble copies then.
func (g *guardFS) Link(from, to string) error {
	if g.failure.get() != nil {
		return nil
	}
	return g.FS.Link(from, to)
}

// Remove implements vfs.FS. That there is no such file is no failure, Pebble looks for
// what a crash may have left.
func (g *guardFS) Remove(name string) error {
	missing := false
	g.change("remove", name, func() error {
		err := g.FS.Remove(name)
		if missing = errors.Is(err, fs.ErrNotExist); missing {
			return nil
		}
		return err
	})
	if missing {
		return fs.ErrNotExist
	}
	return nil
}

// RemoveAll implements vfs.FS.
func (g *guardFS) RemoveAll(name string) error {
	g.change("remove", name, func() error { return g.FS.RemoveAll(name) })
	return nil
}

// Rename implements vfs.FS.
func (g *guardFS) Rename(from, to string) error {
	g.change("rename to "+to, from, func() error { return g.FS.Rename(from, to) })
	return nil
}

// MkdirAll implements vfs.FS.
func (g *guardFS) MkdirAll(dir string, perm os.FileMode) error {
	g.change("make directory", dir, func() error { return g.FS.MkdirAll(dir, perm) })
	return nil
}

// Unwrap gives the file system below.
func (g *guardFS) Unwrap() vfs.FS { return g.FS }

// guardFile is a file that is written, or a directory.
type guardFile struct {
	vfs.File
	fs   *guardFS
	name string
}

// Write implements vfs.File.
func (f *guardFile) Write(p []byte) (int, error) {
	f.fs.change("write", f.name, func() error { _, err := f.File.Write(p); return err })
	return len(p), nil
}

// WriteAt implements vfs.File.
func (f *guardFile) WriteAt(p []byte, off int64) (int, error) {
	f.fs.change("write", f.name, func() error { _, err := f.File.WriteAt(p, off); return err })
	return len(p), nil
}

// Preallocate implements vfs.File. It is a hint: not every file system can.
func (f *guardFile) Preallocate(off, length int64) error {
	if f.fs.failure.get() == nil {
		_ = f.File.Preallocate(off, length)
	}
	return nil
}

// Sync implements vfs.File.
func (f *guardFile) Sync() error {
	f.fs.change("sync", f.name, f.File.Sync)
	return nil
}

// SyncData implements vfs.File.
func (f *guardFile) SyncData() error {
	f.fs.change("sync", f.name, f.File.SyncData)
	return nil
}

// SyncTo implements vfs.File.
func (f *guardFile) SyncTo(length int64) (full bool, _ error) {
	f.fs.change("sync", f.name, func() (err error) { full, err = f.File.SyncTo(length); return err })
	return full, nil
}

// Close closes the file, after a failure too. An error is one of something that was
// written before, maybe: some file systems tell it only now.
func (f *guardFile) Close() error {
	if err := f.File.Close(); err != nil {
		f.fs.failed("close", f.name, err)
	}
	return nil
}
