package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Leaderships are spread by a rule that every node can work out alone: shard s is
// best led by the member number s mod n of those that may lead, in the order of
// ids. A leader that is not that member hands over to it once it has caught up and
// has been connected for a while. Nobody ever takes a lead, so two nodes with
// different views don't fight; the worst is that one more move is made later.

// preferred is who should lead a shard, "" if nobody may.
func preferred(shard uint16, leaders []string) string {
	if len(leaders) == 0 {
		return ""
	}
	return leaders[int(shard)%len(leaders)]
}

// eager: this node should lead a shard, as far as it knows before it has heard anybody.
// The charter knows the founders only, the settings all members.
func (n *Node) eager(shard uint16, c *charter) bool {
	members := slices.Sorted(slices.Values(c.Voters))
	if s, err := n.cfg.Store.Shard(0); err == nil {
		if v, err := readView(s); err == nil && v.charter != nil {
			members = v.active()
		}
	}
	return preferred(shard, members) == n.cfg.ID
}

// balance looks at this node's leaderships from time to time.
func (n *Node) balance() {
	tick := time.NewTicker(n.cfg.BalanceEvery)
	defer tick.Stop()
	for {
		select {
		case <-n.closing:
			return
		case <-tick.C:
			ctx, cancel := context.WithTimeout(context.Background(), n.cfg.BalanceEvery)
			for _, err := range n.balanceOnce(ctx, n.cfg.BalanceEvery).Errors {
				n.log.Info("a leadership stays where it is", "reason", err)
			}
			cancel()
		}
	}
}

// balanceReply is what a round of balancing did.
type balanceReply struct {
	Moved  []move   `json:"moved"`
	Errors []string `json:"errors"`
}

type move struct {
	Shard uint16 `json:"shard"`
	To    string `json:"to"`
}

// balanceOnce hands over what others should lead, if they have been connected for
// at least settled.
func (n *Node) balanceOnce(ctx context.Context, settled time.Duration) (done balanceReply) {
	for _, r := range n.allReplicas() {
		if !r.group.Leader() {
			continue
		}
		leaders := n.leaders(r.shard)
		to := preferred(r.shard, leaders)
		if slices.Contains(leaders, n.cfg.ID) && (to == n.cfg.ID || !n.steady(to, settled)) {
			continue
		}
		st := r.state()
		if f := st.follower(to); !st.voter(to) || !st.answers(to) || f.Streaming || f.LagEntries > closeBehind {
			if slices.Contains(leaders, n.cfg.ID) {
				continue
			}
			to = "" // this node is to lead nothing: anybody is better
		}
		if err := r.transfer(ctx, st, to); err != nil {
			done.Errors = append(done.Errors, fmt.Sprintf("shard %d: %v", r.shard, err))
			continue
		}
		done.Moved = append(done.Moved, move{r.shard, to})
	}
	return done
}

func (n *Node) handleBalance(ctx context.Context, _ string, _ struct{}) (balanceReply, error) {
	return n.balanceOnce(ctx, 0), nil
}

// balancePatience bounds one node's round.
const balancePatience = 20 * time.Second

// Rebalance gives each node its share of leaderships now. One that has not caught
// up gets nothing yet; the rounds that go on by themselves see to it later.
func (n *Node) Rebalance(ctx context.Context, report func(Progress)) error {
	say := steps(report)
	if n.current.Load().charter == nil {
		return fmt.Errorf("%w: the cluster is not on record yet", ErrUnavailable)
	}
	members := n.current.Load().active()
	var failed []error
	for i, id := range members {
		say.say("balancing", id, nil, uint64(i), uint64(len(members)))
		ctx, cancel := context.WithTimeout(ctx, balancePatience)
		done, err := ask[balanceReply](ctx, n, id, callBalance, struct{}{})
		cancel()
		if err != nil {
			n.log.Info("a node was not balanced", "node", id, "error", err)
			continue // who does not answer leads nothing for long
		}
		for _, m := range done.Moved {
			say.say(fmt.Sprintf("shard %d is led by %s", m.Shard, m.To), id, &m.Shard, uint64(i), uint64(len(members)))
		}
		for _, e := range done.Errors {
			failed = append(failed, fmt.Errorf("%w: %s: %s", ErrUnavailable, id, e))
		}
	}
	say.say("balanced", "", nil, uint64(len(members)), uint64(len(members)))
	return errors.Join(failed...)
}

