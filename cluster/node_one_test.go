package cluster

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"entrepot/journal"
)

// alone is a standalone node: it does not listen and has no peers.
func alone(c *NodeConfig) { c.Advertise = "" }

func TestAStandaloneNodeIsAClusterOfOne(t *testing.T) {
	inNodes(t, func(t *testing.T, r *nodeRig) {
		n := r.start("standalone", nil, alone)
		r.untilReady("standalone")
		s, err := n.Status(t.Context())
		require.NoError(t, err)
		require.Equal(t, HealthOK, s.Health, s.Problems)
		require.Equal(t, []NodeStatus{{ID: "standalone", State: NodeMember, Reachable: true, Leads: 1, Level: KnownLevel}}, s.Nodes)
		require.Len(t, s.Shards, 1)
		require.Equal(t, "standalone", s.Shards[0].Leader)
		require.Equal(t, n.identity().Char.Cluster, s.ID)
		require.EqualValues(t, KnownLevel, n.Level())

		require.ErrorIs(t, n.Drain(t.Context(), "standalone", nil), ErrConflict, "nobody else is there")
		require.ErrorIs(t, n.Remove(t.Context(), "standalone", RemoveOptions{}, nil), ErrConflict)
		require.ErrorIs(t, n.Remove(t.Context(), "n7", RemoveOptions{}, nil), ErrNotFound)
		require.ErrorIs(t, n.Transfer(t.Context(), 5, ""), ErrNotFound)
		require.ErrorIs(t, n.Add(t.Context(), "n7", "", nil), ErrInvalid, "nobody knows where it is")
		require.NoError(t, n.Rebalance(t.Context(), nil))
		require.NoError(t, n.StopGracefully(t.Context()))

		cluster, data := s.ID, n.identity().Data
		r.stop("standalone")
		n = r.start("standalone", nil, alone)
		r.untilReady("standalone")
		require.Equal(t, cluster, r.cluster("standalone"))
		require.Equal(t, data, n.identity().Data)
	})
}

func TestVerifyOneNode(t *testing.T) {
	inNodes(t, func(t *testing.T, r *nodeRig) {
		n := r.start("n1", nil, alone)
		r.untilReady("n1")
		var steps []Progress
		v, err := n.Verify(t.Context(), func(p Progress) { steps = append(steps, p) })
		require.NoError(t, err)
		require.True(t, v.Equal)
		require.Len(t, v.Shards, 1)
		require.NotZero(t, v.Shards[0].Index)
		require.Equal(t, VerifiedEqual, v.Shards[0].Replicas[0].State)
		require.NotEmpty(t, v.Shards[0].Replicas[0].Hash)
		require.EqualValues(t, 1, steps[len(steps)-1].Done)
	})
}

// A directory of a release before there were clusters: a log, no identity.
func TestAnOldDirectoryBecomesAClusterOfOne(t *testing.T) {
	inNodes(t, func(t *testing.T, r *nodeRig) {
		d := newDisk()
		r.disks["n1"], r.disks["standalone"] = d, d
		cfg := testConfig(t, nil)
		cfg.NodeID, cfg.Stable = "standalone", d.stableOf(0)
		g, store := onJournal(t, cfg, journal.Options{Dir: "data", FS: d.fs})
		w := newRecorder()
		w.left.Add(1)
		declare(g.Batcher(), w)
		w.left.Wait()
		stop(t, g)
		require.NoError(t, store.Close())

		_, err := r.tryStart("n1", nil, alone)
		require.ErrorIs(t, err, ErrOtherNode)
		require.ErrorContains(t, err, `made by node "standalone"`)

		n := r.start("standalone", nil, alone)
		r.untilReady("standalone")
		s, err := n.Shard(0)
		require.NoError(t, err)
		_, _, ok, err := s.Lookup("q")
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, []string{"standalone"}, n.current.Load().active())
	})
}

func TestOpenNodeRefuses(t *testing.T) {
	inNodes(t, func(t *testing.T, r *nodeRig) {
		r.start("n1", nil, alone)
		r.untilReady("n1")
		r.stop("n1")
		d := r.disks["n1"]
		for _, c := range []struct {
			why    string
			id     string
			peers  []Peer
			change func(*NodeConfig)
			want   error
		}{
			{"another id", "n2", nil, alone, ErrOtherNode},
			{"another number of shards", "n1", nil, func(c *NodeConfig) { alone(c); c.Shards = 3 }, ErrRefused},
			{"not one of its peers, which can't be asked", "n1", peersOf("n2"), alone, ErrInvalid},
			{"a peer twice", "n1", peersOf("n1", "n1"), nil, ErrInvalid},
			{"peers, but nowhere to reach it", "n1", three, alone, ErrInvalid},
			{"too many shards", "n1", nil, func(c *NodeConfig) { alone(c); c.Shards = 1000 }, ErrInvalid},
			{"an older release than the data", "n1", nil, func(c *NodeConfig) { alone(c); c.KnownLevel = KnownLevel - 1 }, ErrRefused},
		} {
			r.disks[c.id] = d
			_, err := r.tryStart(c.id, c.peers, c.change)
			require.ErrorIs(t, err, c.want, c.why)
			synctest.Wait()
		}
	})
}
