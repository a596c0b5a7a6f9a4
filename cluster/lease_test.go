package cluster

import (
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"

	"entrepot/cluster/mesh"
)

// What counts is when a message was sent, not when its answer came, and only in this
// term and from those who have a vote.
func TestPromisesCountFromWhenTheyWereAskedFor(t *testing.T) {
	f := newFollowers(func() uint64 { return 10 })
	now := time.Now()
	beat := &raft.AppendEntriesRequest{Term: 3}
	yes := &raft.AppendEntriesResponse{Term: 3, Success: true}
	voters := []Server{{"n1", true}, {"n2", true}, {"n3", true}, {"n4", false}}
	promised := func(term uint64) int { return f.promised(term, voters, now.Add(-500*time.Millisecond)) }

	f.answered("n2", beat, yes, now.Add(-600*time.Millisecond))
	require.Zero(t, promised(3), "it came just now, but was asked for too long ago")
	f.answered("n2", beat, yes, now.Add(-400*time.Millisecond))
	require.Equal(t, 1, promised(3))
	f.answered("n2", beat, yes, now.Add(-450*time.Millisecond))
	require.Equal(t, 1, promised(3), "an older answer that comes later changes nothing")
	f.answered("n4", beat, yes, now)
	require.Equal(t, 1, promised(3), "n4 has no vote to promise")
	f.answered("n3", beat, &raft.AppendEntriesResponse{Term: 3}, now)
	require.Equal(t, 1, promised(3), "n3 has not taken it as the leader's")
	f.answered("n3", beat, &raft.AppendEntriesResponse{Term: 4}, now)
	require.Equal(t, 1, promised(3), "n3 knows of another leader")
	require.Zero(t, promised(4))
	f.answered("n3", &raft.AppendEntriesRequest{Term: 5}, &raft.AppendEntriesResponse{Term: 5, Success: true}, now)
	f.answered("n2", beat, yes, now)
	require.Equal(t, 1, promised(5), "what was promised in an older term is over")
}

// A node that has just started may have promised a leader not to vote, and forgotten.
func TestANodeThatHasJustStartedDoesNotVote(t *testing.T) {
	inWorld(t, 1, func(w *groupWorld) {
		peers := newTransport(&w.nodes["n1"].cfg, nil, newClock(time.Now)) // with nobody who takes its questions
		ask := func(transfer bool) int {
			before := len(peers.consumer)
			peers.asked(mesh.Peer{ID: "n9"}, kindVote, appendVote(appendCall(nil, kindVote, 0, 1), 100, 1<<40, 100, transfer))
			return len(peers.consumer) - before
		}
		require.Zero(t, ask(false))
		time.Sleep(499 * time.Millisecond)
		require.Zero(t, ask(false))
		require.Equal(t, 1, ask(true), "a leader that hands over has given up its lease")
		time.Sleep(2 * time.Millisecond)
		require.Equal(t, 1, ask(false))
	})
}

// The log stays for a follower that is being fed, until it has caught up or gives up.
func TestTheLogStaysForWhoIsFed(t *testing.T) {
	last := uint64(1000)
	f := newFollowers(func() uint64 { return last })
	require.Zero(t, f.keepFrom())
	_, end := f.stream("n2", 3, 500, 1)
	require.EqualValues(t, 500, f.keepFrom())
	end(true)
	require.EqualValues(t, 500, f.keepFrom(), "what comes after the stream is yet to be sent")
	got := func(n uint64) {
		f.answered("n2", &raft.AppendEntriesRequest{Term: 3, PrevLogEntry: n}, &raft.AppendEntriesResponse{Term: 3, Success: true}, time.Now())
	}
	got(700)
	require.EqualValues(t, 700, f.keepFrom())
	got(last - holdSlack)
	require.Zero(t, f.keepFrom())
	_, end = f.stream("n3", 3, 600, 1)
	end(false)
	require.Zero(t, f.keepFrom(), "the next attempt has a newer state")
}
