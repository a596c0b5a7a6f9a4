package cluster

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// shortLog makes the log of every node forget soon, so that who was away needs a
// stream.
func shortLog(cfg *Config) { cfg.SnapshotEntries, cfg.TrailingLogs = 20, 4 }

// forget makes a running node's state durable, so that its log can be cut off.
func (w *groupWorld) saveAll() {
	for _, m := range w.nodes {
		m.fsm.save()
	}
}

// fill sends records, one pack each.
func fill(m *groupMember, rec *recorder, from, n int) {
	for i := range n {
		rec.enqueue(m.Batcher(), uint64(from+i), fmt.Sprintf("fill-%06d", from+i))
		rec.left.Wait()
	}
}

// eventually waits, in a bubble, until f says yes.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for range 3000 {
		if f() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal(what)
}

func TestAnEmptyNodeIsFedAndVotes(t *testing.T) {
	inWorld(t, 3, func(w *groupWorld) {
		w.quiet = true
		ctx := context.Background()
		l, rec := w.leader(), newRecorder()
		fill(l, rec, 0, 100)
		w.saveAll()
		fill(l, rec, 100, 50)
		require.Greater(t, l.Stats().FirstIndex, uint64(90), "the beginning is gone")
		busy := w.load(w.follower())

		l.fsm.perByte = time.Millisecond // some seconds in all
		w.start("n4", nil)
		require.ErrorIs(t, w.follower().AddNonvoter(ctx, "n4"), ErrNotLeader)
		require.NoError(t, l.AddNonvoter(ctx, "n4"))
		follower := func() FollowerStat {
			for _, f := range l.Stats().Followers {
				if f.ID == "n4" {
					return f
				}
			}
			return FollowerStat{}
		}
		eventually(t, "a stream begins", func() bool { return follower().StreamedBytes > 0 })
		f := follower()
		require.True(t, f.Streaming && !f.Voter && f.StreamedBytes < f.StreamBytes && f.LagEntries > 0 && f.LagBytes > 0, "%+v", f)
		eventually(t, "the stream ends", func() bool { return !follower().Streaming })
		eventually(t, "it catches up by the log", func() bool { return follower().LagEntries < 5 })
		require.Equal(t, 1, w.nodes["n4"].fsm.commits, "one stream was enough: the log stayed for what came after it")
		require.NoError(t, l.Promote(ctx, "n4"))
		require.Equal(t, 4, l.Stats().Voters)
		busy.end()
		busy.rec.left.Wait()
		busy.check(t, w.settle())
		require.Equal(t, l.Servers(), w.nodes["n4"].Servers())

		w.kill("n4") // it comes back with what it was fed with
		w.start("n4", nil)
		fill(l, rec, 150, 10)
		w.settle()
		require.Equal(t, 1, w.nodes["n4"].fsm.commits)
	}, shortLog)
}

// Either end of a stream may die in the middle of it: nothing is half restored, and it
// starts again.
func TestStreamsThatBreakOff(t *testing.T) {
	inWorld(t, 3, func(w *groupWorld) {
		w.quiet = true
		ctx := context.Background()
		l, rec := w.leader(), newRecorder()
		fill(l, rec, 0, 100)
		w.saveAll()
		fill(l, rec, 100, 50)
		for _, m := range w.nodes {
			m.fsm.perByte = time.Millisecond
		}
		w.start("n4", nil)
		require.NoError(t, l.AddNonvoter(ctx, "n4"))
		streaming := func() bool {
			for _, f := range w.leader().Stats().Followers {
				if f.ID == "n4" && f.StreamedBytes > 500 {
					return true
				}
			}
			return false
		}
		eventually(t, "a stream begins", streaming)
		w.kill("n4")
		require.Empty(t, w.nodes["n4"].fsm.payloads())
		w.start("n4", nil)
		time.Sleep(time.Second)
		eventually(t, "another one begins", streaming)
		w.kill(l.id)
		require.Empty(t, w.nodes["n4"].fsm.payloads())
		eventually(t, "a third one, from the next leader", streaming)
		w.start(l.id, nil)
		require.Len(t, w.settle(), 150)
		require.Equal(t, 1, w.nodes["n4"].fsm.commits)
	}, shortLog)
}

