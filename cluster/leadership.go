package cluster

import (
	"context"
)

// followLeadership turns what Raft says about leadership into roles of the
// batcher and calls of OnLeader. It returns when Raft has ended.
func (g *Group) followLeadership() {
	leading := false
	set := func(now bool) {
		if now == leading {
			return
		}
		leading = now
		if g.cfg.OnLeader != nil {
			g.cfg.OnLeader(now, g.raft.CurrentTerm())
		}
	}
	for {
		select {
		case elected := <-g.notify:
			if !elected {
				g.step(false, set)
			} else if g.caughtUp() {
				g.step(true, set)
			}
		case <-g.ended:
			g.step(false, set)
			return
		}
	}
}

// step takes up or gives up the lead. Giving up, deliveries are stopped first
// (OnLeader) and senders told afterwards: telling may wait for Raft.
func (g *Group) step(lead bool, onLeader func(bool)) {
	g.leader.Store(lead)
	if lead {
		g.batcher.lead()
		onLeader(true)
		return
	}
	onLeader(false)
	g.batcher.lost(g.ended)
}

// caughtUp waits until the FSM has everything that earlier leaders committed.
// False: the lead was lost meanwhile, which Raft says next.
//
// It does not block Raft: notify has room for what Raft may have to say until it
// answers the barrier.
func (g *Group) caughtUp() bool {
	err := g.barrier(context.Background())
	if err != nil {
		g.cfg.Logger.Info("lead lost before it was taken up", "shard", g.cfg.Shard, "error", err)
	}
	return err == nil
}
