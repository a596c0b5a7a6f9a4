package cluster

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var three = peersOf("n1", "n2", "n3")

// A majority founds the cluster, in whatever order it comes, and not before it has
// waited for the rest.
func TestTwoOfThreeFoundACluster(t *testing.T) {
	for _, order := range [][]string{{"n1", "n2"}, {"n2", "n3"}, {"n3", "n1"}} {
		inNodes(t, func(t *testing.T, r *nodeRig) {
			r.start(order[0], three, nil)
			r.pass(10 * time.Second)
			_, done := r.nodes[order[0]].formError()
			require.False(t, done, "one of three")
			r.start(order[1], three, nil)
			r.pass(4 * time.Second)
			_, done = r.nodes[order[1]].formError()
			require.False(t, done, "the third may still come")
			r.until("they found", func() bool {
				return r.nodes[order[0]].identity().Member && r.nodes[order[1]].identity().Member
			})
			r.cluster(order...)
		})
	}
}

func TestThreeFoundAClusterAtOnce(t *testing.T) {
	inNodes(t, func(t *testing.T, r *nodeRig) {
		began := time.Now()
		for _, p := range three {
			r.start(p.ID, three, nil)
		}
		r.until("they found", func() bool {
			return r.nodes["n1"].identity().Member && r.nodes["n2"].identity().Member && r.nodes["n3"].identity().Member
		})
		r.cluster("n1", "n2", "n3")
		require.Less(t, time.Since(began), 2*time.Second)
	})
}

// Processes start and are killed at random while they form; all that are of a cluster
// in the end are of the same one, and nobody had to be helped.
func TestFormingThroughRestarts(t *testing.T) {
	for seed := range uint64(12) {
		inNodes(t, func(t *testing.T, r *nodeRig) {
			random := rand.New(rand.NewPCG(seed, 0))
			for range 25 {
				id := three[random.IntN(3)].ID
				if r.nodes[id] == nil {
					r.start(id, three, nil)
				} else {
					r.net.Crash(id)
					r.stop(id)
				}
				r.pass(time.Duration(random.IntN(3000)) * time.Millisecond)
			}
			for _, p := range three {
				if r.nodes[p.ID] == nil {
					r.start(p.ID, three, nil)
				}
			}
			r.untilReady("n1", "n2", "n3")
			r.cluster("n1", "n2", "n3")
		})
	}
}

func TestFormingThroughPartitions(t *testing.T) {
	for seed := range uint64(8) {
		inNodes(t, func(t *testing.T, r *nodeRig) {
			random := rand.New(rand.NewPCG(seed, 1))
			five := peersOf("n1", "n2", "n3", "n4", "n5")
			for _, p := range five {
				r.start(p.ID, five, func(c *NodeConfig) { c.Shards = 2; c.FormGrace = time.Second })
			}
			for range 20 {
				a, b := five[random.IntN(5)].ID, five[random.IntN(5)].ID
				if random.IntN(2) == 0 {
					r.net.Block(a, b)
				} else {
					r.net.Unblock(a, b)
				}
				r.pass(time.Duration(random.IntN(1000)) * time.Millisecond)
			}
			r.net.Heal()
			r.untilReady("n1", "n2", "n3", "n4", "n5")
			r.cluster("n1", "n2", "n3", "n4", "n5")
		})
	}
}

func TestDifferentSettingsDoNotFormACluster(t *testing.T) {
	inNodes(t, func(t *testing.T, r *nodeRig) {
		n1 := r.start("n1", peersOf("n1", "n2"), nil)
		n2 := r.start("n2", three, nil)
		r.pass(20 * time.Second)
		require.False(t, n1.identity().Member || n2.identity().Member)
		require.Contains(t, n1.Waiting(), "n2 was given the peers n1,n2,n3, n1 was given n1,n2")
		s, err := n1.Status(t.Context())
		require.NoError(t, err)
		require.Equal(t, HealthUnavailable, s.Health)
		require.Equal(t, NodeForming, s.Nodes[0].State)
		require.Contains(t, s.Nodes[0].Reason, "was given the peers")

		r.stop("n2")
		n2 = r.start("n2", peersOf("n1", "n2"), func(c *NodeConfig) { c.Shards = 7 })
		r.pass(20 * time.Second)
		require.Contains(t, n2.Waiting(), "n1 wants 2 shards, n2 wants 7")
		r.stop("n2")
		r.start("n2", peersOf("n1", "n2"), nil)
		r.untilReady("n1", "n2")
	})
}

// A node of another cluster neither comes in nor harms.
func TestAnotherClustersNodeIsRefused(t *testing.T) {
	inNodes(t, func(t *testing.T, r *nodeRig) {
		r.form("n1", "n2", "n3")
		r.start("n9", peersOf("n9"), nil)
		r.untilReady("n9")
		r.stop("n9")
		n9 := r.start("n9", append(peersOf("n1", "n2", "n3"), Peer{"n9", nodeAddress("n9")}), nil)
		r.untilReady("n9")
		other := r.cluster("n9")
		require.NotEqual(t, other, r.cluster("n1"))
		ctx := r.within(5 * time.Second)
		require.ErrorIs(t, r.nodes["n1"].Add(ctx, "n9", nodeAddress("n9"), nil), ErrUnavailable, "it never comes")
		require.Equal(t, other, n9.identity().Char.Cluster)
		require.Equal(t, HealthOK, r.status("n9").Health, "it is a cluster of one, as before")
	})
}

// After a power cut everybody waits for a leader who is as new as he is. Who should
// lead stands first, so nobody waits for Raft's whole patience, nor for the balancer.
func TestAfterAPowerCutEachLeadsItsShareAtOnce(t *testing.T) {
	inNodes(t, func(t *testing.T, r *nodeRig) {
		r.form("n1", "n2", "n3")
		for range 5 {
			for _, p := range three {
				r.net.Crash(p.ID)
				r.stop(p.ID)
			}
			began := time.Now()
			for _, p := range three {
				r.start(p.ID, three, nil)
			}
			r.until("each leads one", func() bool {
				return r.leader(0) == "n1" && r.leader(1) == "n2" && r.leader(2) == "n3"
			})
			require.Less(t, time.Since(began), 1200*time.Millisecond, "the lease, at most doubled, and some messages")
		}
	})
}
