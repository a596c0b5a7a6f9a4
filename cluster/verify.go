package cluster

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"entrepot/queue"
)

// Replicas are compared at one place of the log: a Check record makes each note the
// hash of its state when it applies the record, so no replica has to stand still
// for it. What most of the voters have is right. A replica that has something else
// stops and is filled again from one of them; where there is no majority for any
// hash nobody is touched, for nobody can say who is right.

// Verification is what a comparison of replicas has found.
type Verification struct {
	// Equal: every replica that answered is like the others of its shard.
	Equal  bool            `json:"equal"`
	Shards []VerifiedShard `json:"shards"`
}

// VerifiedShard is the comparison of one shard.
type VerifiedShard struct {
	ID uint16 `json:"id"`
	// Index of the log entry at which the replicas were compared.
	Index    uint64            `json:"index"`
	Equal    bool              `json:"equal"`
	Replicas []VerifiedReplica `json:"replicas"`
}

// VerifiedReplica is what one replica answered.
type VerifiedReplica struct {
	Node string `json:"node"`
	// Hash of its state, in hexadecimal digits; "" if it did not answer, "none" if it
	// came past the check without applying it.
	Hash string `json:"hash"`
	// State is one of the Verified words below.
	State string `json:"state"`
}

// The words of VerifiedReplica.State.
const (
	VerifiedEqual       = "equal"
	VerifiedDifferent   = "different" // it has been stopped and is repaired
	VerifiedUnreachable = "unreachable"
)

// Verify compares the replicas of every shard at one entry of its log. One that
// differs from the majority stops and is repaired from the others.
func (n *Node) Verify(ctx context.Context, report func(Progress)) (Verification, error) {
	say := steps(report)
	count := n.shardCount()
	all := Verification{Equal: count > 0, Shards: []VerifiedShard{}}
	for shard := range count {
		say.say("comparing replicas", "", &shard, uint64(shard), uint64(count))
		s, err := n.verifyShard(ctx, shard)
		if err != nil {
			return all, err
		}
		all.Equal = all.Equal && s.Equal
		all.Shards = append(all.Shards, s)
	}
	say.say("compared", "", nil, uint64(count), uint64(count))
	return all, nil
}

// verifyPatience is how long a replica may be behind the check.
const verifyPatience = 10 * time.Second

// verifyShard compares one shard's replicas. One that was filled from a stream just
// now may have skipped the check, so it is asked a second time.
func (n *Node) verifyShard(ctx context.Context, shard uint16) (VerifiedShard, error) {
	var check checkReply
	var hashes map[string]string
	for range 2 {
		var err error
		if check, err = askLeader[checkReply](ctx, n, shard, callCheck, shardRequest{Shard: shard}); err != nil {
			return VerifiedShard{}, err
		}
		hashes = n.hashesAt(ctx, shard, check)
		if !slices.Contains(slices.Collect(maps.Values(hashes)), hashNone) {
			break
		}
	}
	v := VerifiedShard{ID: shard, Index: check.Index, Equal: true}
	right := rightHash(check.Servers, hashes)
	seen := right
	if answers := unique(slices.Collect(maps.Values(hashes))...); len(answers) == 1 {
		seen = answers[0] // too few for a majority, but nobody says otherwise
	}
	for _, s := range check.Servers {
		r := verified(s.ID, seen, hashes)
		v.Replicas = append(v.Replicas, r)
		v.Equal = v.Equal && r.State != VerifiedDifferent
	}
	n.orderRepairs(ctx, v, right)
	return v, nil
}

// hashNone stands for the hash of a replica that came past the check without
// applying it: what the others took it took for a repetition, or for a gap.
const hashNone = "none"

// hashesAt are the hashes of those replicas that answer.
func (n *Node) hashesAt(ctx context.Context, shard uint16, check checkReply) map[string]string {
	ctx, cancel := context.WithTimeout(ctx, verifyPatience)
	defer cancel()
	var nodes []string
	for _, s := range check.Servers {
		nodes = append(nodes, s.ID)
	}
	hashes := map[string]string{}
	for _, h := range gather(ctx, nodes, func(ctx context.Context, peer string) (checkAtReply, error) {
		return ask[checkAtReply](ctx, n, peer, callCheckAt, checkAtRequest{shard, check.Index})
	}) {
		hashes[h.Node] = h.Hash
	}
	return hashes
}

