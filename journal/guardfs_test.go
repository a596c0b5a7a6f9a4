package journal

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/require"

	"entrepot/journal/journaltest/crashfs"
	"entrepot/queue"
)

var errBroken = errors.New("the disk is broken")

// operation is one kind of operation on some files.
type operation struct {
	say   string // what our sentence calls it
	file  string // part of the path
	kinds []errorfs.OpKind
	size  int // of a message; 0: small. One as large as a memtable has a WAL file of its own
}

// breakage is a disk on which the k-th such operation fails.
type breakage struct {
	operation
	k     int64
	stays bool // all later ones fail too

	on  atomic.Bool
	ops atomic.Int64
}

func (b *breakage) String() string {
	return fmt.Sprintf("%s %s, %d, stays %v", b.say, b.file, b.k, b.stays)
}

func (b *breakage) MaybeError(op errorfs.Op) error {
	if !b.on.Load() || !strings.Contains(op.Path, b.file) || strings.Contains(op.Path, tableDir) { // those Pebble does not see
		return nil
	}
	for _, kind := range b.kinds {
		if op.Kind == kind {
			if n := b.ops.Add(1); n == b.k || b.stays && n > b.k {
				return errBroken
			}
		}
	}
	return nil
}

// FS is mem with the breakage. errorfs leaves Close alone.
func (b *breakage) FS(mem vfs.FS) vfs.FS { return brokenFS{errorfs.Wrap(mem, b), b} }

type brokenFS struct {
	vfs.FS
	b *breakage
}

func (fs brokenFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := fs.FS.Create(name, c)
	if err != nil {
		return nil, err
	}
	return brokenFile{f, fs.b, name}, nil
}

func (fs brokenFS) ReuseForWrite(from, to string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := fs.FS.ReuseForWrite(from, to, c)
	if err != nil {
		return nil, err
	}
	return brokenFile{f, fs.b, to}, nil
}

type brokenFile struct {
	vfs.File
	b    *breakage
	name string
}

func (f brokenFile) Close() error {
	return errors.Join(f.File.Close(), f.b.MaybeError(errorfs.Op{Kind: errorfs.OpFileClose, Path: f.name}))
}

// TestPebbleHearsOfNoWriteError fails every kind of operation, at one call after the
// other, while memtables are small, so that WAL files come and go. With such an error
// Pebble would end the process or hang. The store says so once, with the operation and
// the file, ends nevertheless, and all that it had accepted is there on the well disk.
func TestPebbleHearsOfNoWriteError(t *testing.T) {
	for _, op := range []operation{
		{"create", ".log", []errorfs.OpKind{errorfs.OpCreate}, 0},
		{"reuse", spareName, []errorfs.OpKind{errorfs.OpReuseForWrite}, 0},
		{"write", ".log", []errorfs.OpKind{errorfs.OpFileWrite, errorfs.OpFileWriteAt}, 0},
		{"sync", ".log", []errorfs.OpKind{errorfs.OpFileSync, errorfs.OpFileSyncData}, 0},
		{"close", ".log", []errorfs.OpKind{errorfs.OpFileClose}, 0},
		{"remove", ".log", []errorfs.OpKind{errorfs.OpRemove}, 64 << 10},
		{"rename", ".log", []errorfs.OpKind{errorfs.OpRename}, 0},
		{"sync", testDir, []errorfs.OpKind{errorfs.OpFileSync}, 0}, // the directory too
		{"close", ".log", []errorfs.OpKind{errorfs.OpFileClose}, 64 << 10},
		{"sync", ".log", []errorfs.OpKind{errorfs.OpFileSyncData}, 64 << 10},
		{"write", "MANIFEST", []errorfs.OpKind{errorfs.OpFileWrite}, 0},
		{"sync", "MANIFEST", []errorfs.OpKind{errorfs.OpFileSync}, 0},
		{"create", ".sst", []errorfs.OpKind{errorfs.OpCreate}, 0},
		{"write", ".sst", []errorfs.OpKind{errorfs.OpFileWrite}, 0},
	} {
		for _, stays := range []bool{false, true} {
			t.Run(fmt.Sprint(op.say, op.file, op.size, stays), func(t *testing.T) {
				k := int64(1)
				for breakOnce(t, &breakage{operation: op, k: k, stays: stays}) {
					k += 1 + k/4
				}
				require.Greater(t, k, int64(1), "nothing was tried")
			})
		}
	}
}

