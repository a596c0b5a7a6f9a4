package cluster

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"
)

// A node that is slow to give up the lead may have it again, and have lost that, before it
// looks. It takes up the last lead only, and none twice: what is said in a term is said to
// one dispatcher.
func TestNoLeadIsTakenUpTwice(t *testing.T) {
	var mu sync.Mutex
	terms := map[string][]uint64{} // in which a node took up the lead
	slow, goOn := "", (chan struct{})(nil)
	inWorld(t, 3, func(w *groupWorld) {
		w.quiet = true
		l, other := w.leader(), w.follower()
		mu.Lock()
		slow, goOn = l.id, make(chan struct{})
		mu.Unlock()
		hand := func(from, to *groupMember) {
			require.NoError(t, from.raft.LeadershipTransferToServer(raft.ServerID(to.id), raft.ServerAddress(to.id)).Error())
			eventually(t, to.id+" leads", func() bool { return to.raft.State() == raft.Leader })
			<-time.After(500 * time.Millisecond) // it has a majority
		}
		for range 3 {
			hand(l, other)
			hand(other, l)
		}
		close(goOn)
		require.Equal(t, l, w.leader())
		mu.Lock()
		defer mu.Unlock()
		require.Equal(t, l.raft.CurrentTerm(), terms[l.id][len(terms[l.id])-1])
		for id, list := range terms {
			require.Equal(t, list, slices.Compact(slices.Sorted(slices.Values(list))), "terms of %s", id)
		}
	}, func(c *Config) {
		c.OnLeader = func(lead bool, term uint64) {
			mu.Lock()
			wait, waits := goOn, !lead && c.NodeID == slow
			if lead {
				terms[c.NodeID] = append(terms[c.NodeID], term)
			}
			mu.Unlock()
			if waits {
				<-wait
			}
		}
	})
}
