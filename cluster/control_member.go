package cluster

import (
	"context"
	"fmt"
)

// memberRequest changes, or reads, what is on record of a node. It is for the
// leader of shard 0, and answered with what is on record then.
type memberRequest struct {
	Op      string `json:"op"`
	Node    string `json:"node"`
	Address string `json:"address,omitempty"`
}

// The words of memberRequest.Op.
const (
	memberGet    = "get"
	memberAdd    = "add"    // it is wanted
	memberAdded  = "added"  // it votes in every shard
	memberDrain  = "drain"  // it is to lead nothing
	memberRemove = "remove" // it is to go
	memberGone   = "gone"   // it is in no group any more
)

func (n *Node) handleMember(ctx context.Context, _ string, req memberRequest) (member, error) {
	v, err := n.decide(ctx)
	if err != nil {
		return member{}, err
	}
	defer n.deciding.Unlock()
	m, err := n.changeMember(v, req)
	if err != nil || m == v.members[req.Node] {
		return m, err
	}
	return m, n.record(ctx, memberSetting(m))
}

// changeMember is what a request makes of a member.
func (n *Node) changeMember(v view, req memberRequest) (member, error) {
	m, known := v.members[req.Node]
	if req.Op == memberAdd {
		return addMember(v, m, req)
	}
	if !known || m.State == memberRemoved && req.Op != memberGone {
		return m, fmt.Errorf("%w: no node %s in this cluster", ErrNotFound, req.Node)
	}
	switch req.Op {
	case memberGet:
	case memberAdded:
		if m.State == memberJoining {
			m.State = memberVoter
		}
	case memberDrain:
		if len(v.active()) == 1 {
			return m, fmt.Errorf("%w: %s is the only node", ErrConflict, m.ID)
		}
		if said, met := n.said(req.Node); met {
			m.Drained = formatIncarnation(said.incarnation)
		}
	case memberRemove:
		if len(v.active()) == 1 {
			return m, fmt.Errorf("%w: %s is the only node", ErrConflict, m.ID)
		}
		m.State = memberRemoving
	case memberGone:
		m.State, m.Drained = memberRemoved, ""
	default:
		return m, fmt.Errorf("%w: unknown request %q", ErrInvalid, req.Op)
	}
	return m, nil
}

// addMember puts a node on record, or takes a drain or a removal that was begun
// back. One that was removed comes back with its old data only.
func addMember(v view, m member, req memberRequest) (member, error) {
	if m.ID == "" || m.State == memberRemoved {
		if req.Address == "" {
			return m, fmt.Errorf("%w: %s is not a member; where is it reached?", ErrInvalid, req.Node)
		}
		m.ID, m.State = req.Node, memberJoining
	}
	for _, id := range v.active() {
		if o := v.members[id]; req.Address != "" && o.ID != m.ID && o.Address == req.Address {
			return m, fmt.Errorf("%w: %s is the address of %s", ErrConflict, req.Address, o.ID)
		}
	}
	if m.State == memberRemoving {
		m.State = memberJoining
	}
	if req.Address != "" {
		m.Address = req.Address
	}
	m.Drained = ""
	return m, nil
}
