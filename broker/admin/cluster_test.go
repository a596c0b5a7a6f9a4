package admin

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	clusterPath   = "/api/v1/cluster"
	nodePath      = "/api/v1/cluster/nodes/{name}"
	drainPath     = "/api/v1/cluster/nodes/{name}/drain"
	transferPath  = "/api/v1/cluster/shards/{name}/transfer"
	rebalancePath = "/api/v1/cluster/rebalance"
	verifyPath    = "/api/v1/cluster/verify"
)

func newClusterSite(t *testing.T, c *fakeCluster) *site {
	b := newFake()
	b.cluster = c
	return newSite(t, b)
}

// A status as a cluster under repair has it.
func ailing() ClusterStatus {
	return ClusterStatus{
		ID: "c1", Node: "n1", Health: HealthDegraded, Problems: []string{"n3 is being fed"}, Level: 2,
		Nodes: []ClusterNode{
			{ID: "n1", Address: "127.0.0.1:1", State: "member", Reachable: true, Leads: 1, Level: 2},
			{ID: "n3", Address: "127.0.0.1:3", State: "joining", Reachable: true, Level: 3, Reason: "shard 0 is fed"},
		},
		Shards: []ClusterShard{{
			ID: 0, Leader: "n1", Term: 4, CommitIndex: 100, AppliedIndex: 100,
			Replicas: []ClusterReplica{
				{Node: "n1", Role: "leader", Match: 100, State: "ok", Progress: 1},
				{Node: "n3", Role: "nonvoter", Match: 40, LagEntries: 60, LagBytes: 6000, State: "streaming", Progress: 0.25},
			},
		}},
	}
}

func TestTheStateOfACluster(t *testing.T) {
	s := newClusterSite(t, &fakeCluster{status: ailing()})
	status := s.call(200, "GET", clusterPath, "", "")
	shard := status["shards"].([]any)[0].(map[string]any)
	require.Equal(t, "n1", shard["leader"])
	require.Equal(t, 4.0, shard["term"])
	require.Equal(t, map[string]any{
		"node": "n3", "role": "nonvoter", "match": 40.0, "lag_entries": 60.0, "lag_bytes": 6000.0, "state": "streaming", "progress": 0.25,
	}, shard["replicas"].([]any)[1])
}

// Every field of what is shown stands in the document, and no other.
func TestAClusterIsDocumentedWhole(t *testing.T) {
	doc := readDocument(t)
	for name, shown := range map[string]any{
		"Cluster": ClusterStatus{}, "Node": ClusterNode{}, "Shard": ClusterShard{}, "Replica": ClusterReplica{},
		"Progress": Progress{}, "Event": event{},
		"Verification": Verification{}, "VerifiedShard": VerifiedShard{}, "VerifiedReplica": VerifiedReplica{},
	} {
		schema := doc.resolve(map[string]any{"$ref": "#/components/schemas/" + name})
		require.Len(t, schema["properties"], reflect.TypeOf(shown).NumField(), name)
	}
}

func TestListsOfAClusterAreNotNull(t *testing.T) {
	c := &fakeCluster{status: ClusterStatus{Health: HealthUnavailable, Shards: []ClusterShard{{}}}}
	s := newClusterSite(t, c)
	require.Equal(t, []any{}, s.call(200, "GET", clusterPath, "", "")["nodes"])
	lines := s.operate("POST", verifyPath, "", "")
	require.Equal(t, []any{}, lines[0]["result"].(map[string]any)["shards"])
}

func TestAStandaloneNodeSaysSo(t *testing.T) {
	s := newSite(t, newFake())
	for _, r := range (&handler{}).routes(http.NotFoundHandler()) {
		if len(r.path) >= len(clusterPath) && r.path[:len(clusterPath)] == clusterPath {
			for method := range r.methods {
				require.Contains(t, s.call(409, method, r.path, "1", "")["error"], "standalone")
			}
		}
	}
}

func TestWhatAClusterIsAsked(t *testing.T) {
	shard := uint16(2)
	c := &fakeCluster{steps: []Progress{{Step: "shard 2 catches up", Node: "n4", Shard: &shard, Done: 5, Total: 9}}}
	s := newClusterSite(t, c)
	for _, o := range []struct{ method, path, name, body, asked string }{
		{"PUT", nodePath, "n4", `{"address":"127.0.0.1:4"}`, "add n4 127.0.0.1:4"},
		{"PUT", nodePath, "n4", ``, "add n4 "},
		{"DELETE", nodePath, "n4", ``, "remove n4 false"},
		{"DELETE", nodePath + "?force=true", "n4", ``, "remove n4 true"},
		{"POST", drainPath, "n4", ``, "drain n4"},
		{"POST", rebalancePath, "", ``, "rebalance"},
		{"POST", verifyPath, "", ``, "verify"},
	} {
		c.asked = nil
		lines := s.operate(o.method, o.path, o.name, o.body)
		require.Equal(t, []string{o.asked}, c.asked)
		require.Len(t, lines, 2)
		require.Equal(t, map[string]any{"step": "shard 2 catches up", "node": "n4", "shard": 2.0, "done": 5.0, "total": 9.0}, lines[0]["progress"])
		require.Equal(t, true, lines[1]["done"])
	}
	c.asked = nil
	s.call(200, "POST", transferPath, "1", `{"to":"n2"}`)
	s.call(200, "POST", transferPath, "1", "")
	require.Equal(t, []string{"transfer 1 n2", "transfer 1 "}, c.asked)
}

