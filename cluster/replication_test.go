package cluster

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"
)

func TestAFollowersRecordsGoToTheLeader(t *testing.T) {
	inWorld(t, 3, func(w *groupWorld) {
		l := w.leader()
		f := w.follower()
		rec := newRecorder()
		var want []string
		for i := range 50 {
			want = append(want, fmt.Sprint("m", i))
			rec.enqueue(f.Batcher(), uint64(i), want[i])
		}
		rec.left.Wait()
		for i, err := range rec.errs(t) {
			require.NoError(t, err)
			require.EqualValues(t, i+1, rec.told[i][0].result.Seq, "the reply is the leader's")
		}
		require.Equal(t, want, l.fsm.payloads())
		require.Equal(t, want, w.settle())
	})
}

func TestAnotherLeaderTakesOver(t *testing.T) {
	inWorld(t, 3, func(w *groupWorld) {
		rec := newRecorder()
		f := w.follower()
		for i := range 10 {
			rec.enqueue(f.Batcher(), uint64(i), fmt.Sprint("before", i))
		}
		rec.left.Wait()
		old := w.leader()
		w.kill(old.id)
		began := time.Now()
		for i := range 10 {
			rec.enqueue(f.Batcher(), uint64(100+i), fmt.Sprint("after", i))
		}
		rec.left.Wait()
		t.Log("took", time.Since(began))
		require.Less(t, time.Since(began), 3*time.Second+500*time.Millisecond)
		for _, err := range rec.errs(t) {
			require.NoError(t, err)
		}
		w.start(old.id, nil)
		require.Len(t, w.settle(), 20)
	})
}

func TestTransferFailsNobody(t *testing.T) {
	inWorld(t, 3, func(w *groupWorld) {
		w.leader()
		rec := newRecorder()
		end := make(chan bool)
		sent := map[string]int{}
		for _, id := range w.ids {
			go func() {
				m, n := w.nodes[id], 0
				for i := range 2000 {
					rec.enqueue(m.Batcher(), uint64(1e6*float64(id[1]))+uint64(i), fmt.Sprint(id, "-", i))
					n++
					time.Sleep(time.Millisecond)
				}
				end <- true
			}()
			sent[id] = 2000
		}
		var longest time.Duration
		for range 5 {
			time.Sleep(300 * time.Millisecond)
			l := w.leader()
			began := time.Now()
			require.NoError(t, l.Transfer(context.Background(), ""))
			require.False(t, l.LeaseValid(time.Now()))
			w.leader()
			longest = max(longest, time.Since(began))
		}
		t.Log("longest", longest)
		for range w.ids {
			<-end
		}
		rec.left.Wait()
		for _, err := range rec.errs(t) {
			require.NoError(t, err)
		}
		require.Len(t, w.settle(), 6000)
		require.Less(t, longest, 300*time.Millisecond)
	})
}

// While it waits for a successor's log Raft sends it empty requests without a pause. They
// would overtake the reader of the answers.
func TestAPipelineSaysNothingTwice(t *testing.T) {
	inWorld(t, 3, func(w *groupWorld) {
		l := w.leader()
		to := w.follower().id
		w.net.Block(to, l.id) // no answer comes
		p := newPipeline(l.peers, to)
		defer p.Close()
		ask := func(commit uint64, entries ...*raft.Log) {
			_, err := p.AppendEntries(&raft.AppendEntriesRequest{
				Term: l.Stats().Term, PrevLogEntry: l.Stats().LastIndex, LeaderCommitIndex: commit, Entries: entries,
			}, new(raft.AppendEntriesResponse))
			require.NoError(t, err)
		}
		ask(1)
		for range 1000 {
			ask(1)
		}
		require.Len(t, p.room, 1)
		ask(2)
		require.Len(t, p.room, 2, "the commit index is news")
		p.fail(errTimeout)
		_, err := p.AppendEntries(&raft.AppendEntriesRequest{LeaderCommitIndex: 2}, new(raft.AppendEntriesResponse))
		require.ErrorIs(t, err, errTimeout, "or Raft would never send again what was lost")
	})
}