// Drain moves every leadership away from a node and keeps it away, and returns
// when the others have all that it has and are a majority without it: it is safe
// to stop then. The drain ends when the node starts again, or with Add.
func (n *Node) Drain(ctx context.Context, node string, report func(Progress)) error {
	say := steps(report)
	if err := n.canSpare(ctx, node); err != nil {
		return err
	}
	if _, err := askLeader[member](ctx, n, 0, callMember, memberRequest{Op: memberDrain, Node: node}); err != nil {
		return err
	}
	count := n.shardCount()
	for shard := range count {
		say.say("moving leaderships away", node, &shard, uint64(shard), uint64(count))
		if err := n.drainShard(ctx, shard, node, say); err != nil {
			return err
		}
	}
	say.say("it is safe to stop "+node, node, nil, uint64(count), uint64(count))
	return nil
}

// canSpare refuses a drain that could never end.
func (n *Node) canSpare(ctx context.Context, node string) error {
	for shard := range n.shardCount() {
		st, err := askLeader[shardReply](ctx, n, shard, callShard, shardRequest{Shard: shard, Op: shardState})
		if err != nil {
			return err
		}
		all, rest := len(st.voters("")), len(st.voters(node))
		if st.voter(node) && rest < majority(all) {
			return fmt.Errorf("%w: shard %d has %d voters; without %s they are no majority: add a node first, or remove %s",
				ErrConflict, shard, all, node, node)
		}
	}
	return nil
}

// drainShard returns when another node leads the shard and those who stay, all that
// answer and at least a majority, have what the leader had when it began to look.
func (n *Node) drainShard(ctx context.Context, shard uint16, node string, say steps) error {
	var target uint64
	for {
		st, err := askLeader[shardReply](ctx, n, shard, callShard, shardRequest{Shard: shard, Op: shardState})
		if err != nil {
			return err
		}
		switch {
		case st.Leader == node:
			target = 0
			if _, err := askLeader[shardReply](ctx, n, shard, callShard, shardRequest{Shard: shard, Op: shardTransfer}); err != nil && !errors.Is(err, ErrConflict) {
				return err
			}
		case target == 0:
			target = st.Last
		}
		have, need := st.caughtUp(node, target)
		if target > 0 && have >= need {
			return nil
		}
		say.say("waiting for the others to catch up", node, &shard, uint64(have), uint64(need))
		if err := n.pause(ctx, retryEvery); err != nil {
			return fmt.Errorf("%w: shard %d: %d of %d others have all that %s has; it leads nothing any more as far as others can: ask again", ErrUnavailable, shard, have, need, node)
		}
	}
}

// caughtUp is how many voters but for one have the log up to target, and how many
// of them must: all that answer, at least a majority of all.
func (r *shardReply) caughtUp(without string, target uint64) (have, need int) {
	rest := r.voters(without)
	need = max(majority(len(r.voters(""))), r.answering(rest))
	for _, id := range rest {
		if id == r.Leader || r.answers(id) && r.follower(id).Match >= target {
			have++
		}
	}
	return have, need
}

// StopGracefully moves every leadership of this node to others and keeps them from
// coming back. The groups and the mesh go on: packs in flight find their way
// through the new leaders. Then the caller stops its groups, and Close follows.
// The error says which shards found nobody; stopping is allowed all the same.
func (n *Node) StopGracefully(ctx context.Context) error {
	n.mu.Lock()
	n.leaving = true
	n.mu.Unlock()
	gather(ctx, n.connected(), func(ctx context.Context, peer string) (struct{}, error) {
		return ask[struct{}](ctx, n, peer, callLeaving, struct{}{})
	})
	var all sync.WaitGroup
	replicas := n.allReplicas()
	failed := make([]error, len(replicas))
	for i, r := range replicas {
		if st := r.state(); r.group.Leader() && len(st.voters(n.cfg.ID)) > 0 {
			all.Go(func() { failed[i] = r.transfer(ctx, st, "") })
		}
	}
	all.Wait()
	return errors.Join(failed...)
}

func (n *Node) handleLeaving(_ context.Context, from string, _ struct{}) (struct{}, error) {
	n.peers.leaves(from)
	return struct{}{}, nil
}
