package cluster

import "time"

// This file is about who may deliver. A dispatcher ends with its leader, but what it has
// given to consumers on other nodes is on its way or waits there for credit. None of it
// may begin to be sent when the next leader has told somebody that a message is gone. So
// a node sends for as long as it is in touch with the leader (InTouch), and a new leader
// begins when nobody can be in touch with an earlier one any more (LeaseValid).

// reign is who led a term.
type reign struct {
	leader string
	term   uint64
}

// heard keeps the latest reign.
func (t *transport) heard(r reign) {
	for old := t.reigned.Load(); old == nil || old.term < r.term; old = t.reigned.Load() {
		if t.reigned.CompareAndSwap(old, &r) {
			return
		}
	}
}

// deposed is the leader of the term before, if those who have elected this node had not
// heard of it for as long as its lease: so that is over, and what it does is nobody's
// business. "": it is not known, or it handed over to us, which nobody waits for.
func (t *transport) deposed(term uint64) string {
	if r := t.reigned.Load(); r != nil && r.term+1 == term && t.pushed.Load() != r.term {
		return r.leader
	}
	return ""
}

// takeLease is told that this node leads a term. A member that is out of our reach may
// be in touch with an earlier leader, which gives up when it has heard of no majority for
// a lease. That was one lease ago, but for answers that have come to it late; and the
// member will notice one lease after the last word.
func (g *Group) takeLease(term uint64) {
	aware := time.Now().Add(2 * g.cfg.LeaseTimeout)
	g.aware.Store(&aware)
	g.led.Store(term)
	g.lease.Store(term)
}

// LeaseValid: this node leads and a majority has answered, in this term, a message
// that was sent less than LeaseTimeout before now: nobody else leads yet. Nor does any
// member take an earlier leader for the present one (InTouch): it has answered in this
// term, or has had the time to notice. Always true for a single voter that leads. See
// followers.
func (g *Group) LeaseValid(now time.Time) bool {
	term := g.lease.Load()
	if term == 0 || !g.Leader() {
		return false
	}
	members := g.membersNow()
	voters, self := 0, 0
	for _, s := range members {
		if s.Voter {
			voters++
			if s.ID == g.cfg.NodeID {
				self = 1
			}
		}
	}
	need := voters/2 + 1 - self
	switch {
	case need <= 0:
		return true
	case g.followers.promised(term, members, now.Add(-g.cfg.LeaseTimeout)) < need:
		return false
	}
	return !now.Before(*g.aware.Load()) || g.followers.aware(term, members, g.cfg.NodeID, g.peers.deposed(term))
}

// InTouch: the leader of a term leads still, as far as this node can know. Either it is
// this one, see LeaseValid, or it has sent something less than LeaseTimeout before now,
// and nobody of a later term has.
func (g *Group) InTouch(term uint64, now time.Time) bool {
	if g.led.Load() == term {
		return g.lease.Load() == term && g.LeaseValid(now)
	}
	// In this order: what a later leader sends counts for the term only after it.
	contact := g.raft.LastContact()
	return now.Sub(contact) < g.cfg.LeaseTimeout && g.raft.CurrentTerm() == term
}
