package journal

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"
)

// After the opening compactions leave the machine to those who wait for the restart.
func TestCompactionsWaitAfterTheOpening(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, memOptions())
		defer r.close()
		n := 0
		flush := func() {
			r.do(declares(fmt.Sprintf("a-%d", n), fmt.Sprintf("z-%d", n))) // tables overlap
			n++
			r.flush()
			require.NoError(t, r.store.db.pebble.Flush())
			synctest.Wait()
		}
		compactions := func() int64 { return r.store.db.pebble.Metrics().Compact.Count }
		for range 8 {
			flush()
		}
		require.Zero(t, compactions(), "level 0 is deep enough, but it is too early")
		<-time.After(compactionsWait)
		synctest.Wait()
		require.NotZero(t, compactions(), "nobody has to write anything for it to begin")
		first := compactions()
		for range 8 {
			flush()
		}
		require.Greater(t, compactions(), first, "from now on they come with the flushes")
	})
}

// A level 0 that grows on and on is not left alone, however early it is.
func TestUrgentCompactionsDoNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, memOptions())
		defer r.close()
		begin := time.Now()
		for n := 0; r.store.db.pebble.Metrics().Compact.Count == 0; n++ {
			require.Less(t, n, r.store.pebble.L0StopWritesThreshold, "here writes would stop")
			r.do(declares(fmt.Sprintf("a-%d", n), fmt.Sprintf("z-%d", n)))
			r.flush()
			require.NoError(t, r.store.db.pebble.Flush())
			synctest.Wait()
		}
		require.Less(t, time.Since(begin), compactionsWait)
	})
}

// A table that cannot be read is tried again, but not without a pause.
func TestCompactionsThatFailPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := memOptions()
		r := newRig(t, o)
		require.NoError(t, r.store.db.pebble.Flush()) // what a start reads has a table of its own
		flushOverlapping(t, r, 1)
		tables, err := r.store.db.pebble.SSTables()
		require.NoError(t, err)
		newest := tables[0][len(tables[0])-1]
		r.close()
		flipByte(t, o.FS, testDir+"/"+newest.FileNum.String()+".sst", 20)
		r = newRig(t, o)
		defer r.close()
		<-time.After(compactionsWait)
		failed := func() int64 { return r.store.db.pebble.Metrics().Compact.FailedCount }
		flushOverlapping(t, r, 8)
		require.EqualValues(t, 1, failed())
		<-time.After(10*compactionsPause + time.Millisecond)
		synctest.Wait()
		require.EqualValues(t, 11, failed())
		require.NoError(t, r.store.failure.get(), "damage is not the store's end")
	})
}

// In a store that has failed compactions look for tables that were kept off the disk. They
// do not take a processor for it until the process ends.
func TestCompactionsOfAFailedStorePause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, memOptions())
		<-time.After(compactionsWait)
		_ = r.store.failure.set(errors.New("the disk is gone"))
		flushOverlapping(t, r, 12)
		<-time.After(10*compactionsPause + time.Millisecond)
		synctest.Wait()
		require.EqualValues(t, 11, r.store.db.pebble.Metrics().Compact.FailedCount)
		require.ErrorContains(t, r.store.Close(), "the disk is gone")
	})
}

// Damage that only Pebble's statistics of a table come across, again and again, is no
// reason to compact less: level 0 would grow until nobody could write.
func TestDamagedStatisticsDoNotKeepCompactionsFromBeginning(t *testing.T) {
	o := memOptions()
	o.Logger = slog.New(slog.DiscardHandler) // Pebble tells of it thousands of times a second
	r := newRig(t, o)
	db := r.store.db.pebble
	require.NoError(t, db.Flush()) // what a start reads has a table of its own
	require.NoError(t, db.Set([]byte("~0a"), make([]byte, 100), nil))
	require.NoError(t, db.Set([]byte("~0z"), make([]byte, 100), nil))
	require.NoError(t, db.Compact(t.Context(), []byte("~0"), []byte("~1"), false))
	tables, err := db.SSTables()
	require.NoError(t, err)
	r.close()
	path := testDir + "/" + tables[6][0].FileNum.String() + ".sst"
	flipByte(t, o.FS, path, int64(indexIn(t, o.FS, path, "rocksdb.")))
	r = newRig(t, o)
	r.store.compactions.mu.Lock()
	r.store.compactions.until = time.Now() // the wait after the opening is another test's
	r.store.compactions.mu.Unlock()
	db = r.store.db.pebble
	for range 2 * r.store.pebble.L0StopWritesThreshold {
		require.NoError(t, db.Set([]byte("~a"), make([]byte, 100), nil))
		require.NoError(t, db.Set([]byte("~z"), make([]byte, 100), nil))
		require.NoError(t, db.Flush())
	}
	require.NotZero(t, db.Metrics().Compact.Count)
	r.close()
}

// What Pebble says over and over fills no log.
func TestComplaintsAreFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		o := memOptions()
		o.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelError}))
		r := newRig(t, o)
		defer r.close()
		for second := range 3 {
			for range 1000 {
				r.store.complain("damaged")
			}
			require.Equal(t, 10*(second+1), bytes.Count(log.Bytes(), []byte("damaged")))
			<-time.After(time.Second)
			synctest.Wait()
		}
	})
}

// indexIn is where text first stands in a file.
func indexIn(t *testing.T, fs vfs.FS, path, text string) int {
	t.Helper()
	at := bytes.Index(readFile(t, fs, path), []byte(text))
	require.Positive(t, at)
	return at
}

// flushOverlapping writes tables of the same keys, which are no shard's.
func flushOverlapping(t *testing.T, r *rig, n int) {
	db := r.store.db.pebble
	for range n {
		require.NoError(t, db.Set([]byte("~a"), make([]byte, 100), nil))
		require.NoError(t, db.Set([]byte("~z"), make([]byte, 100), nil))
		require.NoError(t, db.Flush())
		synctest.Wait()
	}
}
