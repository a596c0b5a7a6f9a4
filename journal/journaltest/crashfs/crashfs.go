// Package crashfs has a file system in memory whose power can be cut while it is in
// use. It knows nothing of journals, so that the journal's own tests can have it too.
package crashfs

import (
	"io"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// FS is Pebble's crashable MemFS without its trap: in Pebble v2.1.7 Link,
// ReuseForWrite and Lock take their lock twice for reading, and hang when CrashClone
// comes in between (cockroachdb/pebble#5993). A gate keeps them apart. Nothing sleeps
// under it.
type FS struct {
	vfs.FS // mem
	mem    *vfs.MemFS
	gate   sync.Mutex
}

// New makes an empty file system.
func New() *FS { return on(vfs.NewCrashableMem()) }

func on(mem *vfs.MemFS) *FS { return &FS{FS: mem, mem: mem} }

// Crash is what a power cut at this moment leaves: all that was synced, and of the rest
// what c says. Who has the old file system goes on with it.
func (f *FS) Crash(c vfs.CrashCloneCfg) *FS {
	f.gate.Lock()
	defer f.gate.Unlock()
	return on(f.mem.CrashClone(c))
}

// Unwrap gives the file system below.
func (f *FS) Unwrap() vfs.FS { return f.mem }

// Link implements vfs.FS.
func (f *FS) Link(from, to string) error {
	f.gate.Lock()
	defer f.gate.Unlock()
	return f.mem.Link(from, to)
}

// ReuseForWrite implements vfs.FS.
func (f *FS) ReuseForWrite(from, to string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f.gate.Lock()
	defer f.gate.Unlock()
	return f.mem.ReuseForWrite(from, to, c)
}

// Lock implements vfs.FS.
func (f *FS) Lock(name string) (io.Closer, error) {
	f.gate.Lock()
	defer f.gate.Unlock()
	return f.mem.Lock(name)
}
