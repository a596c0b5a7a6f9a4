package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/go-amqp"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"entrepot/broker/config"
	"entrepot/cluster"
	"entrepot/cluster/mesh/memnet"
	"entrepot/journal"
	"entrepot/protocol/amqp/wire"
)

// clusterRig is three brokers on a network in memory, in virtual time, with one shard
// unless a test wants more. Clients are hosts of their own: to cut a node off from the
// others does not cut it off from its clients.
type clusterRig struct {
	t     *testing.T
	net   *memnet.Network
	names []string
	nodes map[string]*clusterNode
	tune  func(id string, cfg *config.Config, around *Surroundings)
	hosts int
}

// clusterNode is one machine, and the broker that runs on it.
type clusterNode struct {
	*Broker
	id      string
	rig     *clusterRig
	fs      journal.FS
	stable  map[uint16]*memStable
	skew    atomic.Int64 // of the wall clock
	free    atomic.Uint64
	started chan struct{} // closed when Start has returned
	cancel  context.CancelFunc
}

// inCluster runs f in a bubble with three brokers that serve. tune may be nil.
func inCluster(t *testing.T, tune func(id string, cfg *config.Config, around *Surroundings), f func(t *testing.T, r *clusterRig)) {
	synctest.Test(t, func(t *testing.T) {
		r := &clusterRig{t: t, net: memnet.New(1), names: []string{"n1", "n2", "n3"}, nodes: map[string]*clusterNode{}, tune: tune}
		r.net.SetLink(memnet.Any, memnet.Any, memnet.Link{Latency: 200 * time.Microsecond})
		defer func() { // also after FailNow, or the bubble would hide why
			r.net.Heal()
			for _, id := range r.names {
				// A barrier on its way when Raft ends is never answered; new leaders have one.
				r.pass(3 * time.Second)
				r.stop(id)
			}
		}()
		for _, id := range r.names {
			r.start(id)
		}
		r.untilReady(r.names...)
		f(t, r)
	})
}

// start boots a machine; its disk is what it was.
func (r *clusterRig) start(id string) {
	r.t.Helper()
	n := r.nodes[id]
	if n == nil {
		n = &clusterNode{id: id, rig: r, fs: vfs.NewMem(), stable: map[uint16]*memStable{}}
		n.free.Store(1 << 40)
		r.nodes[id] = n
	}
	cfg, around := n.config(), n.surroundings()
	if r.tune != nil {
		r.tune(id, &cfg, &around)
	}
	log := slog.New(slog.NewTextHandler(r.t.Output(), &slog.HandlerOptions{Level: slog.LevelInfo})).With("at", id)
	b, err := NewIn(around, cfg, log)
	require.NoError(r.t, err)
	started := make(chan struct{})
	n.Broker, n.started = b, started
	ctx, cancel := context.WithCancel(context.Background())
	n.cancel = cancel
	go func() {
		defer close(started)
		if err := b.Start(ctx); err != nil {
			log.Error("it did not start", "error", err)
		}
	}()
}

func (n *clusterNode) config() config.Config {
	cfg := config.Default()
	cfg.Data, cfg.HTTP = "data", ""
	cfg.AMQP = []config.Listener{config.DefaultListener("127.0.0.1:5672")}
	cfg.Storage.MemTable, cfg.Storage.Cache = 1*config.MiB, 1*config.MiB
	cfg.Cluster.Node, cfg.Cluster.Listen, cfg.Cluster.Advertise = n.id, "127.0.0.1:7000", n.id+":7000"
	cfg.Cluster.Shards = 1
	for _, id := range n.rig.names {
		cfg.Cluster.Peers = append(cfg.Cluster.Peers, config.Peer{ID: id, Address: id + ":7000"})
	}
	return cfg
}

func (n *clusterNode) surroundings() Surroundings {
	return Surroundings{
		FS: n.fs,
		Stable: func(shard uint16) cluster.StableStore {
			if n.stable[shard] == nil {
				n.stable[shard] = &memStable{values: map[string]any{}}
			}
			return n.stable[shard]
		},
		Listen: func(_, address string) (net.Listener, error) {
			return n.rig.net.Listen(strings.Replace(address, "127.0.0.1", n.id, 1))
		},
		Dial:     n.rig.net.Dialer(n.id),
		Wall:     func() time.Time { return time.Now().Round(0).Add(time.Duration(n.skew.Load())) },
		FreeDisk: func(string) (uint64, error) { return n.free.Load(), nil },
	}
}

// stop shuts a broker down, if it runs.
func (r *clusterRig) stop(id string) {
	n := r.nodes[id]
	if n == nil || n.Broker == nil {
		return
	}
	n.cancel()
	<-n.started
	_ = n.Shutdown(context.Background()) // a store that has failed says so again
	n.Broker = nil
}