// breakOnce is one run on a disk that breaks; failed: it came to that.
func breakOnce(t *testing.T, b *breakage) (failed bool) {
	mem := crashfs.New()
	o := memOptions()
	o.FS, o.MemTableBytes, o.WindowBytes = b.FS(mem), 64<<10, 1<<30
	var told atomic.Pointer[error]
	o.Hooks.Failed = func(err error) { require.True(t, told.CompareAndSwap(nil, &err), "%s: told twice", b) }
	r := newRig(t, o)
	r.declare(1)
	b.on.Store(true)
	n, size := queue.Seq(200), 1000
	if b.size > 0 {
		n, size = 30, b.size
	}
	acked := r.fill(n, size)
	err := r.store.Close()
	if told.Load() == nil {
		require.NoError(t, err, "%s", b)
		require.Equal(t, n, acked)
	} else {
		require.ErrorIs(t, err, errBroken, "%s", b)
		require.ErrorIs(t, *told.Load(), errBroken)
		require.Contains(t, (*told.Load()).Error(), b.say)
		require.Contains(t, (*told.Load()).Error(), b.file)
	}
	o = memOptions()
	o.FS = mem.Crash(vfs.CrashCloneCfg{})
	r = newRig(t, o)
	have := queue.Seq(len(r.all(1, 100)))
	require.GreaterOrEqual(t, have, acked, "%s: lost", b)
	require.LessOrEqual(t, have, acked+1, "%s: invented", b)
	r.close()
	return told.Load() != nil
}

// fill enqueues n messages of so many bytes, with a round now and then, until the store fails: then it
// accepts nothing more.
func (r *rig) fill(n queue.Seq, size int) (acked queue.Seq) {
	r.t.Helper()
	message := func(b *queue.PackBuilder) { b.Enqueue(1, 0, 0, make([]byte, size)) }
	for acked < n {
		if _, err := r.try(r.pack(message)); err != nil {
			break
		}
		acked++
		if acked%10 == 0 && r.shard.round(true) != nil {
			break
		}
	}
	if acked < n {
		_, err := r.try(r.pack(message))
		require.ErrorIs(r.t, err, r.store.failure.get(), "nothing is accepted after a failure")
	}
	return acked
}

// TestAnOpenThatFails: Pebble's own errors of an opening would be a Fatalf, and Open
// would never come back.
func TestAnOpenThatFails(t *testing.T) {
	for _, file := range []string{".log", ".sst", "MANIFEST", "marker", "dbtmp", testDir} {
		hits := 0
		for k := int64(1); k < 20; k++ {
			mem := crashfs.New()
			o := memOptions()
			o.FS = mem
			r := newRig(t, o)
			r.declare(1)
			acked := r.fill(30, 1000)
			r.close()
			b := &breakage{operation: operation{"open", file, []errorfs.OpKind{
				errorfs.OpCreate, errorfs.OpFileWrite, errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpRename, errorfs.OpFileClose,
			}, 0}, k: k}
			b.on.Store(true)
			r.opts.FS = b.FS(mem)
			if err := r.tryOpen(); err != nil {
				require.ErrorIs(t, err, errBroken, "%s", b)
				hits++
			} else {
				_ = r.store.Close()
			}
			r.opts.FS = mem.Crash(vfs.CrashCloneCfg{})
			r.open()
			require.Len(t, r.all(1, 100), int(acked), "%s", b)
			r.close()
		}
		require.NotZero(t, hits, "%s: nothing was tried", file)
	}
}
