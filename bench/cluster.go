package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"entrepot/bench/internal/load"
	"entrepot/bench/internal/peer"
	"entrepot/bench/internal/procstat"
	"entrepot/bench/internal/report"
)

// replicated is the broker as a cluster of several nodes; nil if it is one node.
func (r *run) replicated() peer.Cluster {
	if c, ok := r.broker.(peer.Cluster); ok && c.Nodes() > 1 {
		return c
	}
	return nil
}

// connectToLeader has what follows connect to the leader of a queue.
func (r *run) connectToLeader(ctx context.Context, queue string) (err error) {
	if c := r.replicated(); c != nil {
		_, err = r.leader(ctx, c, queue)
	}
	return err
}

// leader finds the queue's leader, waits for one if need be, and connects to it.
func (r *run) leader(ctx context.Context, c peer.Cluster, queue string) (int, error) {
	const limit, pause = 10 * time.Second, 50 * time.Millisecond
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		node, err := c.Leader(ctx, queue)
		if err == nil {
			r.client, err = c.ClientAt(node, r.c.Client)
			return node, err
		}
		if wait(ctx, pause) != nil {
			return 0, fmt.Errorf("leader: %w", err)
		}
	}
}

// followerTraffic is the scenario of clients that are connected to a node that
// does not lead their queue, against the same at the leader. The figures are the
// follower's.
func followerTraffic(ctx context.Context, r *run) error {
	c := r.replicated()
	if c == nil {
		return errNoCluster
	}
	queues, err := r.queues(ctx, r.c.Queues)
	if err != nil {
		return err
	}
	leader, err := r.leader(ctx, c, queues[0])
	if err != nil {
		return err
	}
	if err := r.measureTraffic(ctx, queues); err != nil {
		return fmt.Errorf("at the leader: %w", err)
	}
	atLeader := r.result.Metrics[report.Rate]
	if r.client, err = c.ClientAt((leader+1)%c.Nodes(), r.c.Client); err != nil {
		return err
	}
	if err := r.measureTraffic(ctx, queues); err != nil {
		return fmt.Errorf("at a follower: %w", err)
	}
	r.set(report.FollowerToLeader, r.result.Metrics[report.Rate]/atLeader)
	return nil
}

var errNoCluster = errors.New("this case needs several nodes")

// failover is the scenario of steady traffic by way of a node that does not lead,
// while the leader is killed, or its leadership transferred: the longest pause of
// what is accepted and of what arrives, and the sends that failed. With a Count,
// the queue has so many messages before; nobody takes them until the leader is
// gone, and then the first one is awaited.
func failover(ctx context.Context, r *run) error {
	c := r.replicated()
	if c == nil {
		return errNoCluster
	}
	queues, err := r.queues(ctx, r.c.Queues)
	if err != nil {
		return err
	}
	queue := queues[0]
	leader, err := r.leader(ctx, c, queue)
	if err != nil {
		return err
	}
	if r.c.Count > 0 {
		if err := r.fill(ctx, queue); err != nil {
			return fmt.Errorf("fill: %w", err)
		}
		if leader, err = r.leader(ctx, c, queue); err != nil { // it may have changed meanwhile
			return err
		}
	}
	if r.client, err = c.ClientAt((leader+1)%c.Nodes(), r.c.Client); err != nil {
		return err
	}
	var failed atomic.Uint64
	traffic := r.c
	traffic.failed, traffic.Count = &failed, 0
	t := startTraffic(ctx, r.client, traffic, queues)
	err = r.moveLeader(ctx, t, c, queue, leader)
	if err := t.stop(err); err != nil {
		return err
	}
	r.set(report.FailedSends, float64(failed.Load()))
	r.set(report.AcceptPause, longestPause(t.sent).Seconds())
	if len(t.received) > 0 {
		r.set(report.ReceivePause, longestPause(t.received).Seconds())
	}
	return nil
}

// moveLeader lets the traffic run, ends the leadership, and watches for as long as
// a window is, but until some message has gone through after the change.
func (r *run) moveLeader(ctx context.Context, t *running, c peer.Cluster, queue string, leader int) error {
	if err := t.wait(ctx, r.warmup); err != nil {
		return err
	}
	t.window.Set(true)
	defer t.window.Set(false)
	if err := t.wait(ctx, r.warmup); err != nil {
		return err
	}
	start := time.Now()
	if r.c.Crash {
		c.KillNode(leader)
	} else if err := c.Transfer(ctx, queue); err != nil {
		return err
	}
	if r.c.Count > 0 {
		if err := r.firstDelivery(ctx, queue, start); err != nil {
			return err
		}
	}
	before := sum(t.sent)
	if err := t.wait(ctx, r.window); err != nil {
		return err
	}
	const patience = 60 * time.Second
	for sum(t.sent) == before {
		if time.Since(start) > patience {
			return fmt.Errorf("nothing was accepted for %v", patience)
		}
		if err := t.wait(ctx, r.window/10); err != nil {
			return err
		}
	}
	return nil
}

// firstDelivery awaits one message of the queue and notes when it came.
func (r *run) firstDelivery(ctx context.Context, queue string, since time.Time) error {
	var window load.Window
	meter := load.NewMeter(&window)
	if err := r.client.Receive(ctx, load.Receiving{Queue: queue, Credit: 1, Count: 1, Meter: meter}); err != nil {
		return fmt.Errorf("first delivery: %w", err)
	}
	r.set(report.FirstDelivery, time.Since(since).Seconds())
	return ctx.Err()
}

func longestPause(meters []*load.Meter) time.Duration {
	var longest time.Duration
	for _, m := range meters {
		longest = max(longest, m.LongestPause())
	}
	return longest
}

// setNodeMemory notes what the largest node holds.
func (r *run) setNodeMemory() {
	c := r.replicated()
	if c == nil {
		return
	}
	const mib = 1 << 20
	for node := range c.Nodes() {
		u, err := procstat.Of(c.NodePIDs(node))
		if err == nil { // a helper of a node may end at any moment: then the next reading has it
			r.set(report.NodeRSS, max(float64(u.RSSBytes)/mib, r.result.Metrics[report.NodeRSS]))
		}
	}
}

// bytesBetween is what the nodes have sent each other; absent if the broker does
// not tell.
func (r *run) bytesBetween(ctx context.Context) option {
	talker, ok := r.broker.(peer.Talker)
	if !ok || r.replicated() == nil {
		return option{}
	}
	n, err := talker.BytesBetween(ctx)
	return option{n, err == nil}
}
