package brokerproc

import (
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Whatever is asked of the kernel at the same time, no two nodes get the same
// address, and each is told of all others.
func TestAPlanOfACluster(t *testing.T) {
	c, err := PlanCluster(ClusterOptions{Binary: "entrepot", Dir: t.TempDir(), Edit: func(m *Member) {
		if m.ID == "n2" {
			m.Log, m.Flags = io.Discard, []string{"--log-level", "debug"}
		}
	}})
	require.NoError(t, err)
	require.Len(t, c.Nodes, 3)
	taken := map[string]bool{}
	for _, n := range c.Nodes {
		require.False(t, n.Running())
		require.True(t, strings.HasSuffix(n.DataDir, "/"+n.ID))
		require.Contains(t, c.peers, n.ID+"="+n.Cluster)
		for _, address := range []string{n.AMQP, n.HTTP, n.Cluster} {
			require.False(t, taken[address], address)
			taken[address] = true
		}
	}
	require.Same(t, c.Nodes[1], c.Node("n2"))
	require.Equal(t, []string{"--log-level", "debug"}, c.Node("n2").Flags)
	require.Nil(t, c.Node("n4"))

	// One that joins later has the peers that the cluster began with.
	n4, err := c.AddNode()
	require.NoError(t, err)
	require.Equal(t, "n4", n4.ID)
	require.NotContains(t, c.peers, "n4=")
}

// What can't be started says whose it was, and leaves nothing running.
func TestANodeThatDoesNotStart(t *testing.T) {
	_, err := StartCluster(t.Context(), ClusterOptions{Binary: "/nowhere/entrepot", Dir: t.TempDir()})
	require.ErrorContains(t, err, "node n1: start /nowhere/entrepot")

	_, err = StartCluster(t.Context(), ClusterOptions{Binary: "/bin/false", Dir: t.TempDir()})
	require.ErrorContains(t, err, "node n1: the broker ended before it was ready: exit status 1")
}

func TestACommandMayRunTheBroker(t *testing.T) {
	var out strings.Builder
	p, err := Launch(Options{Binary: "serve-me", DataDir: "d", AMQP: "a", HTTP: "h", Prefix: []string{"/bin/echo", "ran"}, Flags: []string{"--x"}, Log: &out})
	require.NoError(t, err)
	<-p.Done()
	require.False(t, p.Running())
	require.Equal(t, "ran serve-me serve --data d --http h --amqp a --x\n", out.String())
}

func TestWhoHasCaughtUp(t *testing.T) {
	replicas := func(state string, lag uint64) ShardStatus {
		return ShardStatus{Leader: "n1", Replicas: []ReplicaStatus{{State: state, LagEntries: lag}}}
	}
	good := replicas("ok", 0)
	require.True(t, (&Status{Shards: []ShardStatus{good, good}}).Caught())
	require.Equal(t, 2, (&Status{Shards: []ShardStatus{good, good}}).Leads("n1"))
	for _, bad := range []ShardStatus{replicas("streaming", 0), replicas("ok", 1), {}} {
		require.False(t, (&Status{Shards: []ShardStatus{good, bad}}).Caught())
	}
	require.False(t, (&Status{}).Caught(), "no cluster yet")

	before := &Status{Shards: []ShardStatus{{ID: 3, Leader: "n1", Replicas: []ReplicaStatus{{Match: 90}, {Match: 100}}}}}
	now := func(leader string, replicas ...ReplicaStatus) *Status {
		return &Status{Shards: []ShardStatus{{ID: 3, Leader: leader, Replicas: replicas}}}
	}
	ahead, there, behind := ReplicaStatus{State: "ok", Match: 120}, ReplicaStatus{State: "ok", Match: 100, LagEntries: 20}, ReplicaStatus{State: "ok", Match: 99}
	require.True(t, now("n1", ahead, there).CaughtUpWith(before), "clients went on")
	require.False(t, now("n1", ahead, behind).CaughtUpWith(before))
	require.False(t, now("", ahead, there).CaughtUpWith(before))
	require.False(t, now("n1", ahead, ReplicaStatus{State: "streaming", Match: 100}).CaughtUpWith(before))
	require.False(t, (&Status{}).CaughtUpWith(before), "a node that knows nothing")
	require.False(t, (&Status{}).CaughtUpWith(&Status{}))
}
