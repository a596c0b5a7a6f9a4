package broker

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"entrepot/broker/config"
	"entrepot/cluster"
	"entrepot/cluster/mesh"
	"entrepot/journal"
	"entrepot/queue"
)

// This file joins the broker to its cluster, be it a cluster of one.

const (
	// standalonePackBytes is more than a pack may have where it has to travel to
	// followers: with messages of 16 KiB an fsync for every 256 KiB was the limit
	// (7.0k/s against 5.3k/s in turn, and 77 us of CPU against 94).
	standalonePackBytes = 1 << 20
	// standaloneTrailing is how many log entries are kept for followers that lag:
	// there are none, and what is kept is written once more when a memtable is full.
	standaloneTrailing = 4
	// startTimeout is how long a standalone node may take to lead its shards.
	startTimeout = 60 * time.Second
	// leadGrace is how long a node that stops looks for others to lead.
	leadGrace = 3 * time.Second
)

// clustered tells whether there may be other nodes.
func (b *Broker) clustered() bool { return b.cfg.Cluster.Clustered() }

// shards are all parts of the queues; none before the cluster has formed.
func (b *Broker) shards() []*shard {
	if list := b.shardList.Load(); list != nil {
		return *list
	}
	return nil
}

// mesh connects the nodes; nil for a standalone node.
func (b *Broker) mesh() *mesh.Mesh {
	if !b.clustered() {
		return nil
	}
	return b.cluster.Mesh()
}

// openNode makes this process's part in the cluster.
func (b *Broker) openNode() error {
	c := &b.cfg.Cluster
	cfg := cluster.NodeConfig{
		ID: c.Node, Shards: int(c.Shards),
		Dir:   filepath.Join(b.cfg.Data, "raft"),
		Store: b.store, Logger: b.log, Release: b.version,
		OnFatal: b.fatal, OnRepair: b.repair,
	}
	if b.clustered() {
		tls, err := c.TLS.Load()
		if err != nil {
			return err
		}
		listener, err := b.around.Listen("tcp", c.Listen)
		if err != nil {
			return fmt.Errorf("cluster: %w", err)
		}
		cfg.Listener, cfg.TLS = listener, tls
		cfg.Advertise, cfg.Dial = c.Advertised(), b.around.Dial
		cfg.Peers = peersOf(c)
	}
	node, err := cluster.OpenNode(cfg)
	if err != nil {
		if cfg.Listener != nil {
			err = errors.Join(err, cfg.Listener.Close())
		}
		return err
	}
	b.cluster = node
	if m := b.mesh(); m != nil {
		m.Handle(cluster.ChanDispatch, b.peerSaid)
		m.Watch(b.peerChanged)
	}
	return nil
}

// peersOf are the configured peers. A node that is not one of them joins, and never
// founds a cluster; without any it is a cluster of one.
func peersOf(c *config.Cluster) []cluster.Peer {
	peers := make([]cluster.Peer, 0, len(c.Peers))
	for _, p := range c.Peers {
		peers = append(peers, cluster.Peer{ID: p.ID, Address: p.Address})
	}
	return peers
}

// startShards waits until the cluster is there and joins its groups.
func (b *Broker) startShards(ctx context.Context) error {
	formed, err := b.cluster.Form(ctx)
	if err != nil {
		return err
	}
	var list []*shard
	for id := range formed.Shards {
		j, err := b.cluster.Shard(uint16(id))
		if err != nil {
			return err
		}
		list = append(list, newShard(b, uint16(id), formed.Shards, j))
	}
	b.shardList.Store(&list)
	cfg := cluster.Config{
		Wall:             b.around.Wall,
		Logger:           b.log,
		Compress:         b.clustered(),
		HeartbeatTimeout: b.cfg.Cluster.Heartbeat,
		ElectionTimeout:  b.cfg.Cluster.Election,
		LeaseTimeout:     b.cfg.Cluster.Lease,
	}
	if !b.clustered() {
		cfg.MaxPackBytes, cfg.TrailingLogs = standalonePackBytes, standaloneTrailing
	}
	for _, s := range list {
		if b.around.Stable != nil {
			cfg.Stable = b.around.Stable(s.id)
		}
		if err := s.start(b.cluster, cfg); err != nil {
			return err
		}
	}
	b.askSeats()
	if b.clustered() {
		return b.awaitRecord(ctx) // a leader is waited for by producers, and by Ready
	}
	for _, s := range list {
		select {
		case <-s.routed:
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(startTimeout):
			return errors.New("broker: no leader was elected in time")
		}
	}
	return nil
}

// recordLook is how often a new node looks whether the cluster has it on record.
const recordLook = 20 * time.Millisecond

// awaitRecord waits until the cluster would know this node again: what a client was
// promised before could be forgotten with the disk, and nobody would notice.
func (b *Broker) awaitRecord(ctx context.Context) error {
	ticker := time.NewTicker(recordLook)
	defer ticker.Stop()
	for !b.cluster.Ready() {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// damaged is told by the store that a record of a shard can't be read.
func (b *Broker) damaged(shard uint16, err *journal.CorruptionError) {
	if b.clustered() {
		b.cluster.Damaged(shard, err)
	}
}

// repair is told when this node's replica of a shard is not to be read, and when it
// may be again.
func (b *Broker) repair(shard uint16, broken bool) {
	for _, s := range b.shards() {
		if s.id == shard {
			s.repairing.Store(broken)
			if broken {
				s.news.tell() // who waits for a fact learns that there are none
			} else {
				s.restored()
			}
		}
	}
}

// leaveLead gives away what this node leads, so that clients of other nodes, and our
// own as long as they are here, go on without a pause.
func (b *Broker) leaveLead(ctx context.Context) {
	if !b.clustered() || b.shards() == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, leadGrace)
	defer cancel()
	if err := b.cluster.StopGracefully(ctx); err != nil {
		b.log.Warn("nobody takes the lead over", "error", err)
	}
}

// quiesce waits until everything that was gathered so far has been answered.
func (b *Broker) quiesce(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, settleGrace)
	defer cancel()
	var all sync.WaitGroup
	for _, s := range b.shards() {
		all.Go(func() { s.quiesce(ctx) })
	}
	all.Wait()
}

// totals are the sums over all shards.
func (b *Broker) totals() (sum queue.Totals) {
	for _, s := range b.shards() {
		t := s.journal.Totals()
		sum.Queues += t.Queues
		sum.Count += t.Count
		sum.Bytes += t.Bytes
		sum.Enqueued += t.Enqueued
		sum.EnqueuedBytes += t.EnqueuedBytes
		for i := range t.Removed {
			sum.Removed[i] += t.Removed[i]
		}
	}
	return sum
}
