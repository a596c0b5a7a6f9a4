package cluster

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"entrepot/journal"
	"entrepot/queue"
)

// form starts nodes and waits until they are one cluster.
func (r *nodeRig) form(ids ...string) {
	r.t.Helper()
	for _, id := range ids {
		r.start(id, peersOf(ids...), nil)
	}
	r.untilReady(ids...)
}

// leader is who leads a shard, in its own opinion, once there is one.
func (r *nodeRig) leader(shard uint16) string {
	r.t.Helper()
	var leader string
	r.until("a shard has a leader", func() bool {
		for id, n := range r.nodes {
			if x := n.replica(shard); x != nil && x.group.Leader() {
				leader = id
				return true
			}
		}
		return false
	})
	return leader
}

// within gives a context that ends after so much virtual time.
func (r *nodeRig) within(d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(r.t.Context(), d)
	r.t.Cleanup(cancel)
	return ctx
}

// load enqueues on a node until stop is called, which gives how many were accepted.
func (r *nodeRig) load(id string, shard uint16) (stop func() int) {
	r.t.Helper()
	n := r.nodes[id]
	ctx, cancel := context.WithCancel(r.t.Context())
	done := make(chan int, 1)
	go func() {
		accepted := 0
		for i := 0; ctx.Err() == nil; i++ {
			err := n.propose(context.WithoutCancel(ctx), shard, func(b *queue.PackBuilder) {
				b.Enqueue(1, 0, 0, fmt.Appendf(nil, "message %d", i))
			})
			if err == nil {
				accepted++
			}
			select {
			case <-time.After(5 * time.Millisecond):
			case <-ctx.Done():
			}
		}
		done <- accepted
	}()
	r.ends = append(r.ends, cancel)
	return func() int { cancel(); return <-done }
}

// declareIn makes queue 1 of a shard.
func (r *nodeRig) declareIn(id string, shard uint16) {
	r.t.Helper()
	require.NoError(r.t, r.nodes[id].propose(r.t.Context(), shard, func(b *queue.PackBuilder) { b.Declare("q", nil) }))
}

// ready counts the messages of a shard on a node.
func (r *nodeRig) ready(id string, shard uint16) int {
	s, err := r.nodes[id].Shard(shard)
	require.NoError(r.t, err)
	return int(s.Totals().Count)
}

func TestALateThirdIsPutOnRecord(t *testing.T) {
	inNodes(t, func(t *testing.T, r *nodeRig) {
		r.start("n1", three, nil)
		r.start("n2", three, nil)
		r.untilReady("n1", "n2")
		require.Empty(t, r.nodes["n1"].current.Load().members["n3"].Data)
		r.start("n3", three, nil)
		r.untilReady("n3")
		r.cluster("n1", "n2", "n3")
		v := r.nodes["n3"].current.Load()
		require.Equal(t, r.nodes["n3"].identity().Data, v.members["n3"].Data)
		require.Len(t, r.nodes["n3"].groups, 3, "as many shards as peers")
		s, err := r.nodes["n3"].Status(t.Context())
		require.NoError(t, err)
		require.Equal(t, HealthOK, s.Health, s.Problems)
		for _, sh := range s.Shards {
			require.Len(t, sh.Replicas, 3)
		}
	})
}

func TestAWipedNodeIsRefused(t *testing.T) {
	inNodes(t, func(t *testing.T, r *nodeRig) {
		r.form("n1", "n2", "n3")
		r.stop("n3")
		r.wipe("n3")
		n := r.start("n3", three, nil)
		r.until("it is refused", func() bool { _, done := n.formError(); return done })
		err, _ := n.formError()
		require.ErrorIs(t, err, ErrRefused)
		require.ErrorContains(t, err, "under a new id")
		r.stop("n3")

		t.Log("also after it was removed and added again")
		require.NoError(t, r.nodes["n1"].Remove(r.within(time.Minute), "n3", RemoveOptions{}, nil))
		n = r.start("n3", three, nil)
		r.until("it is refused", func() bool { _, done := n.formError(); return done })
		err, _ = n.formError()
		require.ErrorIs(t, err, ErrRefused)
	})
}

