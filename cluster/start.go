package cluster

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/hashicorp/raft"
)

// Start joins the group. It opens the stores, makes a group of one voter if
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
	stable, err := openStable(cfg.Dir, cfg.Shard)
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
	g := &Group{
		cfg: cfg, stable: stable, snapshot: newSnapshotter(&cfg),
		notify: make(chan bool, notifyRoom), started: make(chan struct{}), ended: make(chan struct{}),
	}
	g.batcher = newBatcher(
		limits{packBytes: cfg.MaxPackBytes, packRecords: cfg.MaxPackRecords, outstanding: 1},
		g.propose, time.Now, cfg.OnPack)
	g.logs = &logStore{log: log, batcher: g.batcher, grown: g.snapshot.grown, failed: g.fatal}
	stable.failed = g.fatal
	g.snaps = &snapStore{marks: marks, failed: g.fatal}
	p := parts{
		conf: g.raftConfig(), stable: stable, logs: g.logs, snaps: g.snaps,
		trans: newSoloTransport(raft.ServerID(cfg.NodeID)),
	}
	defer close(g.started)
	if err := p.recover(cfg.FSM); err != nil {
		return nil, err
	}
	var err error
	if g.raft, err = p.newRaft(&machine{fsm: cfg.FSM, batcher: g.batcher, failed: g.fatal}); err != nil {
		return nil, err
	}
	if err := g.settleIn(p); err != nil {
		g.end()
		return nil, err
	}
	return g, nil
}

// notifyRoom is how many changes of leadership Raft may announce while the
// goroutine that follows them waits for a barrier.
const notifyRoom = 16

// applyRoom is Raft's MaxAppendEntries: with packs of 256 KiB, what one
// AppendEntries may carry, and the room of Raft's queue of proposals.
//
// Invariant: Config.Outstanding and one barrier fit in it, so that a proposal
// never blocks, with Batcher.mu held.
const applyRoom = 32

func (g *Group) raftConfig() *raft.Config {
	c := raft.DefaultConfig()
	c.ProtocolVersion = raft.ProtocolVersionMax
	c.LocalID = raft.ServerID(g.cfg.NodeID)
	c.HeartbeatTimeout = g.cfg.HeartbeatTimeout
	c.ElectionTimeout = g.cfg.ElectionTimeout
	c.LeaderLeaseTimeout = g.cfg.LeaseTimeout
	c.CommitTimeout = g.cfg.CommitTimeout
	c.MaxAppendEntries = applyRoom
	c.BatchApplyCh = true
	c.TrailingLogs = trailingLogs(&g.cfg, 1)
	c.SnapshotInterval = 24 * time.Hour // ours decides, see snapshotter
	c.SnapshotThreshold = math.MaxUint64
	c.NoSnapshotRestoreOnStart = true // replay has done it
	c.NoLegacyTelemetry = true
	c.NotifyCh = g.notify
	c.Logger = raftLogger{g.cfg.Logger.With("shard", g.cfg.Shard)}
	return c
}

// parts is what Raft is made of.
type parts struct {
	conf   *raft.Config
	stable *stableStore
	logs   *logStore
	snaps  *snapStore
	trans  *soloTransport
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

// settleIn looks at the configuration that Raft found, and begins.
func (g *Group) settleIn(p parts) error {
	conf := g.raft.GetConfiguration().Configuration()
	n := voters(conf)
	if n != 1 || conf.Servers[0].ID != p.conf.LocalID {
		return fmt.Errorf("cluster: the log of shard %d belongs to %v, this node is %q", g.cfg.Shard, conf.Servers, g.cfg.NodeID)
	}
	g.tune(n)
	g.tasks.Go(g.followLeadership)
	g.tasks.Go(func() { g.snapshot.run(g.raft, g.cfg.Logger, g.ended) })
	g.tasks.Go(func() { g.batcher.cutter(g.ended) })
	electNow(p.trans.consumer)
	return nil
}

// tune sets what depends on the number of voters.
func (g *Group) tune(voters int) {
	outstanding := g.cfg.Outstanding
	if outstanding == 0 {
		outstanding = min(voters, 2)
	}
	g.batcher.setOutstanding(min(outstanding, applyRoom/2))
	rc := g.raft.ReloadableConfig()
	rc.TrailingLogs = trailingLogs(&g.cfg, voters)
	if err := g.raft.ReloadConfig(rc); err != nil {
		g.cfg.Logger.Error("raft refuses its settings", "error", err)
	}
}

func trailingLogs(cfg *Config, voters int) uint64 {
	switch {
	case cfg.TrailingLogs > 0:
		return cfg.TrailingLogs
	case voters == 1:
		return 64
	}
	return 2048
}

// propose hands a pack to Raft. It does not block, see applyRoom.
func (g *Group) propose(data []byte) proposal { return g.raft.Apply(data, 0) }
