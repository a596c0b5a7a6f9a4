package cluster

import (
	"io"
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"

	"entrepot/journal"
)

// The leader's fsync and the followers' go on at the same time.
func TestEntriesTravelWhileTheyAreWritten(t *testing.T) {
	inWorld(t, 3, func(w *groupWorld) {
		w.quiet = true
		const fsync = 20 * time.Millisecond
		l, rec := w.leader(), newRecorder()
		sendSome(l, rec, 1, 10) // the pipelines are open
		for _, m := range w.nodes {
			m.log.weather(func([]journal.Entry) error { <-time.After(fsync); return nil })
		}
		for i := range 10 {
			took := sendSome(l, rec, 11+i, 1)
			require.GreaterOrEqual(t, took, fsync, "it is written here")
			require.Less(t, took, fsync+5*time.Millisecond, "two ways of 1 ms and one fsync, not two")
		}
		allAccepted(t, rec)
		require.Len(t, w.settle(), 20)
	})
}

// What followers have and the leader could not write is decided by whoever leads next.
func TestTheLeadersWriteFailsWhileTheEntryTravels(t *testing.T) {
	inWorld(t, 3, func(w *groupWorld) {
		w.quiet = true
		l, rec := w.leader(), newRecorder()
		sendSome(l, rec, 1, 10)
		l.log.weather(func([]journal.Entry) error {
			<-time.After(20 * time.Millisecond) // the followers have it by then
			return io.ErrShortWrite
		})
		rec.enqueue(l.Batcher(), 11, "payload 11")
		eventually(t, "it gives the lead up", func() bool { return !l.Leader() })
		w.kill(l.id)
		rec.left.Wait()
		next := w.leader()
		sendSome(next, rec, 12, 5)
		l.log.weather(nil)
		w.start(l.id, nil)
		applied := w.settle()
		require.Equal(t, len(applied), len(slices.Compact(slices.Sorted(slices.Values(applied)))), "nothing twice")
		require.Contains(t, []int{15, 16}, len(applied), "its sender was told that it can't be known")
		for token, err := range rec.errs(t) {
			require.True(t, err == nil || token == 11, "%d: %v", token, err)
		}
	})
}

// A follower may have an entry that the leader has yet to write. If its pipeline breaks
// just then, Raft goes on behind that entry, and asks the leader's log for it. It must not
// take it for one that is gone: it would feed the follower with a snapshot, and the
// follower would throw away the entries behind that, for which it was counted.
func TestAPipelineBreaksWhileTheLeaderWrites(t *testing.T) {
	for name, result := range map[string]error{"the write succeeds": nil, "the write fails": io.ErrShortWrite} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, 3, func(w *groupWorld) {
				w.quiet = true
				l, rec := w.leader(), newRecorder()
				fill(l, rec, 0, 100)
				w.saveAll()
				fill(l, rec, 100, 50)
				l.log.weather(func([]journal.Entry) error { <-time.After(4 * time.Second); return result })
				rec.enqueue(l.Batcher(), 150, "payload 150")
				<-time.After(20 * time.Millisecond) // the followers have it
				f := w.follower()
				w.net.Block(l.id, f.id)
				w.net.Cut(l.id, f.id)
				<-time.After(2 * time.Second) // Raft has noticed
				w.net.Heal()
				<-time.After(3 * time.Second) // it is written, or not
				l.log.weather(nil)
				require.GreaterOrEqual(t, f.log.Last(), uint64(151), "nothing was taken from it")
				if result != nil {
					w.kill(l.id)
					w.start(l.id, nil)
				}
				rec.left.Wait()
				require.Contains(t, []int{150, 151}, len(w.settle()))
				for _, m := range w.nodes {
					require.Zero(t, m.Stats().StreamsTaken, "%s has all that it needs in its log", m.id)
				}
			}, shortLog)
		})
	}
}

func TestWhatAPipelineHasNotSent(t *testing.T) {
	entries := func(from, to uint64) (all []*raft.Log) {
		for i := from; i <= to; i++ {
			all = append(all, &raft.Log{Index: i, Term: 3})
		}
		return all
	}
	request := func(from, to uint64) *raft.AppendEntriesRequest {
		return &raft.AppendEntriesRequest{Term: 5, PrevLogEntry: from - 1, PrevLogTerm: 3, LeaderCommitIndex: 9, Entries: entries(from, to)}
	}
	var s sentSoFar
	require.Equal(t, request(11, 12), s.news(request(11, 12)), "nothing was sent")
	s.note(request(11, 12))
	require.Equal(t, sentSoFar{term: 5, last: 12, lastTerm: 3, commit: 9}, s)
	require.Equal(t, request(13, 14), s.news(request(13, 14)))
	require.Equal(t, request(13, 13), s.news(request(11, 13)))
	for _, known := range []*raft.AppendEntriesRequest{request(11, 12), request(11, 11), request(12, 12)} {
		got := s.news(known)
		require.Empty(t, got.Entries)
		require.EqualValues(t, 12, got.PrevLogEntry)
	}
	s.term = 4 // another leader's, or none
	require.Equal(t, request(11, 12), s.news(request(11, 12)))
}
