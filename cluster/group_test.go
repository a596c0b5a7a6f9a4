package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"entrepot/journal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// lead opens a group over l and waits until it leads.
func lead(t testing.TB, cfg Config, l *memLog) *Group {
	t.Helper()
	led := make(chan uint64, 1)
	then := cfg.OnLeader
	cfg.OnLeader = func(leader bool, term uint64) {
		if then != nil {
			then(leader, term)
		}
		if leader {
			led <- term
		}
	}
	g, err := open(cfg, l, memMarks{l})
	require.NoError(t, err)
	<-led
	return g
}

func stop(t testing.TB, g *Group) {
	t.Helper()
	require.NoError(t, g.Stop(context.Background()))
}

func TestOneVoterAppliesAndRestarts(t *testing.T) {
	l, fsm := newMemLog(), &listFSM{}
	cfg := testConfig(t, fsm)
	g, w := lead(t, cfg, l), newRecorder()
	require.True(t, g.Leader())
	var want []string
	for i := range 100 {
		want = append(want, fmt.Sprint("m", i))
		w.enqueue(g.Batcher(), uint64(i), want[i])
	}
	require.NoError(t, g.Barrier(time.Minute))
	w.left.Wait()
	for _, err := range w.errs(t) {
		require.NoError(t, err)
	}
	require.Equal(t, want, fsm.payloads())
	s := g.Stats()
	require.Equal(t, 1, s.Voters)
	require.Equal(t, "n1", s.LeaderID)
	require.EqualValues(t, 100, s.Totals.Records)
	require.Zero(t, s.InFlight)
	stop(t, g)
	stop(t, g) // again is no error

	w.enqueue(g.Batcher(), 1000, "late")
	w.left.Wait()
	require.Equal(t, ErrStopped, w.errs(t)[1000])
	require.Equal(t, ErrStopped, g.Barrier(time.Minute))

	again := &listFSM{}
	cfg.FSM = again
	g = lead(t, cfg, l)
	require.Equal(t, want, again.payloads(), "everything is there before OnLeader says so")
	stop(t, g)
}

func TestRestartElectsAtOnce(t *testing.T) {
	l := newMemLog()
	cfg := testConfig(t, &listFSM{})
	cfg.HeartbeatTimeout, cfg.ElectionTimeout = time.Hour, time.Hour
	// An hour's patience is what the test runs into if the election waits for
	// Raft's timeouts.
	stop(t, lead(t, cfg, l))
	stop(t, lead(t, cfg, l))
}

func TestSnapshotMarksTruncateAndReplay(t *testing.T) {
	l, fsm := newMemLog(), &listFSM{}
	cfg := testConfig(t, fsm)
	cfg.SnapshotEntries, cfg.TrailingLogs = 20, 1
	const k = 37 // what the journal has made durable; the log must keep the rest
	l.keep = func() uint64 { return k }
	g, w := lead(t, cfg, l), newRecorder()
	for i := range 300 {
		w.enqueue(g.Batcher(), uint64(i), fmt.Sprint(i))
		w.left.Wait() // one pack each
	}
	require.Eventually(t, func() bool { return g.Stats().FirstIndex == k+1 }, time.Minute, time.Millisecond)
	mark := g.Stats().SnapshotIndex
	require.Greater(t, mark, uint64(k))
	stop(t, g)

	again := &listFSM{k: k}
	cfg.FSM = again
	g = lead(t, cfg, l)
	require.EqualValues(t, k+1, again.indexes[0], "K+1 comes first: replayed before Raft starts")
	for i, index := range again.indexes[1:] {
		require.Equal(t, again.indexes[i]+1, index, "then the mark and Raft's own part, without a gap")
		if index > mark+20 {
			break // from here on there are entries that are not packs
		}
	}
	require.Equal(t, fsm.payloads()[len(fsm.payloads())-len(again.payloads()):], again.payloads())
	stop(t, g)
}

