package cluster

import (
	"context"
	"time"

	"github.com/hashicorp/raft"
)

// leadership is what followLeadership knows and has told.
type leadership struct {
	leading bool
	term    uint64 // as Raft told of the last change
	route   Route
}

// followLeadership turns what Raft says about leaders into routes of the batcher and
// calls of OnLeader and OnRoute. It returns when Raft has ended.
func (g *Group) followLeadership() {
	var l leadership
	for {
		select {
		case elected := <-g.notify:
			l.term = g.raft.CurrentTerm()
			// If Raft has said more by now, that lead is lost, and the term may be another's.
			g.step(&l, elected && len(g.notify) == 0 && g.caughtUp(l.term))
		case <-g.routed:
		case <-g.ended:
			g.step(&l, false)
			g.batcher.abandon()
			return
		}
		g.tellRoute(&l)
	}
}

// observed is asked by Raft, in its own goroutines, whether an observation is wanted.
// None is; that the leader may have changed is what we wanted to know.
func (g *Group) observed(o *raft.Observation) bool {
	if _, ok := o.Data.(raft.LeaderObservation); ok {
		select {
		case g.routed <- struct{}{}:
		default:
		}
	}
	return false
}

// step takes up or gives up the lead. Giving up, deliveries are stopped first.
func (g *Group) step(l *leadership, lead bool) {
	if lead == l.leading {
		return
	}
	l.leading = lead
	term := l.term
	g.leader.Store(lead)
	if !lead {
		g.say("this node leads no longer", g.led.Load())
		g.lease.Store(0)
		g.tellLeader(false, term)
		g.clock.follow()
		g.batcher.setRoute(route{})
		g.intake.set(intakeClosed)
		g.followers.forget()
		return
	}
	g.say("this node leads", term)
	g.elections.Add(1)
	g.clock.lead()
	g.takeLease(term)
	g.batcher.setRoute(route{local: true})
	g.intake.set(intakeOpen)
	g.tellLeader(true, term)
}

// say logs what has become of the lead; nobody else can have that of a single node.
func (g *Group) say(what string, term uint64) {
	if g.cfg.Hub != nil {
		g.cfg.Logger.Info(what, "shard", g.cfg.Shard, "term", term)
	}
}

func (g *Group) tellLeader(lead bool, term uint64) {
	if g.cfg.OnLeader != nil {
		g.cfg.OnLeader(lead, term)
	}
}

// tellRoute tells who leads, if that has changed.
func (g *Group) tellRoute(l *leadership) {
	_, id := g.raft.LeaderWithID()
	r := Route{Leader: string(id), Term: g.raft.CurrentTerm()}
	switch {
	case l.leading:
		r.Leader = g.cfg.NodeID
	case r.Leader == g.cfg.NodeID:
		r.Leader = "" // elected, but not caught up
	}
	if !l.leading {
		g.batcher.setRoute(route{leader: r.Leader})
	}
	if r == l.route {
		return
	}
	l.route = r
	if r.Leader != "" {
		g.setPatience(g.cfg.HeartbeatTimeout, g.cfg.ElectionTimeout)
	}
	if g.cfg.OnRoute != nil {
		g.cfg.OnRoute(r)
	}
}

// caughtUp waits until the FSM has everything that earlier leaders committed.
// False: the lead was lost meanwhile, which Raft says next. Packs of other nodes are
// held for that long.
//
// It does not block Raft: notify has room for what Raft may have to say until it
// answers the barrier.
func (g *Group) caughtUp(term uint64) bool {
	g.intake.set(intakeHolds)
	err := g.barrier(context.Background())
	if err == nil && g.raft.CurrentTerm() != term { // deposed in between, which Raft tells next
		err = ErrNotLeader
	}
	if err != nil {
		g.intake.set(intakeClosed)
		g.cfg.Logger.Info("lead lost before it was taken up", "shard", g.cfg.Shard, "error", err)
	}
	return err == nil
}

// leaderConnected is told of connections to peers and of their end. If one to the leader
// ends, that has most likely died, and so this node waits less before it looks for
// another one. No less than the lease, which would not hold otherwise (see followers);
// and if others still hear of the leader, they keep it (PreVote). A leader that is
// connected again, or another one, restores the patience.
func (g *Group) leaderConnected(peer string, up bool) {
	switch _, leader := g.raft.LeaderWithID(); {
	case string(leader) != peer:
	case up:
		g.setPatience(g.cfg.HeartbeatTimeout, g.cfg.ElectionTimeout)
	default:
		g.setPatience(g.cfg.LeaseTimeout, g.cfg.LeaseTimeout)
	}
}

// setPatience sets how long Raft waits for a leader, and for votes.
func (g *Group) setPatience(heartbeat, election time.Duration) {
	g.tuning.Lock()
	defer g.tuning.Unlock()
	rc := g.raft.ReloadableConfig()
	if rc.HeartbeatTimeout == heartbeat && rc.ElectionTimeout == election {
		return
	}
	rc.HeartbeatTimeout, rc.ElectionTimeout = heartbeat, election
	if err := g.raft.ReloadConfig(rc); err != nil {
		g.cfg.Logger.Error("raft refuses its settings", "error", err)
	}
}
