package crashfs_test

import (
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"entrepot/journal/journaltest/crashfs"
)

// Crashes come at any moment: also in the midst of what Pebble's own file system
// cannot bear one in. (MemFS by itself stands still here.)
func TestCrashesComeAtAnyMoment(t *testing.T) {
	fs := crashfs.New()
	f, err := fs.Create("file", vfs.WriteCategoryUnspecified)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	var left atomic.Int32
	for i := range 4 {
		left.Add(1)
		go func() {
			defer left.Add(-1)
			for range 1000 {
				if err := lockLinkReuse(fs, fmt.Sprint(i)); err != nil {
					t.Error(err)
					return
				}
			}
		}()
	}
	for left.Load() > 0 {
		fs.Crash(vfs.CrashCloneCfg{})
	}
}

func lockLinkReuse(fs vfs.FS, name string) error {
	l, err := fs.Lock("lock-" + name)
	if err != nil {
		return err
	}
	if err := l.Close(); err != nil {
		return err
	}
	if err := fs.Link("file", name); err != nil {
		return err
	}
	f, err := fs.ReuseForWrite(name, "again-"+name, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return fs.Remove("again-" + name)
}

// What was synced is there after a crash, in the directory too; the rest is not.
func TestACrashKeepsWhatWasSynced(t *testing.T) {
	fs := crashfs.New()
	dir, err := fs.OpenDir("/")
	require.NoError(t, err)
	write := func(name string, sync bool) {
		f, err := fs.Create(name, vfs.WriteCategoryUnspecified)
		require.NoError(t, err)
		_, err = f.Write([]byte("word"))
		require.NoError(t, err)
		if sync {
			require.NoError(t, f.Sync())
			require.NoError(t, dir.Sync())
		}
		require.NoError(t, f.Close())
	}
	write("kept", true)
	write("lost", false)
	left, err := fs.Crash(vfs.CrashCloneCfg{}).List("/")
	require.NoError(t, err)
	require.Equal(t, []string{"kept"}, left)
	all, err := fs.Crash(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 1))}).List("/")
	require.NoError(t, err)
	require.ElementsMatch(t, []string{"kept", "lost"}, all)
}
