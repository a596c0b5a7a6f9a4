package journal

import (
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/require"

	"entrepot/journal/journaltest/crashfs"
	"entrepot/queue"
)

func size(t *testing.T, fs vfs.FS, name string) int64 {
	info, err := fs.Stat(name)
	require.NoError(t, err)
	return info.Size()
}

func TestZerosAheadOfSmallCommits(t *testing.T) {
	mem := vfs.NewMem()
	var syncs, commits int
	const memTable = 4 << 20
	fs := newWALFS(mem, false, memTable, func(time.Duration) { syncs++ })
	f, err := fs.Create("000001.log", "")
	require.NoError(t, err)
	commit := func(n int) {
		commits++
		_, err := f.Write(make([]byte, n))
		require.NoError(t, err)
		require.NoError(t, f.SyncData())
	}
	const large = recentCommits * (smallCommit + 1)
	var written int64
	fs.committed(recentCommits * large) // as if one came behind many large ones
	for range 3 {
		commit(large)
		written += large
		require.Equal(t, written, size(t, mem, "000001.log"), "large commits pay for their own growth")
		commit(100)
		written += 100
		require.Equal(t, written, size(t, mem, "000001.log"), "and small ones among them too")
	}
	for size(t, mem, "000001.log") == written {
		commit(100)
		written += 100
		require.Less(t, written, int64(10*large), "there are zeros ahead of small ones")
	}
	grown := size(t, mem, "000001.log")
	require.Equal(t, written+zeroStep, grown)
	for range 3 {
		commit(100)
		require.Equal(t, grown, size(t, mem, "000001.log"), "and the next do not make the file grow")
	}
	require.Equal(t, commits, syncs, "every sync is told")

	require.NoError(t, fs.Rename("000001.log", "archive/000001.log"))
	_, err = mem.Stat("000001.log")
	require.Error(t, err)
	require.Equal(t, grown, size(t, mem, spareName), "one old file is kept")
	g, err := fs.Create("000002.log", "")
	require.NoError(t, err)
	require.Equal(t, grown, size(t, mem, "000002.log"), "and is the next one")
	require.NoError(t, g.Close())
	another, err := fs.Create("000004.log", "")
	require.NoError(t, err)
	require.NoError(t, another.Close())
	require.Zero(t, size(t, mem, "000004.log"))
	require.NoError(t, fs.Rename("000002.log", "archive/000002.log"))
	require.NoError(t, fs.Rename("000004.log", "archive/000004.log"))
	_, err = mem.Stat("000004.log")
	require.Error(t, err, "but no second one")
	require.Equal(t, grown, size(t, mem, spareName))

	huge, err := fs.Create("000005.log", "")
	require.NoError(t, err)
	_, err = huge.Write(make([]byte, memTable+zeroStep+1))
	require.NoError(t, err)
	require.NoError(t, huge.Close())
	require.NoError(t, fs.Rename("000005.log", "archive/000005.log"))
	_, err = mem.Stat(spareName)
	require.Error(t, err, "nor one that a huge commit has made larger than a memtable")

	h, err := fs.Create("000003.sst", "")
	require.NoError(t, err)
	_, wal := h.(*walFile)
	require.False(t, wal, "other files are left alone")
	require.NoError(t, h.Close())
	require.NoError(t, fs.Rename("000003.sst", "archive/000003.sst"))
	_, err = mem.Stat("000003.sst")
	require.Error(t, err, "the archive keeps nothing else")
}

// lateReuse does something before a file is used again.
type lateReuse struct {
	vfs.FS
	before func()
}

func (fs lateReuse) ReuseForWrite(from, to string, c vfs.DiskWriteCategory) (vfs.File, error) {
	fs.before()
	return fs.FS.ReuseForWrite(from, to, c)
}

// A file that is retired must not take the spare's name while that one is about to be
// used again: the spare would be lost, and the next WAL file could not be made.
func TestAFileRetiresWhileTheSpareIsUsedAgain(t *testing.T) {
	var fs *walFS
	retired := false
	retire := func(name string) { require.NoError(t, fs.Rename(name, "archive/"+name)) }
	create := func(name string) {
		f, err := fs.Create(name, "")
		require.NoError(t, err)
		require.NoError(t, f.Close())
	}
	fs = newWALFS(lateReuse{vfs.NewMem(), func() {
		if !retired && fs.mu.TryLock() { // else it has to wait
			fs.mu.Unlock()
			retire("000002.log")
			retired = true
		}
	}}, false, 0, nil)
	create("000001.log")
	create("000002.log")
	retire("000001.log")
	create("000003.log")
	create("000004.log")
}

