package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"entrepot/cluster/mesh"
	"entrepot/queue"
)

// joinRequest asks the leader of shard 0 to record a node with its data.
type joinRequest struct {
	Node    string `json:"node"`
	Data    string `json:"data"`
	Address string `json:"address"`
	Level   uint32 `json:"level"`
}

// joinReply says how it went.
type joinReply struct {
	Status string `json:"status"`
	// Reason is for people.
	Reason string `json:"reason,omitempty"`
	// Leader of shard 0, if it is another node, and where members are.
	Leader    string            `json:"leader,omitempty"`
	Addresses map[string]string `json:"addresses,omitempty"`
	Charter   *charter          `json:"charter,omitempty"`
	Level     uint32            `json:"level,omitempty"`
}

// The words of joinReply.Status.
const (
	joinOK        = "ok"
	joinElsewhere = "elsewhere" // ask Leader
	joinUnknown   = "unknown"   // nobody has added this node
	joinRefused   = "refused"
)

// join asks every peer in turn until one answers for the cluster. done: this node
// is a member. The error is for what waiting can't change.
func (n *Node) join(ctx context.Context, c *charter) (done bool, err error) {
	n.setWaiting("the cluster " + c.Cluster + " exists; its leader can't be reached")
	if by := n.peers.refusals(refusedRemoved); n.identity().Removed && len(by) > 0 {
		n.setWaiting("this node was removed from the cluster: add it again, or remove its data directory and add it under a new id")
	}
	req := joinRequest{n.cfg.ID, n.identity().Data, n.cfg.Advertise, n.cfg.KnownLevel}
	for _, peer := range n.connected() {
		r, err := n.askToJoin(ctx, peer, req)
		if err != nil {
			continue // the next one may answer
		}
		n.learnAddresses(r.Addresses)
		switch r.Status {
		case joinOK:
			if err := r.Charter.check(); err != nil {
				return false, err
			}
			return true, n.become(r.Charter, r.Level)
		case joinUnknown:
			n.setWaiting(fmt.Sprintf("the cluster %s exists and %s is not a member: waiting for it to be added (entrepot cluster add %s %s)",
				c.Cluster, n.cfg.ID, n.cfg.ID, n.cfg.Advertise))
			return false, nil
		case joinRefused:
			return false, fmt.Errorf("%w: %s", ErrRefused, r.Reason)
		}
	}
	return false, nil
}

func (n *Node) askToJoin(ctx context.Context, peer string, req joinRequest) (joinReply, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*lookTimeout)
	defer cancel()
	return ask[joinReply](ctx, n, peer, callJoin, req)
}

// handleJoin records a node that was added, or is a founding voter that comes late.
func (n *Node) handleJoin(ctx context.Context, _ string, req joinRequest) (joinReply, error) {
	v, err := n.decide(ctx)
	if errors.Is(err, ErrNotLeader) || errors.Is(err, ErrStopped) {
		return joinReply{Status: joinElsewhere, Leader: n.leaderOf(0), Addresses: n.memberAddresses()}, nil
	}
	if err != nil {
		return joinReply{}, err
	}
	defer n.deciding.Unlock()
	if v.charter == nil { // the leader writes it in a moment
		return joinReply{Status: joinElsewhere}, nil
	}
	m, known := v.members[req.Node]
	if known && m.State == memberRemoved && m.Data == req.Data {
		return joinReply{Status: joinUnknown}, nil
	}
	// Also who may be added one day is told what will not do: its connection can be
	// older than the cluster's level.
	g := guard{self: n.cfg.ID, cluster: v.charter.Cluster, level: v.level, members: v.members}
	if r := g.admitData(req.Node, req.Data, req.Level); r != nil {
		return joinReply{Status: joinRefused, Reason: r.text}, nil
	}
	if !known {
		return joinReply{Status: joinUnknown}, nil
	}
	if m.Data != req.Data || m.Address != req.Address || m.Level != req.Level {
		m.Data, m.Address, m.Level = req.Data, req.Address, req.Level
		if err := n.record(ctx, memberSetting(m)); err != nil {
			return joinReply{}, err
		}
	}
	return joinReply{Status: joinOK, Charter: v.charter, Level: v.level, Addresses: n.memberAddresses()}, nil
}

// decide gives the settings as they are for sure, to change them: this node leads
// shard 0, has applied all of it, and nobody else on it changes settings until
// n.deciding is unlocked, which is the caller's, unless there is an error.
//
// Errors: ErrNotLeader, ErrStopped.
func (n *Node) decide(ctx context.Context) (view, error) {
	r := n.replica(0)
	if r == nil || !r.group.Leader() || r.held() {
		return view{}, ErrNotLeader
	}
	n.deciding.Lock()
	v, err := n.decided(ctx, r)
	if err != nil {
		n.deciding.Unlock()
	}
	return v, err
}

func (n *Node) decided(ctx context.Context, r *replica) (view, error) {
	if err := r.group.barrier(ctx); err != nil {
		return view{}, err
	}
	return readView(r.journal)
}

// record writes settings, all or none of them, and waits for that.
func (n *Node) record(ctx context.Context, changes ...setting) error {
	return n.propose(ctx, 0, func(b *queue.PackBuilder) {
		for _, c := range changes {
			b.Setting(c.key, c.value)
		}
	})
}

// propose puts records into one pack of a shard and waits until it was applied
// here or an error is known.
func (n *Node) propose(ctx context.Context, shard uint16, add func(*queue.PackBuilder)) error {
	r := n.replica(shard)
	if r == nil {
		return ErrStopped
	}
	answer := make(chan error, 1)
	p := r.group.Batcher().Begin(0)
	add(p.Builder)
	p.Wait(&answerTo{answer}, 0)
	r.group.Batcher().End()
	select {
	case err := <-answer:
		n.wake()
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// answerTo is a Waiter for one answer.
type answerTo struct{ answer chan<- error }

// Done implements Waiter.
func (t *answerTo) Done(_ []uint64, _ []queue.Reply, err error) { t.answer <- err }

// connected are the peers that can be asked now, sorted.
func (n *Node) connected() []string {
	var ids []string
	for _, p := range n.mesh.Peers() {
		if p.Connected {
			ids = append(ids, p.ID)
		}
	}
	return ids
}

// peerStatus is what the mesh knows of one peer.
func (n *Node) peerStatus(id string) (mesh.PeerStatus, bool) {
	for _, p := range n.mesh.Peers() {
		if p.ID == id {
			return p, true
		}
	}
	return mesh.PeerStatus{}, false
}

// steady: the connection to a peer has lasted for at least d.
func (n *Node) steady(id string, d time.Duration) bool {
	p, ok := n.peerStatus(id)
	return ok && p.Connected && time.Since(p.Since) >= d
}