func TestWhatAClusterCanNotBeAsked(t *testing.T) {
	s := newClusterSite(t, &fakeCluster{})
	s.call(400, "PUT", nodePath, "n4", `{"adress":"x"}`)
	s.call(400, "DELETE", nodePath+"?force=perhaps", "n4", "")
	s.call(400, "POST", transferPath, "one", "")
	s.call(400, "POST", transferPath, "65536", "")
	s.call(400, "POST", transferPath, "1", "[]")
}

// An error before anything was said has its status; behind that it is the last
// line.
func TestTheErrorsOfAnOperation(t *testing.T) {
	c := &fakeCluster{err: fmt.Errorf("%w: n2 and n3 are no majority", ErrConflict)}
	s := newClusterSite(t, c)
	require.Contains(t, s.call(409, "POST", drainPath, "n1", "")["error"], "no majority")

	c.steps = []Progress{{Step: "looking"}}
	last := s.operate("POST", drainPath, "n1", "")[1]
	require.Equal(t, map[string]any{"done": true, "error": "conflict: n2 and n3 are no majority", "status": 409.0}, last)
	require.Empty(t, s.log.String())

	c.err = errors.New("in pieces")
	require.Equal(t, 500.0, s.operate("POST", drainPath, "n1", "")[1]["status"])
	require.Contains(t, s.log.String(), "in pieces")
}

// slowCluster reports once and then waits until it is let go.
type slowCluster struct {
	fakeCluster
	wait  func(context.Context) error
	ended chan error
}

func (c *slowCluster) Drain(ctx context.Context, _ string, report func(Progress)) error {
	report(Progress{Step: "waiting"})
	err := c.wait(ctx)
	c.ended <- err
	return err
}

type slowBroker struct {
	*fake
	cluster Cluster
}

func (b slowBroker) Cluster() (Cluster, error) { return b.cluster, nil }

// An operation may take longer than any other request; those between see now
// and then that it is not dead.
func TestALongOperationGoesOnAndOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &slowCluster{ended: make(chan error, 1), wait: func(ctx context.Context) error {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(time.Hour - time.Second):
				return nil
			}
		}}
		w := httptest.NewRecorder()
		newSite(t, slowBroker{newFake(), c}).handler.ServeHTTP(w, httptest.NewRequest("POST", "/api/v1/cluster/nodes/n1/drain", nil))
		require.NoError(t, <-c.ended)
		lines := 0
		for scanner := bufio.NewScanner(w.Body); scanner.Scan(); lines++ {
		}
		require.Equal(t, 1+int(time.Hour/stillAlive)-1+1, lines)
	})
}

// When the client hangs up, the operation hears of it.
func TestAnOperationEndsWithItsClient(t *testing.T) {
	c := &slowCluster{ended: make(chan error, 1), wait: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }}
	server := httptest.NewServer(newSite(t, slowBroker{newFake(), c}).handler)
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	require.NoError(t, err)
	_, err = fmt.Fprint(conn, "POST /api/v1/cluster/nodes/n1/drain HTTP/1.1\r\nHost: x\r\n\r\n")
	require.NoError(t, err)
	line, err := bufio.NewReader(conn).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "HTTP/1.1 200 OK\r\n", line)
	require.NoError(t, conn.Close())
	require.ErrorIs(t, <-c.ended, context.Canceled)
}

// The times that the server gives to a whole request do not end an operation.
func TestAnOperationOutlivesTheServersTimes(t *testing.T) {
	release := make(chan struct{})
	c := &slowCluster{ended: make(chan error, 1), wait: func(ctx context.Context) error {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-release:
			return nil
		}
	}}
	server := httptest.NewUnstartedServer(newSite(t, slowBroker{newFake(), c}).handler)
	server.Config.ReadTimeout, server.Config.WriteTimeout = 100*time.Millisecond, 100*time.Millisecond
	server.Start()
	defer server.Close()
	time.AfterFunc(300*time.Millisecond, func() { close(release) })
	response, err := http.Post(server.URL+"/api/v1/cluster/nodes/n1/drain", "", nil)
	require.NoError(t, err)
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	require.True(t, lines.Scan())
	require.True(t, lines.Scan())
	require.Equal(t, `{"done":true}`, lines.Text())
	require.NoError(t, <-c.ended)
}
