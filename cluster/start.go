package cluster

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/hashicorp/raft"

	"entrepot/cluster/mesh"
)

// Start joins the group. It opens the stores, makes a group of Config.Voters if
// there is none yet, applies to the FSM what a snapshot mark says Raft will not
// bring (K+1 up to the mark), and starts Raft. It returns before there is a
// leader; see OnLeader.
//
// Errors: *journal.CorruptionError (wrapped) for a damaged log; others for a
// directory whose parts do not belong together, or to another node id.
func Start(cfg Config) (*Group, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	log, err := cfg.Store.Log(cfg.Shard)
	if err != nil {
		return nil, err
	}
	return open(cfg, log, cfg.Store.Marks(cfg.Shard))
}

// open is Start over any log and marks.
func open(cfg Config, log entryLog, marks markStore) (*Group, error) {
	silenceMetrics()
	cfg = cfg.withDefaults()
	stable, err := openStable(&cfg)
	if err != nil {
		return nil, err
	}
	g, err := start(cfg, stable, log, marks)
	if err != nil {
		return nil, errors.Join(err, stable.Close())
	}
	return g, nil
}

// start does all but open the stable store.
func start(cfg Config, stable *stableStore, log entryLog, marks markStore) (*Group, error) {
	g := newGroup(cfg, stable, log, marks)
	p := parts{conf: g.raftConfig(), stable: stable, logs: g.logs, snaps: g.snaps}
	if g.peers != nil {
		p.trans = g.peers
	} else {
		g.solo = newSoloTransport(raft.ServerID(cfg.NodeID))
		p.trans = g.solo
	}
	defer close(g.started)
	if err := p.recover(cfg.FSM, cfg.Voters); err != nil {
		return nil, err
	}
	if mark, err := g.snaps.latest(); err != nil {
		return nil, err
	} else if mark != nil {
		g.confs.reset(mark.ConfigurationIndex, mark.Configuration)
	}
	var err error
	if g.raft, err = p.newRaft(&machine{
		fsm: cfg.FSM, batcher: g.batcher, intake: &g.intake, clock: g.clock, snaps: g.snaps, confs: &g.confs,
		newConf: g.configured, restored: g.restored, failed: g.fatal, advanced: g.advanced,
	}); err != nil {
		return nil, err
	}
	if err := g.settleIn(p); err != nil {
		g.end()
		return nil, err
	}
	return g, nil
}

// newGroup makes all parts but Raft.
func newGroup(cfg Config, stable *stableStore, log entryLog, marks markStore) *Group {
	g := &Group{
		cfg: cfg, stable: stable, snapshot: newSnapshotter(&cfg), clock: newClock(cfg.Wall),
		notify: make(chan bool, notifyRoom), routed: make(chan struct{}, 1),
		transfers: make(chan struct{}, 1), barriers: make(chan struct{}, 1),
		raftUp: make(chan struct{}), started: make(chan struct{}), ended: make(chan struct{}),
	}
	g.ctx, g.cancel = context.WithCancel(context.Background())
	g.followers = newFollowers(log.Last)
	g.batcher = newBatcher(&cfg, g.clock)
	g.batcher.propose = g.propose
	g.logs = &logStore{log: log, writes: make(chan struct{}, 1), batcher: g.batcher, grown: g.snapshot.grown, failed: g.fatal,
		keepFrom: g.followers.keepFrom, awaitMending: g.awaitMending}
	stable.failed = g.fatal
	g.snaps = &snapStore{marks: marks, streams: cfg.Streams, log: log, confs: &g.confs, ctx: g.ctx, failed: g.fatal}
	g.intake = intake{shard: cfg.Shard, propose: g.batcher.proposeFor, millis: g.clock.millis}
	if cfg.Hub != nil {
		g.batcher.forward = g.forward
		g.peers = newTransport(&cfg, g.followers, g.clock)
		g.peers.term, g.peers.leads, g.peers.commit = g.term, g.leads, func() uint64 { return g.raft.CommitIndex() }
		g.logs.early = g.peers.early
		g.intake.send = func(to mesh.Peer, msg []byte) { _ = cfg.Hub.mesh.SendTo(to, ChanUrgent, msg) }
	}
	return g
}

// notifyRoom is how many changes of leadership Raft may announce while the
// goroutine that follows them waits for a barrier.
const notifyRoom = 16

// applyRoom is Raft's MaxAppendEntries: with packs of 256 KiB, what one
// AppendEntries may carry, and the room of Raft's queue of proposals.
//
// Invariant: Config.Outstanding (at most half of it), foreignRoom and one barrier fit
// in it, so that a proposal never blocks, with Batcher.mu held. What is left in it
// when the lead is lost is gone before it is taken up again: caughtUp's barrier goes
// through the same queue.
const applyRoom = 32

func (g *Group) raftConfig() *raft.Config {
	c := raft.DefaultConfig()
	c.ProtocolVersion = raft.ProtocolVersionMax
	c.LocalID = raft.ServerID(g.cfg.NodeID)
	c.HeartbeatTimeout = g.cfg.HeartbeatTimeout
	c.ElectionTimeout = g.cfg.ElectionTimeout
	if g.cfg.Eager { // until somebody leads, see setPatience
		c.HeartbeatTimeout, c.ElectionTimeout = g.cfg.LeaseTimeout, g.cfg.LeaseTimeout
	}
	c.LeaderLeaseTimeout = g.cfg.LeaseTimeout
	c.CommitTimeout = g.cfg.CommitTimeout
	c.MaxAppendEntries = applyRoom
	c.BatchApplyCh = true
	c.TrailingLogs = trailingLogs(&g.cfg, 1, 0, 0)
	c.SnapshotInterval = 24 * time.Hour // ours decides, see snapshotter
	c.SnapshotThreshold = math.MaxUint64
	c.NoSnapshotRestoreOnStart = true // replay has done it
	c.NoLegacyTelemetry = true
	c.NotifyCh = g.notify
	c.ShutdownOnRemove = false // a removed member may be added again
	c.Logger = raftLogger{g.cfg.Logger.With("shard", g.cfg.Shard)}
	return c
}

