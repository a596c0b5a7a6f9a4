package journaltest_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"entrepot/journal"
	"entrepot/journal/journaltest"
)

// open mounts the disk and gives its log.
func open(t *testing.T, d *journaltest.Disk) (*journal.Store, *journal.Log) {
	t.Helper()
	s, err := journal.Open(journal.Options{Dir: "journal", FS: d.FS(), MemTableBytes: 1 << 20})
	require.NoError(t, err)
	l, err := s.Log(0)
	require.NoError(t, err)
	return s, l
}

func appendOne(l *journal.Log) error {
	return l.Append([]journal.Entry{{Index: l.Last() + 1, Term: 1, Type: 1, Data: []byte("data")}})
}

func TestCrashKeepsWhatWasSynced(t *testing.T) {
	for percent := range 3 {
		synctest.Test(t, func(t *testing.T) {
			d := journaltest.NewDisk(1)
			s, l := open(t, d)
			for range 100 {
				require.NoError(t, appendOne(l))
			}
			d.Crash(percent * 50)
			require.NoError(t, appendOne(l), "a ghost does not notice")
			require.NoError(t, s.Close())
			s, l = open(t, d)
			require.EqualValues(t, 100, l.Last())
			require.NoError(t, s.Close())
		})
	}
}

func TestForgottenSyncsAreLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := journaltest.NewDisk(1)
		s, l := open(t, d)
		require.NoError(t, appendOne(l))
		d.Break(journaltest.ForgetSyncs)
		for range 10 {
			require.NoError(t, appendOne(l))
		}
		d.Crash(0)
		require.NoError(t, s.Close())
		s, l = open(t, d)
		require.EqualValues(t, 1, l.Last())
		require.NoError(t, s.Close())
	})
}

func TestSlowAndFrozen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := journaltest.NewDisk(1)
		s, l := open(t, d)
		d.Slow(time.Second)
		start := time.Now()
		require.NoError(t, appendOne(l))
		require.Equal(t, time.Second, time.Since(start))
		d.Freeze()
		time.AfterFunc(time.Minute, d.Thaw)
		require.NoError(t, appendOne(l))
		require.Equal(t, time.Minute+time.Second, time.Since(start))
		require.NoError(t, s.Close())
	})
}

// A store that failed leaves no goroutine behind, or the bubble would not end.
func TestFailingDisk(t *testing.T) {
	for _, how := range []journaltest.Fault{journaltest.FailSyncs, journaltest.FailWrites} {
		synctest.Test(t, func(t *testing.T) {
			d := journaltest.NewDisk(1)
			s, l := open(t, d)
			require.NoError(t, appendOne(l))
			d.Break(how)
			require.Error(t, appendOne(l))
			d.Crash(0)
			require.Error(t, s.Close())
			s, l = open(t, d)
			require.EqualValues(t, 1, l.Last())
			require.NoError(t, s.Close())
		})
	}
}