// slowRemove does something before a file is deleted.
type slowRemove struct {
	vfs.FS
	before func()
}

func (fs slowRemove) Remove(name string) error {
	fs.before()
	return fs.FS.Remove(name)
}

// A WAL file can be made while a table is deleted, or commits wait for that.
func TestWALFilesComeWhileATableGoes(t *testing.T) {
	var fs *walFS
	fs = newWALFS(slowRemove{vfs.NewMem(), func() {
		require.True(t, fs.mu.TryLock(), "or Create waits for the deletion")
		fs.mu.Unlock()
	}}, false, 0, nil)
	f, err := fs.Create("000001.sst", "")
	require.NoError(t, err)
	require.NoError(t, f.Close())
	require.NoError(t, fs.Rename("000001.sst", "archive/000001.sst"))
}

func TestLazySyncs(t *testing.T) {
	var syncs atomic.Int64
	counting := errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpFileSyncData {
			syncs.Add(1)
		}
		return nil
	})
	fs := newWALFS(errorfs.Wrap(vfs.NewMem(), counting), true, 0, nil)
	f, err := fs.Create("000001.log", "")
	require.NoError(t, err)
	for range 10 {
		_, err = f.Write([]byte("x"))
		require.NoError(t, err)
		require.NoError(t, f.SyncData())
	}
	require.Zero(t, syncs.Load(), "a sync is only a promise")
	require.NoError(t, fs.syncAll())
	require.NoError(t, fs.syncAll())
	require.EqualValues(t, 1, syncs.Load(), "kept once")
	require.NoError(t, f.SyncData())
	require.NoError(t, f.Close())
	require.EqualValues(t, 2, syncs.Load(), "a closed file is durable")
	require.Empty(t, fs.open)
}

// TestAPowerCutWithDurabilityOSOpens: what the kernel wrote out of order in
// the last second is cut off, and only that. The same damage in a store that
// promised fsync is corruption.
func TestAPowerCutWithDurabilityOSOpens(t *testing.T) {
	damagedOpens, cuts := 0, 0
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 3))
		o := memOptions()
		o.Durability = OS
		r := newRig(t, o)
		r.declare(1)
		for i := range 60 {
			r.do(func(b *queue.PackBuilder) { b.Enqueue(1, 0, 0, make([]byte, 5000)) })
			if i == 20 {
				require.NoError(t, r.store.fs.syncAll()) // what the ticker does
			}
		}
		fs := o.FS.(*crashfs.FS).Crash(vfs.CrashCloneCfg{UnsyncedDataPercent: 50, RNG: rng})
		r.close()

		withoutNote := fs.Crash(vfs.CrashCloneCfg{})
		require.NoError(t, withoutNote.Remove(withoutNote.PathJoin(o.Dir, lazyNote)))
		strict := &rig{t: t, opts: memOptions()}
		strict.opts.FS = withoutNote
		var damaged *CorruptionError
		if err := strict.tryOpen(); errors.As(err, &damaged) {
			damagedOpens++
		} else {
			require.NoError(t, err)
			strict.close()
		}

		r.opts.FS = fs
		r.open()
		have := len(r.all(1, 100))
		require.GreaterOrEqual(t, have, 21, "what was synced is there")
		if have < 60 {
			cuts++
		}
		r.close()
		_, err := fs.Stat(fs.PathJoin(o.Dir, lazyNote))
		require.NoError(t, err)
	}
	require.NotZero(t, damagedOpens, "the test makes holes")
	require.NotZero(t, cuts)
}

func TestTheNoteGoesWithDurabilityFsync(t *testing.T) {
	o := memOptions()
	o.Durability = OS
	r := newRig(t, o)
	r.close()
	r.opts.Durability = Fsync
	r.open()
	_, err := o.FS.Stat(o.FS.PathJoin(o.Dir, lazyNote))
	require.Error(t, err)
	r.close()
}
