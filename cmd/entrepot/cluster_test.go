package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"entrepot/broker/admin"
	"entrepot/broker/config"
	"entrepot/cmd/entrepot/internal/console"
)

// A scripted cluster answers what it was told to, and notes what was asked.
type scripted struct {
	admin.Broker // the rest of a broker: not asked for here
	status       admin.ClusterStatus
	verified     admin.Verification
	err          error
	stuck        bool // until whoever asks gives up
	asked        []string
}

func (s *scripted) Cluster() (admin.Cluster, error) { return s, nil }

func (s *scripted) work(ctx context.Context, report func(admin.Progress), asked ...any) error {
	s.asked = append(s.asked, strings.TrimSpace(fmt.Sprintln(asked...)))
	shard := uint16(1)
	report(admin.Progress{Step: "looking around"})
	for n := range uint64(3) {
		report(admin.Progress{Step: "shard 1 catches up", Node: "n4", Shard: &shard, Done: n, Total: 2})
	}
	if s.stuck {
		<-ctx.Done()
		return ctx.Err()
	}
	return s.err
}

func (s *scripted) Status(context.Context) (admin.ClusterStatus, error) { return s.status, nil }

func (s *scripted) Add(ctx context.Context, node, address string, report func(admin.Progress)) error {
	return s.work(ctx, report, "add", node, address)
}

func (s *scripted) Remove(ctx context.Context, node string, force bool, report func(admin.Progress)) error {
	return s.work(ctx, report, "remove", node, force)
}

func (s *scripted) Drain(ctx context.Context, node string, report func(admin.Progress)) error {
	return s.work(ctx, report, "drain", node)
}

func (s *scripted) Transfer(_ context.Context, shard uint16, to string) error {
	s.asked = append(s.asked, strings.TrimSpace(fmt.Sprintln("transfer", shard, to)))
	return s.err
}

func (s *scripted) Rebalance(ctx context.Context, report func(admin.Progress)) error {
	return s.work(ctx, report, "rebalance")
}

func (s *scripted) Verify(ctx context.Context, report func(admin.Progress)) (admin.Verification, error) {
	return s.verified, s.work(ctx, report, "verify")
}

// newClusterSite serves a scripted cluster.
func newClusterSite(t *testing.T, c *scripted) *site {
	t.Helper()
	server, err := admin.Start(admin.Options{
		Address: "127.0.0.1:0", Broker: c, Users: config.NewAuthenticator(nil), Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Shutdown(context.Background())) })
	return &site{t: t, environ: []string{"ENTREPOT_HTTP=" + server.Address()}}
}

func TestClusterStatus(t *testing.T) {
	s := newClusterSite(t, &scripted{status: admin.ClusterStatus{
		ID: "c1", Node: "n1", Health: admin.HealthDegraded, Problems: []string{"n3 does not answer"}, Level: 2,
		Nodes: []admin.ClusterNode{
			{ID: "n1", Address: "127.0.0.1:1", State: "member", Reachable: true, Leads: 1, Level: 2},
			{ID: "n3", Address: "127.0.0.1:3", State: "unreachable", Reason: "no answer for 9s"},
		},
		Shards: []admin.ClusterShard{{
			ID: 0, Leader: "n1", Term: 4, CommitIndex: 100, AppliedIndex: 99,
			Replicas: []admin.ClusterReplica{
				{Node: "n1", Role: "leader", Match: 100, State: "ok", Progress: 1},
				{Node: "n2", Role: "voter", Match: 88, LagEntries: 12, LagBytes: 3400, State: "behind", Progress: 1},
				{Node: "n3", Role: "voter", State: "unreachable", Progress: 1},
				{Node: "n4", Role: "nonvoter", State: "streaming", Progress: 0.413},
			},
		}, {ID: 1}},
	}})
	require.Equal(t, `cluster c1 is degraded, says n1 (level 2)
  n3 does not answer

NODE  ADDRESS      STATE        LEADS  LEVEL
n1    127.0.0.1:1  member       1      2
n3    127.0.0.1:3  unreachable  0      0      no answer for 9s

SHARD  LEADER  TERM  COMMITTED  APPLIED  REPLICAS
0      n1      4     100        99       n1, n2 behind 12 (3,400 bytes), n3 unreachable, n4 nonvoter streaming 41%
1      -       0     0          0
`, trimLines(s.ok("", "cluster", "status", "-o", "table")))

	status := s.json("", "cluster", "status")
	shard := status["shards"].([]any)[0].(map[string]any)
	require.Equal(t, "n1", shard["leader"])
	require.Equal(t, 4.0, shard["term"])
	require.Len(t, status["nodes"], 2)
}