// kill takes a node away from everybody at once; what is left of the process ends
// where nobody hears it.
func (r *clusterRig) kill(id string) {
	r.net.Block(id, memnet.Any)
	r.net.Block(memnet.Any, id)
	r.net.Crash(id)
	r.stop(id)
	r.net.Unblock(id, memnet.Any)
	r.net.Unblock(memnet.Any, id)
}

// cutOff parts a node from the other nodes, not from clients.
func (r *clusterRig) cutOff(id string) { r.net.Partition([]string{id}, r.others(id)) }

func (r *clusterRig) others(than ...string) (ids []string) {
next:
	for _, id := range r.names {
		for _, not := range than {
			if id == not {
				continue next
			}
		}
		ids = append(ids, id)
	}
	return ids
}

// until waits, in virtual time, until ok, for at most a minute; it tells how long.
func (r *clusterRig) until(why string, ok func() bool) time.Duration {
	r.t.Helper()
	begin := time.Now()
	for !ok() {
		if time.Since(begin) > time.Minute {
			require.FailNow(r.t, "never: "+why)
		}
		r.pass(10 * time.Millisecond)
	}
	return time.Since(begin)
}

func (r *clusterRig) pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func (r *clusterRig) untilReady(ids ...string) {
	r.t.Helper()
	for _, id := range ids {
		r.until(id+" is ready", func() bool {
			select {
			case <-r.nodes[id].started:
				return r.nodes[id].Ready() == nil
			default:
				return false
			}
		})
	}
	r.until("somebody leads", func() bool { return r.leader() != "" })
}

// leader is the node whose dispatcher is the shard's, "" if there is none.
func (r *clusterRig) leader() string { return r.leaderOf(0) }

func (r *clusterRig) leaderOf(shard uint16) string {
	for _, id := range r.names {
		if n := r.nodes[id]; n.Broker != nil {
			if list := n.shards(); len(list) > int(shard) && list[shard].running() && list[shard].group.LeaseValid(time.Now()) && list[shard].reign.Load() != nil {
				return id
			}
		}
	}
	return ""
}

// roles names the nodes: the one that leads, and the two others.
func (r *clusterRig) roles() (leader, follower, third string) {
	leader = r.leader()
	others := r.others(leader)
	return leader, others[0], others[1]
}

// transfer hands the lead over.
func (r *clusterRig) transfer(from, to string) {
	r.t.Helper()
	require.NoError(r.t, r.nodes[from].shards()[0].group.Transfer(r.t.Context(), to))
	r.until(to+" leads", func() bool { return r.leader() == to })
}

// dial connects a new host with a node.
func (r *clusterRig) dial(id string) net.Conn {
	r.t.Helper()
	r.hosts++
	nc, err := r.net.Dialer(fmt.Sprintf("c%d", r.hosts))(r.t.Context(), id+":5672")
	require.NoError(r.t, err)
	return nc
}

// peer is a client of a node, with one session, that says what it is told to.
func (r *clusterRig) peer(id string) *peer {
	r.t.Helper()
	p := &peer{t: r.t, nc: r.dial(id)}
	p.hello(fmt.Sprintf("peer-%d", r.hosts)).begin(0).flush()
	until[wire.Begin](p, "the session begins")
	return p
}

// holdsOne is a client of a node that holds the only message of q, "a", which came by way
// of another one; it has it for long enough that all nodes know.
func (r *clusterRig) holdsOne(at, sentTo string) *peer {
	r.t.Helper()
	sendTexts(r.t, r.client(sentTo), "q", "a")
	p := r.peer(at)
	p.receivesFrom(0, "q").grants(0, 0, 1, false).flush()
	p.gets("a", "it is held")
	r.pass(time.Second)
	return p
}

// client is a go-amqp session with a node.
func (r *clusterRig) client(id string) *amqp.Session {
	r.t.Helper()
	conn, err := amqp.NewConn(r.t.Context(), r.dial(id), &amqp.ConnOptions{ContainerID: fmt.Sprintf("client-%d", r.hosts)})
	require.NoError(r.t, err)
	r.t.Cleanup(func() { _ = conn.Close() })
	s, err := conn.NewSession(r.t.Context(), nil)
	require.NoError(r.t, err)
	return s
}

// memStable keeps a term and a vote.
type memStable struct {
	mu     sync.Mutex
	values map[string]any
}

func (s *memStable) Set(key, value []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.values[string(key)] = append([]byte(nil), value...)
	return nil
}

func (s *memStable) Get(key []byte) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v, ok := s.values[string(key)].([]byte); ok {
		return v, nil
	}
	return nil, errors.New("not found")
}

func (s *memStable) SetUint64(key []byte, value uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.values[string(key)] = value
	return nil
}

func (s *memStable) GetUint64(key []byte) (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, _ := s.values[string(key)].(uint64)
	return v, nil
}