// A majority that was wiped founds another cluster only if nobody who remembers is
// there; and then the survivor and its data stay out of it.
func TestAWipedMajority(t *testing.T) {
	inNodes(t, func(t *testing.T, r *nodeRig) {
		r.form("n1", "n2", "n3")
		old := r.cluster("n1", "n2", "n3")
		for _, id := range []string{"n1", "n2"} {
			r.stop(id)
			r.wipe(id)
		}
		n1, n2 := r.start("n1", three, nil), r.start("n2", three, nil)
		r.until("both are refused by the one who remembers", func() bool {
			_, a := n1.formError()
			_, b := n2.formError()
			return a && b
		})
		err, _ := n1.formError()
		require.ErrorIs(t, err, ErrRefused)
		r.stop("n1")
		r.stop("n2")
		r.stop("n3")

		r.start("n1", three, nil)
		r.start("n2", three, nil)
		r.untilReady("n1", "n2")
		require.NotEqual(t, old, r.cluster("n1", "n2"))
		n3 := r.start("n3", three, nil)
		r.pass(20 * time.Second)
		require.False(t, n3.replica(0).group.Leader())
		require.Equal(t, old, n3.identity().Char.Cluster, "its data are untouched")
		for _, p := range n3.Mesh().Peers() {
			require.False(t, p.Connected, "nobody talks to it")
		}
		require.Equal(t, HealthDegraded, r.status("n1").Health, "two of three")
		require.Equal(t, HealthUnavailable, r.status("n3").Health)
	})
}

func (r *nodeRig) status(id string) ClusterStatus {
	r.t.Helper()
	s, err := r.nodes[id].Status(r.t.Context())
	require.NoError(r.t, err)
	return s
}

func TestAnAddressChanges(t *testing.T) {
	inNodes(t, func(t *testing.T, r *nodeRig) {
		r.form("n1", "n2", "n3")
		r.stop("n3")
		moved := []Peer{{"n1", nodeAddress("n1")}, {"n2", nodeAddress("n2")}, {"n3", "n3:8000"}}
		r.start("n3", moved, func(c *NodeConfig) { c.Advertise = "n3:8000" })
		r.untilReady("n3")
		r.until("everybody knows", func() bool {
			for _, n := range r.nodes {
				if n.current.Load().members["n3"].Address != "n3:8000" {
					return false
				}
			}
			return true
		})
		r.stop("n1")
		r.start("n1", three, nil) // with the old list
		r.untilReady("n1")
		r.until("they are connected", func() bool { return r.nodes["n1"].steady("n3", 0) && r.nodes["n1"].steady("n2", 0) })
	})
}

// 1 -> 3 -> 5 -> 3 -> 1, while messages are accepted all the time, some sent to a
// node that does not lead.
func TestGrowAndShrinkUnderLoad(t *testing.T) {
	inNodes(t, func(t *testing.T, r *nodeRig) {
		ids := []string{"n1", "n2", "n3", "n4", "n5"}
		r.start("n1", peersOf("n1"), func(c *NodeConfig) { c.Shards = 2 })
		r.untilReady("n1")
		r.declareIn("n1", 1)
		stop := r.load("n1", 1)
		for _, id := range ids[1:] {
			r.start(id, peersOf("n1"), nil)
			r.until(id+" says what it waits for", func() bool { return r.nodes[id].Waiting() != "" })
			var steps []Progress
			require.NoError(t, r.nodes["n1"].Add(r.within(time.Minute), id, nodeAddress(id), func(p Progress) { steps = append(steps, p) }))
			require.NotEmpty(t, steps)
			r.untilReady(id)
		}
		r.pass(time.Second)
		require.Equal(t, HealthOK, r.status("n5").Health, r.status("n5").Problems)
		require.Len(t, r.status("n5").Shards[1].Replicas, 5)
		require.NoError(t, r.nodes["n3"].Rebalance(r.within(time.Minute), nil))
		r.until("each leads its share", func() bool { return r.leader(0) == "n1" && r.leader(1) == "n2" })
		for _, id := range []string{"n2", "n3", "n4", "n5"} {
			n := r.nodes[id]
			require.NoError(t, n.Remove(r.within(time.Minute), id, RemoveOptions{}, nil), "asked of the one that goes")
			r.until("it knows", func() bool { n.mu.Lock(); defer n.mu.Unlock(); return n.fatal != nil })
			require.ErrorIs(t, n.fatal, ErrRefused)
			r.stop(id)
		}
		accepted := stop()
		require.Positive(t, accepted)
		require.Equal(t, accepted, r.ready("n1", 1))
		require.Equal(t, HealthOK, r.status("n1").Health, r.status("n1").Problems)
		require.Len(t, r.status("n1").Nodes, 1)
	})
}