// rightHash is what a majority of the voters has, "" if there is none.
func rightHash(servers []Server, hashes map[string]string) string {
	voters, count := 0, map[string]int{}
	for _, s := range servers {
		if !s.Voter {
			continue
		}
		voters++
		if h := hashes[s.ID]; h != "" {
			count[h]++
		}
	}
	for h, c := range count {
		if c >= majority(voters) {
			return h
		}
	}
	return ""
}

// verified judges one replica. Where nobody knows what is right, nobody is.
func verified(id, right string, hashes map[string]string) VerifiedReplica {
	r := VerifiedReplica{Node: id, Hash: hashes[id], State: VerifiedEqual}
	switch {
	case r.Hash == "":
		r.State = VerifiedUnreachable
	case r.Hash != right:
		r.State = VerifiedDifferent
	}
	return r
}

// orderRepairs tells the replicas that differ from right.
func (n *Node) orderRepairs(ctx context.Context, v VerifiedShard, right string) {
	if right == "" {
		return
	}
	var good []string
	for _, r := range v.Replicas {
		if r.State == VerifiedEqual {
			good = append(good, r.Node)
		}
	}
	for _, r := range v.Replicas {
		if r.State != VerifiedDifferent {
			continue
		}
		n.log.Error("a replica differs from the majority", "shard", v.ID, "node", r.Node, "index", v.Index, "hash", r.Hash, "right", right)
		req := repairRequest{Shard: v.ID, From: good, Reason: fmt.Sprintf("its state at entry %d differs from the majority's", v.Index)}
		if _, err := ask[struct{}](ctx, n, r.Node, callRepair, req); err != nil {
			n.log.Error("a replica that differs could not be told", "shard", v.ID, "node", r.Node, "error", err)
		}
	}
}

// checkReply is where a Check stands in the log, and who should have applied it.
type checkReply struct {
	Index   uint64   `json:"index"`
	Servers []Server `json:"servers"`
}

// handleCheck proposes a Check where the shard is led.
func (n *Node) handleCheck(ctx context.Context, _ string, req shardRequest) (checkReply, error) {
	r := n.replica(req.Shard)
	if r == nil || !r.group.Leader() {
		return checkReply{}, ErrNotLeader
	}
	found := r.hold.nextCheck(r.journal.CheckAt)
	if err := n.propose(ctx, req.Shard, (*queue.PackBuilder).Check); err != nil {
		return checkReply{}, err
	}
	select {
	case index := <-found:
		return checkReply{index, r.group.Servers()}, nil
	case <-ctx.Done():
		return checkReply{}, ctx.Err()
	case <-n.closing:
		return checkReply{}, ErrStopped
	}
}

type checkAtRequest struct {
	Shard uint16 `json:"shard"`
	Index uint64 `json:"index"`
}

type checkAtReply struct {
	Node string `json:"node"`
	Hash string `json:"hash"`
}

// handleCheckAt waits until this replica has applied a check.
func (n *Node) handleCheckAt(ctx context.Context, _ string, req checkAtRequest) (checkAtReply, error) {
	r := n.replica(req.Shard)
	if r == nil {
		return checkAtReply{}, ErrStopped
	}
	for {
		if hash, ok := r.journal.CheckAt(req.Index); ok {
			return checkAtReply{n.cfg.ID, fmt.Sprintf("%016x", hash)}, nil
		}
		if r.journal.AppliedIndex() >= req.Index {
			return checkAtReply{n.cfg.ID, hashNone}, nil
		}
		if err := n.pause(ctx, retryEvery); err != nil {
			return checkAtReply{}, err
		}
	}
}

// checkRegularly compares this node's shards each time another checkEvery entries
// were applied: in builds that look for bugs.
func (n *Node) checkRegularly() {
	done := map[uint16]uint64{}
	for n.pause(context.Background(), keepEvery) == nil {
		for _, r := range n.allReplicas() {
			round := r.journal.AppliedIndex() / checkEvery
			if !r.group.Leader() || round <= done[r.shard] {
				continue
			}
			done[r.shard] = round
			ctx, cancel := context.WithTimeout(context.Background(), verifyPatience)
			v, err := n.verifyShard(ctx, r.shard)
			cancel()
			if err == nil && !v.Equal {
				n.log.Error("replicas differ", "shard", r.shard, "index", v.Index, "replicas", slices.Clone(v.Replicas))
			}
		}
	}
}