func TestAFailingDiskStopsTheGroup(t *testing.T) {
	l, fsm := newMemLog(), &listFSM{}
	cfg := testConfig(t, fsm)
	fatal := make(chan error, 2)
	cfg.OnFatal = func(err error) { fatal <- err }
	ledAway := make(chan bool, 4)
	cfg.OnLeader = func(leader bool, _ uint64) { ledAway <- leader }
	broken := errors.New("input/output error")
	g, w := lead(t, cfg, l), newRecorder()
	w.enqueue(g.Batcher(), 1, "good")
	w.left.Wait()
	writes := 0
	l.onAppend = func([]journal.Entry) error { writes++; return broken }
	w.enqueue(g.Batcher(), 2, "bad")
	w.left.Wait()
	require.ErrorIs(t, <-fatal, broken)
	require.Equal(t, ErrUnknownOutcome, w.errs(t)[2], "it may be on the disk")
	require.Equal(t, []bool{true, false}, []bool{<-ledAway, <-ledAway})
	require.False(t, g.Leader())
	w.enqueue(g.Batcher(), 3, "after")
	w.left.Wait()
	require.Equal(t, ErrStopped, w.errs(t)[3])
	stop(t, g)
	require.Equal(t, 1, writes, "a failed write is never tried again")
	require.Empty(t, fatal, "told once")
}

func TestStopFinishesPacksInFlight(t *testing.T) {
	l, fsm := newMemLog(), &listFSM{}
	g, w := lead(t, testConfig(t, fsm), l), newRecorder()
	writing, carryOn := make(chan struct{}), make(chan struct{})
	first := true
	l.onAppend = func([]journal.Entry) error {
		if first {
			first = false
			close(writing)
			<-carryOn
		}
		return nil
	}
	w.enqueue(g.Batcher(), 1, "being written")
	<-writing
	w.enqueue(g.Batcher(), 2, "gathered behind it")
	stopped := make(chan error)
	go func() { stopped <- g.Stop(context.Background()) }()
	close(carryOn)
	require.NoError(t, <-stopped)
	require.Equal(t, map[uint64]error{1: nil, 2: nil}, w.errs(t))
	require.Equal(t, []string{"being written", "gathered behind it"}, fsm.payloads())
}

func TestStopDoesNotWaitForGatheredPacksLongerThanItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, fsm := newMemLog(), &listFSM{}
		g, w := lead(t, testConfig(t, fsm), l), newRecorder()
		l.onAppend = func([]journal.Entry) error { time.Sleep(time.Minute); return nil }
		w.enqueue(g.Batcher(), 1, "a minute on its way to the disk")
		synctest.Wait()
		w.enqueue(g.Batcher(), 2, "gathered")
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		require.ErrorIs(t, g.Stop(ctx), context.DeadlineExceeded)
		require.Equal(t, map[uint64]error{1: ErrUnknownOutcome, 2: ErrStopped}, w.errs(t))
	})
}

func TestDirectoriesThatDoNotBelongTogether(t *testing.T) {
	prepare := func(t *testing.T) (Config, *memLog) {
		l := newMemLog()
		cfg := testConfig(t, &listFSM{})
		stop(t, lead(t, cfg, l))
		return cfg, l
	}
	t.Run("another node's id", func(t *testing.T) {
		cfg, l := prepare(t)
		cfg.NodeID = "n2"
		_, err := open(cfg, l, memMarks{l})
		require.ErrorContains(t, err, "n2")
	})
	t.Run("the term file is lost", func(t *testing.T) {
		cfg, l := prepare(t)
		require.NoError(t, os.Remove(filepath.Join(cfg.Dir, "raft-0.db")))
		_, err := open(cfg, l, memMarks{l})
		require.ErrorContains(t, err, "raft-0.db")
	})
	t.Run("the log is lost", func(t *testing.T) {
		cfg, _ := prepare(t)
		l := newMemLog()
		_, err := open(cfg, l, memMarks{l})
		require.ErrorContains(t, err, "log is empty")
	})
	t.Run("the journal is ahead of its log", func(t *testing.T) {
		cfg, l := prepare(t)
		cfg.FSM = &listFSM{k: 1000}
		_, err := open(cfg, l, memMarks{l})
		require.ErrorContains(t, err, "1000")
	})
	t.Run("the log misses what the journal needs", func(t *testing.T) {
		cfg, l := prepare(t)
		require.NoError(t, memMarks{l}.Set(snapshotMark, appendMark(nil, &raft.SnapshotMeta{Index: 2, Term: 1})))
		require.NoError(t, l.DeleteRange(1, 2))
		_, err := open(cfg, l, memMarks{l})
		require.ErrorContains(t, err, "needs it from 1 on")
	})
}

