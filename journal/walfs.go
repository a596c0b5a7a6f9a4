package journal

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// walFS is the file system that Pebble sees. It changes only how WAL files are
// written; everything else goes through.
//
// Old files. Pebble would keep up to three flushed WAL files of a memtable's
// size each for reuse: up to 200 MiB that no figure of ours needs. It is told
// that files go to an archive instead (pebble.ArchiveCleaner), and this is the
// archive: it keeps one and deletes everything else. Two files that take turns cost
// no deletion, no new extents and no zeros.
//
// Zeros ahead. Appending to a file makes every fdatasync write the file's new
// size and extents through the file system's journal as well. Overwriting
// bytes that were written before does not, and takes about half as long.
// fallocate is no help: its extents are still to be converted. So a new file is
// extended by real zeros ahead of small commits (p50 of one synced append:
// 160-173 us with, 226 us without; BenchmarkAppendOne), unless there is an old
// one to be overwritten. Large commits (a pack of many messages) pay for the growth
// themselves without noticing, and writing zeros first would double their bytes: so
// the mean of recent commits decides, for between large ones there are always small
// ones. (Zeros behind every commit of up to 64 KiB, and no old file for larger ones,
// were a quarter of all that three nodes wrote at full speed.) A reader takes zeros for
// the end of the log, as it must for any preallocated file.
//
// Durability OS. A sync of a WAL file does nothing but to remember it; syncAll,
// called each second, does it. The data has been handed to the kernel by then.
type walFS struct {
	vfs.FS
	lazy    bool  // Durability OS
	largest int64 // file that is kept
	synced  func(time.Duration)

	mean atomic.Int64 // bytes of recent commits

	mu    sync.Mutex // guards all that follows
	open  map[*walFile]struct{}
	spare spareWAL
}

// spareWAL is an old WAL file to be used again. The zero value is none.
type spareWAL struct {
	name string
	size int64
}

const (
	// archiveDir is where pebble.ArchiveCleaner moves files to.
	archiveDir = "archive"
	// spareName is the old WAL file, under a name that Pebble does not know.
	spareName = "spare.wal"
)

const (
	// zeroStep is written ahead at a time: some hundred small commits pay
	// about a millisecond once.
	zeroStep = 512 << 10
	// smallCommit is what recent commits may have written, in the mean, for the next
	// ones to be worth zeros ahead.
	smallCommit = 8 << 10
	// recentCommits is about how many make the mean.
	recentCommits = 8
)

var zeros [zeroStep]byte

// newWALFS REQUIRES that a file with a memtable has about memTable bytes. One that a huge
// commit has made larger is not kept.
func newWALFS(fs vfs.FS, lazy bool, memTable int64, synced func(time.Duration)) *walFS {
	if synced == nil {
		synced = func(time.Duration) {}
	}
	return &walFS{FS: fs, lazy: lazy, largest: memTable + zeroStep, synced: synced, open: map[*walFile]struct{}{}}
}

func isWAL(name string) bool { return strings.HasSuffix(name, ".log") }

// Create makes a file, a WAL file with the changes above.
func (fs *walFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if !isWAL(name) {
		return fs.FS.Create(name, category)
	}
	f, size, err := fs.reuseSpare(name, category)
	if f == nil && err == nil {
		f, err = fs.FS.Create(name, category)
	}
	if err != nil {
		return nil, err
	}
	return fs.track(&walFile{File: f, fs: fs, size: size}), nil
}

// reuseSpare makes the old WAL file the new one, if there is one; else f is nil. What
// is in it carries the numbers of old files, by which a reader knows the end. Meanwhile
// no other file may become the spare: it would take this one's name.
func (fs *walFS) reuseSpare(name string, category vfs.DiskWriteCategory) (f vfs.File, size int64, err error) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if fs.spare.name == "" {
		return nil, 0, nil
	}
	spare := fs.spare
	fs.spare = spareWAL{}
	f, err = fs.FS.ReuseForWrite(spare.name, name, category)
	return f, spare.size, err
}

