package cluster

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"

	"entrepot/cluster/mesh/memnet"
	"entrepot/journal"
)

// nodeRig is nodes on a network in memory, in virtual time, whose disks outlive
// them.
type nodeRig struct {
	t     *testing.T
	net   *memnet.Network
	disks map[string]*disk
	nodes map[string]*rigNode
	ends  []context.CancelFunc // of what the test runs beside
}

// disk is what is left of a node when its process ends.
type disk struct {
	fs     vfs.FS
	stable map[uint16]*raft.InmemStore
}

func newDisk() *disk { return &disk{fs: vfs.NewMem(), stable: map[uint16]*raft.InmemStore{}} }

// stableOf is where a shard's term and vote are.
func (d *disk) stableOf(shard uint16) *raft.InmemStore {
	if d.stable[shard] == nil {
		d.stable[shard] = raft.NewInmemStore()
	}
	return d.stable[shard]
}

// rigNode is one process.
type rigNode struct {
	*Node
	rig    *nodeRig
	id     string
	disk   *disk
	store  *journal.Store
	cancel context.CancelFunc
	formed chan struct{} // closed when Form has returned and the groups run, or failed

	mu      sync.Mutex
	err     error // of Form or StartGroup
	groups  []*Group
	leads   map[uint16]bool
	fatal   error
	repairs []string
}

// inNodes runs f in a bubble.
func inNodes(t *testing.T, f func(t *testing.T, r *nodeRig)) {
	synctest.Test(t, func(t *testing.T) {
		r := &nodeRig{t: t, net: memnet.New(1), disks: map[string]*disk{}, nodes: map[string]*rigNode{}}
		defer func() { // also after FailNow, or the bubble would hide why
			for _, end := range r.ends {
				end()
			}
			for id := range r.nodes {
				r.stop(id)
			}
			synctest.Wait()
		}()
		f(t, r)
		// A barrier on its way when Raft ends is never answered, see await: new leaders
		// have one.
		r.pass(3 * time.Second)
	})
}

func nodeAddress(id string) string { return id + ":7000" }

func peersOf(ids ...string) (peers []Peer) {
	for _, id := range ids {
		peers = append(peers, Peer{id, nodeAddress(id)})
	}
	return peers
}

// start begins a process, which forms in the background. change may be nil.
func (r *nodeRig) start(id string, peers []Peer, change func(*NodeConfig)) *rigNode {
	r.t.Helper()
	n, err := r.tryStart(id, peers, change)
	require.NoError(r.t, err)
	return n
}

func (r *nodeRig) tryStart(id string, peers []Peer, change func(*NodeConfig)) (*rigNode, error) {
	r.t.Helper()
	d := r.disks[id]
	if d == nil {
		d = newDisk()
		r.disks[id] = d
	}
	log := slog.New(slog.NewTextHandler(r.t.Output(), &slog.HandlerOptions{Level: slog.LevelInfo})).With("at", id)
	n := &rigNode{rig: r, id: id, disk: d, formed: make(chan struct{}), leads: map[uint16]bool{}}
	store, err := journal.Open(journal.Options{
		Dir: "data", FS: d.fs, Logger: log, MemTableBytes: 1 << 20,
		Hooks: journal.Hooks{Damaged: func(sh uint16, err *journal.CorruptionError) {
			if n.Node != nil {
				n.Damaged(sh, err)
			}
		}},
	})
	require.NoError(r.t, err)
	n.store = store
	cfg := NodeConfig{
		ID: id, Advertise: nodeAddress(id), Dial: r.net.Dialer(id), Peers: peers, Store: store, Logger: log,
		OnFatal: func(err error) { n.set(func() { n.fatal = err }) },
		OnRepair: func(shard uint16, broken bool) {
			n.set(func() { n.repairs = append(n.repairs, fmt.Sprint(shard, broken)) })
		},
	}
	if change != nil {
		change(&cfg)
	}
	if cfg.Advertise != "" {
		if cfg.Listener, err = r.net.Listen(cfg.Advertise); err != nil {
			return nil, err
		}
	}
	if n.Node, err = OpenNode(cfg); err != nil {
		if cfg.Listener != nil {
			_ = cfg.Listener.Close()
		}
		require.NoError(r.t, store.Close())
		return nil, err
	}
	r.nodes[id] = n
	ctx, cancel := context.WithCancel(context.Background())
	n.cancel = cancel
	go n.run(ctx)
	return n, nil
}

// run is the broker's part.
func (n *rigNode) run(ctx context.Context) {
	defer close(n.formed)
	f, err := n.Form(ctx)
	for shard := range uint16(f.Shards) {
		if err == nil {
			err = n.startGroup(shard)
		}
	}
	n.set(func() { n.err = err })
}

func (n *rigNode) startGroup(shard uint16) error {
	s, err := n.Shard(shard)
	if err != nil {
		return err
	}
	g, err := n.StartGroup(Config{
		Shard: shard, FSM: shardFSM{s}, Stable: n.disk.stableOf(shard),
		OnLeader: func(leader bool, _ uint64) { n.set(func() { n.leads[shard] = leader }) },
	})
	if err == nil {
		n.set(func() { n.groups = append(n.groups, g) })
	}
	return err
}

func (n *rigNode) set(f func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	f()
}

// formError is what became of Form, as far as one can tell now.
func (n *rigNode) formError() (err error, done bool) {
	select {
	case <-n.formed:
		n.mu.Lock()
		defer n.mu.Unlock()
		return n.err, true
	default:
		return nil, false
	}
}

// stop ends a process in good order; its disk stays.
func (r *nodeRig) stop(id string) {
	n := r.nodes[id]
	if n == nil {
		return
	}
	delete(r.nodes, id)
	n.cancel()
	<-n.formed
	for _, g := range n.groups {
		_ = g.Stop(context.Background())
	}
	n.Close()
	_ = n.store.Close()
}

// wipe loses a disk. The process has been stopped.
func (r *nodeRig) wipe(id string) { delete(r.disks, id) }

// until waits, in virtual time, until ok.
func (r *nodeRig) until(why string, ok func() bool) {
	r.t.Helper()
	for range 1200 {
		if ok() {
			return
		}
		r.pass(50 * time.Millisecond)
	}
	require.FailNow(r.t, "never: "+why)
}

func (r *nodeRig) pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// untilReady waits for nodes to be members whose groups run.
func (r *nodeRig) untilReady(ids ...string) {
	r.t.Helper()
	for _, id := range ids {
		r.until(id+" is ready", func() bool {
			err, done := r.nodes[id].formError()
			require.NoError(r.t, err)
			return done && r.nodes[id].Ready()
		})
	}
}

// cluster is the id of the cluster that all these are of.
func (r *nodeRig) cluster(ids ...string) string {
	r.t.Helper()
	c := r.nodes[ids[0]].identity().Char
	require.NotNil(r.t, c)
	for _, id := range ids {
		require.Equal(r.t, c, r.nodes[id].identity().Char)
	}
	return c.Cluster
}
