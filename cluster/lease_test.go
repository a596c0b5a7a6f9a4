package cluster

import (
	"slices"
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

// Of five nodes one stays in touch with a leader that the three others have left. Their
// new leader may have been out of touch with the old one for long; it waits for that
// node all the same before it delivers.
func TestNobodyDeliversForTwoLeaders(t *testing.T) {
	for range 12 { // who is elected is Raft's choice
		inWorld(t, 5, func(w *groupWorld) {
			old := w.leader()
			term := old.lease.Load()
			var rest []string
			for _, id := range w.ids {
				if id != old.id {
					rest = append(rest, id)
				}
			}
			loyal := w.nodes[rest[3]]
			w.net.Partition([]string{old.id}, rest[:1])
			<-time.After(5 * time.Second)
			require.True(t, old.LeaseValid(time.Now()), "it has a majority")
			w.net.Partition([]string{old.id, loyal.id}, rest[:3])
			for _, id := range rest[1:3] {
				w.net.Cut(old.id, id) // they look for another leader at once
			}
			cut := time.Now()
			next := func() bool {
				return slices.ContainsFunc(rest[:3], func(id string) bool { return w.nodes[id].LeaseValid(time.Now()) })
			}
			w.until("the next one delivers", next)
			for _, m := range []*groupMember{old, loyal} {
				require.False(t, m.InTouch(term, time.Now()), "%s, %v after the cut", m.id, time.Since(cut))
			}
		})
	}
}

// A new leader waits for nobody whose lease is over: those of a killed leader's
// consumers that are elsewhere go on as soon as everybody else knows who leads.
func TestNobodyWaitsForAKilledLeader(t *testing.T) {
	inWorld(t, 3, func(w *groupWorld) {
		w.kill(w.leader().id)
		any := func(ok func(m *groupMember) bool) func() bool {
			return func() bool {
				return slices.ContainsFunc(w.ids, func(id string) bool { m := w.nodes[id]; return m.Group != nil && ok(m) })
			}
		}
		w.until("one leads", any(func(m *groupMember) bool { return m.Leader() }))
		elected := time.Now()
		w.until("it delivers", any(func(m *groupMember) bool { return m.LeaseValid(time.Now()) }))
		require.Less(t, time.Since(elected), 20*time.Millisecond)
	})
}
