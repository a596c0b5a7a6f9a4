package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"entrepot/broker"
	"entrepot/broker/config"
)

// How long a test waits for what must come, and how often it looks.
const (
	patience = 30 * time.Second
	poll     = 5 * time.Millisecond
)

// A fleet is a cluster whose nodes are all in this process, and talk to each
// other over loopback.
type fleet struct {
	t     *testing.T
	peers []config.Peer // those that the cluster is formed of
	nodes map[string]*broker.Broker
}

// newFleet starts n1, n2, ... as a new cluster.
func newFleet(t *testing.T, size int) *fleet {
	t.Helper()
	f := &fleet{t: t, nodes: map[string]*broker.Broker{}}
	for i := range size {
		f.peers = append(f.peers, config.Peer{ID: fmt.Sprintf("n%d", i+1), Address: freeAddress(t)})
	}
	var started sync.WaitGroup
	var mu sync.Mutex
	for _, p := range f.peers {
		started.Go(func() { // a majority is waited for, so they must start side by side
			b, err := f.start(p)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Errorf("%s: %v", p.ID, err)
				return
			}
			f.nodes[p.ID] = b
		})
	}
	started.Wait()
	t.Cleanup(func() {
		// The last ones find no majority for what they still want to say.
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		var stopped sync.WaitGroup
		for _, b := range f.nodes {
			stopped.Go(func() { _ = b.Shutdown(ctx) })
		}
		stopped.Wait()
	})
	require.False(t, t.Failed())
	require.Eventually(t, func() bool {
		for _, b := range f.nodes {
			if b.Ready() != nil {
				return false
			}
		}
		return true
	}, patience, poll)
	return f
}

// start starts a node with a directory of its own.
func (f *fleet) start(p config.Peer) (*broker.Broker, error) {
	cfg := config.Default()
	cfg.Data = f.t.TempDir()
	cfg.AMQP = []config.Listener{config.DefaultListener("127.0.0.1:0")}
	cfg.HTTP = "127.0.0.1:0"
	cfg.Durability = config.OS // nobody pulls the plug here
	cfg.Cluster.Node, cfg.Cluster.Listen, cfg.Cluster.Peers = p.ID, p.Address, f.peers
	b, err := broker.New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	return b, b.Start(f.t.Context())
}

// at is a shell whose commands go to one of the nodes.
func (f *fleet) at(node string) *site {
	b := f.nodes[node]
	return &site{t: f.t, environ: []string{"ENTREPOT_URL=amqp://" + b.Addresses()[0], "ENTREPOT_HTTP=" + b.HTTPAddress()}}
}

// freeAddress is one whose port was free a moment ago.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}

// A life of a cluster, as its operator sees it.
func TestALifeOfACluster(t *testing.T) {
	f := newFleet(t, 3)

	// What one node has accepted, another one gives out.
	f.at("n1").ok("", "send", "greetings", "hello")
	require.Equal(t, "hello\n", f.at("n3").ok("", "receive", "greetings", "--count", "1"))

	status := f.at("n2").json("", "cluster", "status")
	require.Equal(t, "ok", status["health"])
	require.Len(t, status["nodes"], 3)
	require.Len(t, status["shards"], 3)

	// A fourth one waits until it is added, and then leads what it is given.
	newcomer := config.Peer{ID: "n4", Address: freeAddress(t)}
	joined := make(chan error, 1)
	go func() {
		b, err := f.start(newcomer)
		f.nodes["n4"] = b // nobody looks there before joined
		joined <- err
	}()
	f.at("n2").ok("", "cluster", "add", newcomer.ID, newcomer.Address)
	require.NoError(t, <-joined)
	require.Eventually(t, func() bool { return f.nodes["n4"].Ready() == nil }, patience, poll)
	f.at("n4").ok("", "cluster", "transfer", "1", "n4")
	f.at("n4").ok("", "send", "after", "x", "--count", "10")

	// Drained, it leads nothing; removed, it is none of the members.
	f.at("n4").ok("", "cluster", "drain")
	f.at("n1").ok("", "cluster", "remove", "n4")
	require.Eventually(t, func() bool { // n1 may hear of it after the leader has answered
		status = f.at("n1").json("", "cluster", "status")
		return len(status["nodes"].([]any)) == 3
	}, patience, 10*poll)
	for _, shard := range status["shards"].([]any) {
		require.NotEqual(t, "n4", shard.(map[string]any)["leader"])
	}

	require.Equal(t, true, f.at("n3").json("", "cluster", "verify")["equal"])
	f.at("n1").ok("", "cluster", "rebalance")
	f.at("n2").ok("", "receive", "after", "--count", "10")
}