// parts is what Raft is made of.
type parts struct {
	conf   *raft.Config
	stable *stableStore
	logs   *logStore
	snaps  *snapStore
	trans  raft.Transport
}

// newRaft starts Raft, which reads the log from the mark on. Raft panics when it
// can't read an entry; that is an error here.
func (p *parts) newRaft(m *machine) (r *raft.Raft, err error) {
	defer func() {
		if v := recover(); v != nil {
			damage := p.logs.damage.Load()
			if damage == nil {
				panic(v)
			}
			r, err = nil, *damage
		}
	}()
	r, err = raft.NewRaft(p.conf, m, p.logs, p.stable, p.snaps, p.trans)
	if err != nil {
		return nil, fmt.Errorf("cluster: start raft: %w", err)
	}
	return r, nil
}

func (g *Group) restored() {
	if g.cfg.OnRestore != nil {
		g.cfg.OnRestore()
	}
}

// advanced: entries were applied.
func (g *Group) advanced() {
	if g.peers != nil {
		g.peers.lulls.committed()
	}
}

// settleIn looks at the configuration that Raft found, and begins.
func (g *Group) settleIn(p parts) error {
	conf := g.raft.GetConfiguration().Configuration()
	alone := len(conf.Servers) == 1 && voters(conf) == 1 && conf.Servers[0].ID == p.conf.LocalID
	if g.cfg.Hub == nil && !alone {
		return fmt.Errorf("cluster: the log of shard %d belongs to %v, this node is %q alone", g.cfg.Shard, servers(conf), g.cfg.NodeID)
	}
	close(g.raftUp)
	g.configured(conf)
	g.raft.RegisterObserver(raft.NewObserver(nil, false, g.observed))
	g.routed <- struct{}{} // what was before we observed
	g.tasks.Go(g.followLeadership)
	g.tasks.Go(func() { g.snapshot.run(g.raft, g.tune, g.cfg.Logger, g.ended) })
	g.tasks.Go(func() { g.batcher.cutter(g.ended) })
	if g.peers != nil {
		g.tasks.Go(g.peers.run)
		g.cfg.Hub.join(g)
	}
	if alone {
		g.electNow()
	}
	return nil
}

// electNow lets a single voter lead at once.
func (g *Group) electNow() {
	if g.peers != nil {
		electNow(g.peers.consumer)
		return
	}
	electNow(g.solo.consumer)
}

// configured is told of every configuration: the one that was found, and those that
// are committed.
func (g *Group) configured(conf raft.Configuration) {
	all := servers(conf)
	g.members.Store(&all)
	g.tune()
}

// tune sets what depends on the number of voters and on the size of entries.
func (g *Group) tune() {
	if !closed(g.raftUp) {
		return // Raft is being made, and settleIn does it
	}
	n := 0
	for _, s := range g.membersNow() {
		if s.Voter {
			n++
		}
	}
	g.tuning.Lock()
	defer g.tuning.Unlock()
	rc := g.raft.ReloadableConfig()
	if t := trailingLogs(&g.cfg, n, g.snapshot.entryBytes(), g.stateBytes()); t != rc.TrailingLogs {
		rc.TrailingLogs = t
		if err := g.raft.ReloadConfig(rc); err != nil {
			g.cfg.Logger.Error("raft refuses its settings", "error", err)
		}
	}
}

// How much log stays behind a snapshot for followers that were away for a moment.
// More than a few packs of it are written once more when a memtable is flushed, and
// again when that is compacted: 64 MiB cost 2 to 4 KiB of disk a message of 1 KiB on
// three nodes, and a fifth of the CPU. What it saves is a stream of the state, so it
// is worth more where there is much of that.
const (
	leastTrailingBytes = 8 << 20
	mostTrailingBytes  = 128 << 20
	trailingShare      = 32 // of the state's bytes, one in so many
)

func trailingLogs(cfg *Config, voters int, entryBytes int64, stateBytes uint64) uint64 {
	switch {
	case cfg.TrailingLogs > 0:
		return cfg.TrailingLogs
	case voters <= 1:
		return 64
	}
	bytes := min(max(int64(stateBytes/trailingShare), leastTrailingBytes), mostTrailingBytes)
	return uint64(min(max(bytes/max(entryBytes, 1), 32), 8192))
}

// stateBytes is about how large a stream of the state would be.
func (g *Group) stateBytes() uint64 {
	if g.cfg.Streams == nil {
		return 0
	}
	return g.cfg.Streams.StateBytes()
}

// propose hands a pack to Raft. It does not block, see applyRoom. What Raft answers
// is not looked at: what counts is what is applied.
func (g *Group) propose(data []byte) { g.raft.Apply(data, 0) }

// term is Raft's term, 0 before it was started.
func (g *Group) term() uint64 {
	if !closed(g.raftUp) {
		return 0
	}
	return g.raft.CurrentTerm()
}

// leads: Raft is the leader of that term, be it caught up or not.
func (g *Group) leads(term uint64) bool {
	return closed(g.raftUp) && g.raft.State() == raft.Leader && g.raft.CurrentTerm() == term
}

// awaitMending waits a moment, in a running group with peers.
func (g *Group) awaitMending() bool {
	if g.peers == nil || !closed(g.raftUp) {
		return false
	}
	select {
	case <-time.After(mendPause):
		return true
	case <-g.ctx.Done():
		return false
	}
}
