package cluster

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"
)

// keepEvery is how often a node looks whether what is on record fits what it sees.
// Changes that it hears of make it look at once.
const keepEvery = 500 * time.Millisecond

// keep follows the settings for as long as the node runs: addresses of peers, the
// level, this node's own membership; and, where shard 0 is led, keeps the records
// up to date.
func (n *Node) keep() {
	tick := time.NewTicker(keepEvery)
	defer tick.Stop()
	for {
		select {
		case <-n.closing:
			return
		case <-n.kick:
		case <-tick.C:
		}
		n.keepOnce(time.Now())
	}
}

func (n *Node) keepOnce(now time.Time) {
	r := n.replica(0)
	if r == nil || r.held() {
		return
	}
	v, err := readView(r.journal)
	if err != nil {
		n.noteFact("the settings can't be read", err.Error())
		return
	}
	if mine := n.identity().Char; v.charter != nil && v.charter.Cluster != mine.Cluster {
		n.fatal(fmt.Errorf("%w: the identity of the data directory says cluster %s, its settings say %s", ErrRefused, mine.Cluster, v.charter.Cluster))
		return
	}
	if err := n.keepLevel(v); err != nil {
		n.noteFact("the identity can't be written", err.Error())
		return // Level stays what it is on disk
	}
	n.current.Store(&v)
	n.address(v, now)
	n.checkRemoved(v)
	if r.group.Leader() && len(n.dueSettings(v)) > 0 {
		if err := n.updateSettings(); err != nil {
			n.noteFact("the settings can't be written", err.Error())
		}
	}
	if n.Ready() {
		n.setWaiting("")
	} else {
		n.setWaiting("a majority to put this node on record")
	}
}

// keepLevel notes, durably, what may be in this journal, before anything that
// depends on it is written: see openIdentity.
func (n *Node) keepLevel(v view) error {
	if v.level <= n.identity().Level {
		return nil
	}
	return n.changeIdentity(func(id *identity) { id.Level = v.level })
}

// settingsPatience bounds one change of the settings.
const settingsPatience = 10 * time.Second

func (n *Node) updateSettings() error {
	ctx, cancel := context.WithTimeout(context.Background(), settingsPatience)
	defer cancel()
	v, err := n.decide(ctx)
	if err != nil {
		return err
	}
	defer n.deciding.Unlock()
	changes := n.dueSettings(v)
	if len(changes) == 0 {
		return nil
	}
	return n.record(ctx, changes...)
}

// dueSettings are the records that the leader of shard 0 has to write: who founded
// the cluster, at first; what members say of themselves, later.
func (n *Node) dueSettings(v view) []setting {
	if v.charter == nil {
		return foundingSettings(n.identity().Char)
	}
	var changes []setting
	level := uint32(0)
	for _, id := range v.active() {
		m := v.members[id]
		said, met := n.said(id)
		if met && m.Data != "" && said.Data == m.Data && m.learn(said) {
			changes = append(changes, memberSetting(m))
		}
		if m.Data != "" && (level == 0 || m.Level < level) {
			level = m.Level
		}
		if m.Data != "" && m.Level == 0 {
			return changes // no level before everybody has said what it knows
		}
	}
	if level > v.level {
		changes = append(changes, levelSetting(level))
	}
	return changes
}

// learn takes over what a member says of itself, and tells whether that is news.
func (m *member) learn(said metPeer) (news bool) {
	before := *m
	if said.Address != "" {
		m.Address = said.Address
	}
	m.Level = said.Level
	if m.Drained != "" && !m.drained(said.incarnation) {
		m.Drained = "" // it has started again
	}
	return *m != before
}

func foundingSettings(c *charter) []setting {
	changes := []setting{charterSetting(c)}
	for _, id := range c.Voters {
		changes = append(changes, memberSetting(member{ID: id, Data: c.Founders[id], Address: c.Addresses[id], State: memberVoter}))
	}
	return changes
}

