package journal

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

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