func TestReplaceADeadNodeUnderLoad(t *testing.T) {
	inNodes(t, func(t *testing.T, r *nodeRig) {
		r.form("n1", "n2", "n3")
		r.declareIn("n1", 1)
		stop := r.load("n1", 1)
		r.stop("n3")
		r.wipe("n3")
		r.pass(5 * time.Second)
		require.Equal(t, HealthDegraded, r.status("n1").Health)
		r.start("n4", append(peersOf("n1", "n2"), Peer{"n4", nodeAddress("n4")}), nil)
		require.NoError(t, r.nodes["n2"].Add(r.within(time.Minute), "n4", nodeAddress("n4"), nil))
		require.NoError(t, r.nodes["n2"].Remove(r.within(time.Minute), "n3", RemoveOptions{}, nil))
		r.untilReady("n4")
		accepted := stop()
		r.pass(2 * time.Second)
		require.Equal(t, accepted, r.ready("n4", 1))
		s := r.status("n4")
		require.Equal(t, HealthOK, s.Health, s.Problems)
		require.Len(t, s.Nodes, 3)
	})
}

func TestRemoveKeepsAMajority(t *testing.T) {
	inNodes(t, func(t *testing.T, r *nodeRig) {
		r.form("n1", "n2", "n3")
		r.stop("n3")
		r.pass(5 * time.Second)
		err := r.nodes["n1"].Remove(r.within(time.Minute), "n2", RemoveOptions{}, nil)
		require.ErrorIs(t, err, ErrConflict, "n1 alone would be one of two")
		err = r.nodes["n1"].Drain(r.within(5*time.Second), "n2", nil)
		require.ErrorIs(t, err, ErrUnavailable, "it waits for n3")
		require.NoError(t, r.nodes["n1"].Remove(r.within(time.Minute), "n3", RemoveOptions{}, nil), "the dead one may go")
		err = r.nodes["n1"].Drain(r.within(time.Minute), "n2", nil)
		require.ErrorIs(t, err, ErrConflict, "two of two are needed now")
		require.NoError(t, r.nodes["n1"].Add(r.within(time.Minute), "n2", "", nil), "which takes back what was begun")
	})
}

// One is cut off, one is down, one is to be removed: the two that would stay are no
// majority of four. So it is refused once that is seen; if it has begun before, the
// groups concerned stand still until one is back. Nothing that was accepted is lost.
func TestMembersDoNotChangeOverAPartition(t *testing.T) {
	t.Run("seen", func(t *testing.T) { removeOverAPartition(t, 5*time.Second) })
	t.Run("not seen yet", func(t *testing.T) { removeOverAPartition(t, 0) })
}

func removeOverAPartition(t *testing.T, seen time.Duration) {
	inNodes(t, func(t *testing.T, r *nodeRig) {
		ids := []string{"n1", "n2", "n3", "n4", "n5"}
		r.form(ids...)
		r.declareIn("n2", 1)
		stop := r.load("n2", 1)
		r.pass(3 * time.Second)
		r.net.Partition([]string{"n1"}, ids[1:])
		r.stop("n3")
		r.pass(seen)
		err := r.nodes["n5"].Remove(r.within(30*time.Second), "n4", RemoveOptions{}, nil)
		if seen > 0 {
			require.ErrorIs(t, err, ErrConflict)
		}
		require.Error(t, err)
		require.ErrorIs(t, r.nodes["n1"].Remove(r.within(10*time.Second), "n4", RemoveOptions{}, nil), ErrUnavailable, "it hears of nobody")
		r.net.Heal()
		r.start("n3", peersOf(ids...), nil)
		r.untilReady("n1", "n2", "n3", "n5")
		r.until("asked again it goes on", func() bool {
			return r.nodes["n5"].Remove(r.within(time.Minute), "n4", RemoveOptions{}, nil) == nil
		})
		accepted := stop()
		r.pass(2 * time.Second)
		require.Greater(t, accepted, 500)
		for _, id := range []string{"n1", "n2", "n3", "n5"} {
			require.Equal(t, accepted, r.ready(id, 1))
		}
	})
}

func TestDrainAndReturn(t *testing.T) {
	inNodes(t, func(t *testing.T, r *nodeRig) {
		r.form("n1", "n2", "n3")
		r.until("each leads one", func() bool {
			return r.leader(0) == "n1" && r.leader(1) == "n2" && r.leader(2) == "n3"
		})
		r.declareIn("n1", 1)
		stop := r.load("n3", 1)
		var last Progress
		require.NoError(t, r.nodes["n3"].Drain(r.within(time.Minute), "n2", func(p Progress) { last = p }))
		require.Equal(t, "it is safe to stop n2", last.Step)
		r.pass(30 * time.Second)
		require.NotEqual(t, "n2", r.leader(1), "the balancer leaves it alone")
		s := r.status("n1")
		require.Equal(t, NodeDrained, s.Nodes[1].State)
		r.stop("n2")
		r.start("n2", three, nil)
		r.untilReady("n2")
		r.until("it is itself again, and has its share", func() bool { return r.leader(1) == "n2" })
		require.Equal(t, NodeMember, r.status("n1").Nodes[1].State)
		accepted := stop()
		r.pass(2 * time.Second)
		require.Equal(t, accepted, r.ready("n2", 1))
	})
}