// A node that was away for longer than the log reaches back is fed; what it had sent
// and not heard of before is told as far as it can be known.
func TestAFedNodeTellsWhatItSent(t *testing.T) {
	inWorld(t, 3, func(w *groupWorld) {
		w.quiet = true
		f, l, rec := w.follower(), w.leader(), newRecorder()
		w.net.Block(l.id, f.id) // it hears nothing, and what it says arrives
		fill(l, rec, 0, 50)     // more than is offered to it when it is back
		other := newRecorder()
		other.enqueue(f.Batcher(), 1, "sent, unheard of")
		time.Sleep(50 * time.Millisecond)
		w.net.Partition([]string{f.id}, w.ids)
		w.net.Cut(l.id, f.id)
		fill(l, rec, 50, 50)
		w.saveAll()
		fill(l, rec, 100, 50)
		w.net.Heal()
		all := w.settle()
		require.Equal(t, 1, f.fsm.commits)
		other.left.Wait()
		require.Equal(t, "sent, unheard of", all[50])
		require.Equal(t, ErrUnknownOutcome, other.errs(t)[1], "it was applied, but with which reply?")
		fill(f, rec, 150, 10)
		require.Len(t, w.settle(), 161)
	}, shortLog)
}

// A crash between the new state and its mark is made good at the next start.
func TestACrashInTheMiddleOfARestore(t *testing.T) {
	l, fsm := newMemLog(), &listFSM{}
	cfg := testConfig(t, fsm)
	g, w := lead(t, cfg, l), newRecorder()
	for i := range 10 {
		w.enqueue(g.Batcher(), uint64(i), fmt.Sprint(i))
		w.left.Wait()
	}
	snaps, err := g.snaps.Create(1, 1000, 1, g.raft.GetConfiguration().Configuration(), 1, nil)
	require.NoError(t, err)
	meta := snaps.(*sink).meta
	stop(t, g)
	for _, c := range []struct {
		k     uint64
		index uint64
		why   string
	}{
		{5, 0, "Commit never was: the log is as it was"},
		{1000, 1000, "the state is the stream's: so is the mark, and the log is empty"},
	} {
		require.NoError(t, g.snaps.write(restoreMark, &meta))
		require.NoError(t, g.snaps.settleRestore(c.k))
		m, err := g.snaps.latest()
		require.NoError(t, err)
		if c.index == 0 {
			require.Nil(t, m, c.why)
			require.NotZero(t, l.Last(), c.why)
		} else {
			require.EqualValues(t, c.index, m.Index, c.why)
			require.Zero(t, l.Last(), c.why)
		}
	}
}

func TestMembersComeAndGo(t *testing.T) {
	inWorld(t, 1, func(w *groupWorld) {
		w.quiet = true
		ctx := context.Background()
		l := w.leader()
		busy := w.load(l)
		for _, id := range []string{"n2", "n3"} {
			w.start(id, nil)
			require.NoError(t, l.AddNonvoter(ctx, id))
			eventually(t, "it catches up", func() bool {
				for _, f := range l.Stats().Followers {
					if f.ID == id {
						return f.Match > 0 && f.LagEntries < 10
					}
				}
				return false
			})
			require.NoError(t, l.Promote(ctx, id))
			require.NoError(t, l.Promote(ctx, id), "again changes nothing")
		}
		require.True(t, l.LeaseValid(time.Now()))
		require.Len(t, l.Servers(), 3)
		require.Error(t, l.Transfer(ctx, "n9"))
		require.True(t, l.Leader())
		require.NoError(t, l.Transfer(ctx, "n2"))
		n2 := w.nodes["n2"]
		eventually(t, "n2 leads", n2.Leader)
		require.NoError(t, n2.Demote(ctx, "n1"))
		require.NoError(t, n2.Remove(ctx, "n1"))
		busy.end()
		busy.rec.left.Wait() // a node that was removed still knows the way
		busy.check(t, n2.fsm.payloads())
		w.kill("n1")
		delete(w.nodes, "n1")
		require.NoError(t, n2.Remove(ctx, "n2"), "the leader itself")
		n3 := w.nodes["n3"]
		eventually(t, "n3 leads alone", n3.Leader)
		require.Equal(t, []Server{{"n3", true}}, n3.Servers())
		require.True(t, n3.LeaseValid(time.Now()))
	})
}