// said is the last hello of a peer, or this node's own.
func (n *Node) said(id string) (metPeer, bool) {
	if id == n.cfg.ID {
		n.mu.Lock()
		defer n.mu.Unlock()
		return metPeer{hello: hello{
			Node: n.cfg.ID, Data: n.id.Data, Address: n.cfg.Advertise, Level: n.cfg.KnownLevel,
		}, incarnation: n.incarnation, leaving: n.leaving}, true
	}
	return n.peers.get(id)
}

// address tells the mesh where to dial: the members, or, before this node knows
// any, its configured peers and whom those named.
func (n *Node) address(v view, now time.Time) {
	ids := v.active()
	n.mu.Lock()
	learned := maps.Clone(n.learned)
	n.mu.Unlock()
	if v.charter == nil {
		ids = slices.Sorted(maps.Keys(learned))
		ids = append(ids, n.voters...)
		slices.Sort(ids)
		ids = slices.Compact(ids)
	}
	for _, id := range ids {
		if id == n.cfg.ID {
			continue
		}
		said, _ := n.peers.get(id)
		p, _ := n.peerStatus(id)
		if a := n.peers.address(id, p.Connected, unique(said.Address, v.members[id].Address, n.configured[id], learned[id]), now); a != "" {
			n.mesh.SetAddress(id, a)
		}
	}
	n.forgetOthers(v, ids, now)
}

// farewell is how long a removed node may stay connected, so that it hears of it.
const farewell = 2 * time.Second

// forgetOthers stops dialling who is none of ids, and drops removed members.
func (n *Node) forgetOthers(v view, ids []string, now time.Time) {
	for _, id := range n.peers.known() {
		if !slices.Contains(ids, id) {
			n.mesh.SetAddress(id, "")
			n.peers.forget(id)
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for id, m := range v.members {
		since, known := n.gone[id]
		switch {
		case m.State != memberRemoved:
			delete(n.gone, id)
		case !known:
			n.gone[id] = now
		case now.Sub(since) >= farewell:
			n.mesh.Drop(id)
		}
	}
}

// unique drops repetitions and keeps the order.
func unique(list ...string) []string {
	var out []string
	for _, s := range list {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// learnAddresses notes where others say that members are.
func (n *Node) learnAddresses(a map[string]string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	maps.Copy(n.learned, a)
}

// memberAddresses are where this node knows the members to be.
func (n *Node) memberAddresses() map[string]string {
	v := n.current.Load()
	all := map[string]string{}
	if v.charter == nil {
		if c := n.identity().Char; c != nil {
			maps.Copy(all, c.Addresses)
		}
	}
	for _, id := range v.active() {
		all[id] = v.members[id].Address
	}
	if n.cfg.Advertise != "" {
		all[n.cfg.ID] = n.cfg.Advertise
	}
	return all
}

// checkRemoved ends a node that the cluster has removed: a majority of the others
// refuses it for that. Its own copy of the settings may not say so, because it is cut
// off, or may still say so when it was added again.
func (n *Node) checkRemoved(v view) {
	if v.charter == nil {
		return
	}
	others := slices.DeleteFunc(v.active(), func(id string) bool { return id == n.cfg.ID })
	votes := 0
	for by := range n.peers.refusals(refusedRemoved) {
		if slices.Contains(others, by) {
			votes++
		}
	}
	if len(others) == 0 || votes < majority(len(others)) {
		return
	}
	err := fmt.Errorf("%w: %s was removed from the cluster", ErrRefused, n.cfg.ID)
	if e := n.changeIdentity(func(id *identity) { id.Member, id.Removed = false, true }); e != nil {
		n.noteFact("the identity can't be written", e.Error())
	}
	n.mu.Lock()
	n.refusal = err.Error()
	n.mu.Unlock()
	n.fatal(err)
}

// guard is what admit needs to know.
func (n *Node) guard() guard {
	id, v := n.identity(), n.current.Load()
	g := guard{self: n.cfg.ID, level: v.level, members: v.members}
	if id.Member {
		g.cluster = id.Char.Cluster
		if v.charter == nil { // not on record yet: the charter itself says who the founders are
			g.members = map[string]member{}
			for node, data := range id.Char.Founders {
				g.members[node] = member{ID: node, Data: data, State: memberVoter}
			}
		}
	}
	return g
}
