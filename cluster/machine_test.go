package cluster

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

// An FSM that can't go on ends the group as a disk does that fails: in order.
func TestAnEntryThatCannotBeAppliedStopsTheGroup(t *testing.T) {
	l, fsm := newMemLog(), &listFSM{}
	cfg := testConfig(t, fsm)
	fatal := make(chan error, 2)
	cfg.OnFatal = func(err error) { fatal <- err }
	g, w := lead(t, cfg, l), newRecorder()
	w.enqueue(g.Batcher(), 1, "good")
	w.left.Wait()
	broken := errors.New("no room for one more")
	fsm.mu.Lock()
	fsm.broken = broken
	fsm.mu.Unlock()
	for token := range uint64(2 * fewRecords) { // a pack big enough to hold the next one back
		w.add(g.Batcher(), 2+token, "bad")
		g.Batcher().EndMore()
	}
	g.Batcher().Flush()
	w.left.Wait()
	require.ErrorIs(t, <-fatal, broken)
	for token := range uint64(2 * fewRecords) {
		require.Equal(t, ErrUnknownOutcome, w.errs(t)[2+token], "it is in the log, and may be applied after a restart")
	}
	w.enqueue(g.Batcher(), 99, "after")
	w.left.Wait()
	require.Equal(t, ErrStopped, w.errs(t)[99])
	stop(t, g)
	require.Empty(t, fatal, "told once")
	require.Equal(t, []string{"good"}, fsm.payloads(), "nothing is applied behind it")

	// The next process finds it in the log.
	again := &listFSM{}
	cfg.FSM, cfg.OnFatal = again, nil
	g = lead(t, cfg, l)
	require.Len(t, again.payloads(), 1+2*fewRecords)
	stop(t, g)
}

func TestReplayThatFailsIsAnErrorOfStart(t *testing.T) {
	l, fsm := newMemLog(), &listFSM{}
	cfg := testConfig(t, fsm)
	cfg.SnapshotEntries = 1
	g, w := lead(t, cfg, l), newRecorder()
	w.enqueue(g.Batcher(), 1, "one")
	w.left.Wait()
	require.NoError(t, g.raft.Snapshot().Error())
	stop(t, g)
	cfg.FSM = &listFSM{broken: errors.New("can't be read")}
	_, err := open(cfg, l, memMarks{l})
	require.ErrorContains(t, err, "can't be read")
}