// trimLines takes away the blanks at the ends of lines.
func trimLines(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n")
}

func TestClusterOperations(t *testing.T) {
	c := &scripted{status: admin.ClusterStatus{Node: "n7"}, verified: admin.Verification{Equal: true}}
	s := newClusterSite(t, c)
	for _, o := range []struct{ line, asked, said string }{
		{"add n4 127.0.0.1:4", "add n4 127.0.0.1:4", "n4 is a member"},
		{"add n4", "add n4", "n4 is a member"},
		{"remove n4", "remove n4 false", "n4 is removed"},
		{"remove n4 --force", "remove n4 true", "n4 is removed"},
		{"drain n4", "drain n4", "n4 is drained: it is safe to stop it"},
		{"drain --timeout 1m", "drain n7", "n7 is drained: it is safe to stop it"},
		{"transfer 1 n2", "transfer 1 n2", "shard 1 is led by n2"},
		{"transfer 1", "transfer 1", "shard 1 is led by another node"},
		{"rebalance", "rebalance", "leaderships are balanced"},
	} {
		c.asked = nil
		args := append([]string{"cluster"}, strings.Fields(o.line)...)
		r := s.run("", args...)
		require.Zero(t, r.code, r.err)
		require.Equal(t, o.said+"\n", r.out)
		require.Equal(t, []string{o.asked}, c.asked)
		if !strings.HasPrefix(o.line, "transfer") {
			require.Equal(t, "looking around\nshard 1 catches up: 0 of 2\n", r.err, "what is not a terminal gets a line for each step")
		}
		require.Equal(t, o.said, s.json("", args...)["done"])
	}
}

func TestClusterVerify(t *testing.T) {
	c := &scripted{verified: admin.Verification{Equal: true, Shards: []admin.VerifiedShard{{
		ID: 1, Index: 77, Equal: true, Replicas: []admin.VerifiedReplica{{Node: "n1", Hash: "ab", State: "equal"}, {Node: "n2", State: "unreachable"}},
	}}}}
	s := newClusterSite(t, c)
	require.Equal(t, "SHARD  INDEX  NODE  HASH  STATE\n1      77     n1    ab    equal\n1      77     n2    -     unreachable\n", s.ok("", "cluster", "verify"))

	c.verified.Equal = false
	r := s.run("", "cluster", "verify", "-o", "json")
	require.Equal(t, console.ExitFailed, r.code)
	require.Contains(t, r.err, "replicas differ")
	var v admin.Verification
	require.NoError(t, json.Unmarshal([]byte(r.out), &v))
	require.Equal(t, c.verified, v)
}

func TestClusterOperationsThatFail(t *testing.T) {
	c := &scripted{}
	s := newClusterSite(t, c)
	for kind, code := range map[error]int{
		admin.ErrConflict: console.ExitFailed, admin.ErrNotFound: console.ExitNotFound,
		admin.ErrInvalid: console.ExitUsage, admin.ErrUnavailable: console.ExitUnreachable,
	} {
		c.err = fmt.Errorf("%w: because", kind)
		for _, line := range []string{"drain n1", "transfer 0"} {
			r := s.run("", append([]string{"cluster"}, strings.Fields(line)...)...)
			require.Equal(t, code, r.code)
			require.Contains(t, r.err, "because")
			require.Empty(t, r.out)
		}
	}
	c.stuck = true
	r := s.run("", "cluster", "drain", "n1", "--timeout", "50ms")
	require.Equal(t, console.ExitIncomplete, r.code)
	require.Contains(t, r.err, "not done within 50ms")
	require.Equal(t, console.ExitUsage, s.run("", "cluster", "transfer", "first").code)
}

func TestAStandaloneNodeHasNoCluster(t *testing.T) {
	r := newSite(t).run("", "cluster", "status")
	require.Equal(t, console.ExitFailed, r.code)
	require.Contains(t, r.err, "this node is standalone")
}