// Rename moves a file, unless it is to be archived: see retire.
func (fs *walFS) Rename(oldname, newname string) error {
	if fs.PathBase(fs.PathDir(newname)) == archiveDir {
		return fs.retire(oldname)
	}
	return fs.FS.Rename(oldname, newname)
}

// retire deletes a file that Pebble no longer needs, or keeps it as the spare. To delete
// a large one takes milliseconds, in which WAL files may come and go.
func (fs *walFS) retire(name string) error {
	kept, err := fs.keepSpare(name)
	if kept || err != nil {
		return err
	}
	return fs.FS.Remove(name)
}

// keepSpare makes an old WAL file the spare, if one is wanted.
func (fs *walFS) keepSpare(name string) (kept bool, _ error) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if !isWAL(name) || fs.spare.name != "" || fs.lazy {
		return false, nil
	}
	info, err := fs.FS.Stat(name)
	if err != nil || info.Size() > fs.largest {
		return false, err
	}
	spare := fs.PathJoin(fs.PathDir(name), spareName)
	if err := fs.FS.Rename(name, spare); err != nil {
		return false, err
	}
	fs.spare = spareWAL{spare, info.Size()}
	return true, nil
}

// Unwrap gives the file system below.
func (fs *walFS) Unwrap() vfs.FS { return fs.FS }

func (fs *walFS) track(f *walFile) *walFile {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.open[f] = struct{}{}
	return f
}

func (fs *walFS) forget(f *walFile) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	delete(fs.open, f)
}

// committed is told of every commit, by one goroutine at a time.
func (fs *walFS) committed(bytes int64) {
	mean := fs.mean.Load()
	fs.mean.Store(mean + (bytes-mean)/recentCommits)
}

// syncAll makes durable what lazy syncs have left. It needs no call otherwise.
func (fs *walFS) syncAll() error {
	fs.mu.Lock()
	files := make([]*walFile, 0, len(fs.open))
	for f := range fs.open {
		files = append(files, f)
	}
	fs.mu.Unlock()
	var err error
	for _, f := range files {
		err = errors.Join(err, f.syncIfOwed())
	}
	return err
}

// walFile is one WAL file. Writes and syncs come from one goroutine of
// Pebble's; syncIfOwed from any.
type walFile struct {
	vfs.File
	fs *walFS

	pos       int64 // where the next Write goes
	size      int64 // bytes that exist, zeros ahead included
	syncedPos int64 // pos at the last sync

	mu     sync.Mutex // guards owed and closed, and holds syncs apart from Close
	owed   bool       // lazy: something is not synced
	closed bool
}

// Write appends p, and zeros ahead of it when that pays.
func (f *walFile) Write(p []byte) (int, error) {
	if end := f.pos + int64(len(p)); end > f.size {
		f.size = end
		if f.fs.mean.Load() <= smallCommit && !f.fs.lazy {
			n, err := f.File.WriteAt(zeros[:], end)
			f.size += int64(n)
			if err != nil {
				return 0, err
			}
		}
	}
	n, err := f.File.Write(p)
	f.pos += int64(n)
	return n, err
}

// Preallocate does nothing: see walFS.
func (f *walFile) Preallocate(int64, int64) error { return nil }

// SyncData makes what was written durable, or promises to.
func (f *walFile) SyncData() error {
	f.fs.committed(f.pos - f.syncedPos)
	f.syncedPos = f.pos
	f.mu.Lock()
	defer f.mu.Unlock()
	f.owed = true
	if f.fs.lazy {
		return nil
	}
	return f.syncLocked()
}

// Sync is SyncData: a WAL file's metadata matters to nobody but its size.
func (f *walFile) Sync() error { return f.SyncData() }

func (f *walFile) syncIfOwed() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.owed || f.closed {
		return nil
	}
	return f.syncLocked()
}

func (f *walFile) syncLocked() error {
	start := time.Now()
	if err := f.File.SyncData(); err != nil {
		return err
	}
	f.owed = false
	f.fs.synced(time.Since(start))
	return nil
}

// Close pays what is owed: Pebble thinks that a closed WAL is durable.
func (f *walFile) Close() error {
	err := f.syncIfOwed()
	f.fs.forget(f)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	return errors.Join(err, f.File.Close())
}