func TestBootstrapThatWasCutOffIsFinished(t *testing.T) {
	l := newMemLog()
	cfg := testConfig(t, &listFSM{})
	s, err := openStable(&cfg)
	require.NoError(t, err)
	require.NoError(t, s.SetUint64([]byte("CurrentTerm"), 1)) // Raft's first step of two
	require.NoError(t, s.Close())
	stop(t, lead(t, cfg, l))
}

// damaged is a log with one entry that can't be read.
type damaged struct {
	*memLog
	at uint64
}

func (d damaged) Get(index uint64, e *journal.Entry) error {
	if index == d.at {
		return &journal.CorruptionError{Key: fmt.Sprint("L 0 ", index), Reason: "checksum"}
	}
	return d.memLog.Get(index, e)
}

func TestDamageIsReportedWithItsKey(t *testing.T) {
	l := newMemLog()
	cfg := testConfig(t, &listFSM{})
	g, w := lead(t, cfg, l), newRecorder()
	for i := range 10 {
		w.enqueue(g.Batcher(), uint64(i), "m")
		w.left.Wait()
	}
	stop(t, g)
	_, err := open(cfg, damaged{l, 7}, memMarks{l})
	var c *journal.CorruptionError
	require.ErrorAs(t, err, &c, "an error, though Raft panics when it reads such an entry")
	require.Equal(t, "L 0 7", c.Key)
}

// A slow disk and many senders, in virtual time: each commit takes what one
// write takes, and what came meanwhile is one pack.
func TestOneWritePerGatheringInVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, fsm := newMemLog(), &listFSM{}
		g, w := lead(t, testConfig(t, fsm), l), newRecorder()
		l.onAppend = func([]journal.Entry) error { time.Sleep(10 * time.Millisecond); return nil }
		before := g.Stats().LastIndex
		start := time.Now()
		for i := range 100 { // 100 records in 50 ms
			w.enqueue(g.Batcher(), uint64(i), "m")
			time.Sleep(500 * time.Microsecond)
		}
		w.left.Wait()
		require.LessOrEqual(t, time.Since(start), 70*time.Millisecond)
		require.LessOrEqual(t, g.Stats().LastIndex-before, uint64(8), "about one pack per 10 ms")
		stop(t, g)
	})
}

func TestMarkFormat(t *testing.T) {
	m := &raft.SnapshotMeta{Index: 0x0102, Term: 3, ConfigurationIndex: 1, Configuration: raft.Configuration{
		Servers: []raft.Server{{Suffrage: raft.Voter, ID: "n1", Address: "n1"}},
	}}
	b := appendMark(nil, m)
	require.Equal(t, "01"+"0000000000000102"+"0000000000000003"+"0000000000000001", fmt.Sprintf("%x", b[:markFixedLen]))
	got, err := readMark(b)
	require.NoError(t, err)
	require.Equal(t, m.Configuration, got.Configuration)
	require.Equal(t, "3-258", got.ID)
	for n := range b {
		_, err := readMark(b[:n])
		require.Error(t, err, "cut off after %d bytes", n)
	}
	b[0] = 2
	_, err = readMark(b)
	require.ErrorContains(t, err, "version")
}

func TestFollowersHaveNoStreamYet(t *testing.T) {
	_, _, err := (&snapStore{}).Open("1-1")
	require.ErrorIs(t, err, errNoStream)
}