func TestStopGracefully(t *testing.T) {
	inNodes(t, func(t *testing.T, r *nodeRig) {
		r.form("n1", "n2", "n3")
		r.until("each leads one", func() bool {
			return r.leader(0) == "n1" && r.leader(1) == "n2" && r.leader(2) == "n3"
		})
		began := time.Now()
		require.NoError(t, r.nodes["n1"].StopGracefully(t.Context()))
		require.NotEqual(t, "n1", r.leader(0))
		require.Less(t, time.Since(began), time.Second)
		require.NoError(t, r.nodes["n2"].Rebalance(r.within(time.Minute), nil))
		r.pass(15 * time.Second)
		require.NotEqual(t, "n1", r.leader(0), "it is leaving")
		require.NoError(t, r.nodes["n2"].Transfer(r.within(time.Minute), 0, "n3"))
		require.Equal(t, "n3", r.leader(0))
		require.ErrorIs(t, r.nodes["n2"].Transfer(r.within(time.Minute), 0, "n9"), ErrNotFound)
		require.ErrorIs(t, r.nodes["n2"].Transfer(r.within(time.Minute), 0, "n1"), ErrConflict, "it is leaving")
	})
}

func TestVerifyFindsAndRepairs(t *testing.T) {
	inNodes(t, func(t *testing.T, r *nodeRig) {
		r.form("n1", "n2", "n3")
		r.declareIn("n1", 1)
		stop := r.load("n1", 1)
		r.pass(time.Second)
		odd := "n1"
		if r.leader(1) == odd {
			odd = "n2"
		}
		r.tamper(odd, 1)
		r.pass(100 * time.Millisecond)
		v, err := r.nodes["n3"].Verify(r.within(time.Minute), nil)
		require.NoError(t, err)
		require.False(t, v.Equal, "%s: %+v", odd, v)
		for _, x := range v.Shards[1].Replicas {
			require.Equal(t, x.Node == odd, x.State == VerifiedDifferent, x)
		}
		n := r.nodes[odd]
		r.until("it is repaired", func() bool { n.mu.Lock(); defer n.mu.Unlock(); return len(n.repairs) == 2 })
		require.Equal(t, []string{"1 true", "1 false"}, n.repairs)
		v, err = r.nodes["n3"].Verify(r.within(time.Minute), nil)
		require.NoError(t, err)
		require.True(t, v.Equal, v)
		accepted := stop()
		r.pass(2 * time.Second)
		require.Equal(t, accepted, r.ready(odd, 1))
	})
}

// tamper makes a node's replica differ: a message that nobody else has, applied
// behind Raft's back under the index of an entry that Raft never applies.
func (r *nodeRig) tamper(id string, shard uint16) {
	r.t.Helper()
	n := r.nodes[id]
	x := n.replica(shard)
	x.hold.mu.Lock()
	defer x.hold.mu.Unlock()
	s, err := n.store.Shard(shard)
	require.NoError(r.t, err)
	tamperShard(r.t, s)
}

func tamperShard(t *testing.T, s *journal.Shard) {
	var b queue.PackBuilder
	b.Reset(nil)
	b.Setting("tampered", []byte("yes"))
	_, err := s.Apply(s.AppliedIndex()+1, b.Finish(1, queue.Origin{}))
	require.NoError(t, err)
}

// A node that was removed and starts again waits, says so, and comes back with its
// old data when it is added again.
func TestARemovedNodeWaitsToBeAddedAgain(t *testing.T) {
	inNodes(t, func(t *testing.T, r *nodeRig) {
		r.form("n1", "n2", "n3")
		require.NoError(t, r.nodes["n1"].Remove(r.within(time.Minute), "n3", RemoveOptions{}, nil))
		n := r.nodes["n3"]
		r.until("it knows", func() bool { n.mu.Lock(); defer n.mu.Unlock(); return n.fatal != nil })
		require.Equal(t, NodeRefused, r.status("n3").Nodes[2].State)
		r.stop("n3")
		n = r.start("n3", three, nil)
		r.until("it says so", func() bool { return strings.Contains(n.Waiting(), "was removed from the cluster") })
		_, done := n.formError()
		require.False(t, done)
		require.NoError(t, r.nodes["n1"].Add(r.within(time.Minute), "n3", nodeAddress("n3"), nil))
		r.untilReady("n3")
		r.pass(time.Second)
		require.Equal(t, HealthOK, r.status("n2").Health, r.status("n2").Problems)
		require.Len(t, r.status("n2").Nodes, 3)
	})
}
