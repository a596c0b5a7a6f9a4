package brokerproc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Status is the part of GET /api/v1/cluster that the suites look at.
type Status struct {
	Health   string   `json:"health"`
	Problems []string `json:"problems"`
	Nodes    []struct {
		ID        string `json:"id"`
		State     string `json:"state"`
		Reachable bool   `json:"reachable"`
	} `json:"nodes"`
	Shards []ShardStatus `json:"shards"`
}

// ShardStatus is one shard of a Status.
type ShardStatus struct {
	ID           uint16          `json:"id"`
	Leader       string          `json:"leader"`
	Term         uint64          `json:"term"`
	CommitIndex  uint64          `json:"commit_index"`
	AppliedIndex uint64          `json:"applied_index"`
	Replicas     []ReplicaStatus `json:"replicas"`
}

// ReplicaStatus is a shard on one node.
type ReplicaStatus struct {
	Node       string  `json:"node"`
	Role       string  `json:"role"`
	Match      uint64  `json:"match"`
	LagEntries uint64  `json:"lag_entries"`
	LagBytes   uint64  `json:"lag_bytes"`
	State      string  `json:"state"`
	Progress   float64 `json:"progress"`
}

// Leads counts the shards that a node leads.
func (s *Status) Leads(node string) int {
	n := 0
	for _, shard := range s.Shards {
		if shard.Leader == node {
			n++
		}
	}
	return n
}

// ClusterStatus asks this node for the state of its cluster.
func (p *Process) ClusterStatus(ctx context.Context) (s Status, err error) {
	body, err := p.get(ctx, "/api/v1/cluster")
	if err != nil {
		return s, err
	}
	defer body.Close()
	return s, json.NewDecoder(body).Decode(&s)
}

// Status asks the first node that answers.
func (c *Cluster) Status(ctx context.Context) (Status, error) {
	errs := []error{errors.New("no node answers")}
	for _, n := range c.Nodes {
		if !n.Running() {
			continue
		}
		s, err := n.Process.ClusterStatus(ctx)
		if err == nil {
			return s, nil
		}
		errs = append(errs, fmt.Errorf("node %s: %w", n.ID, err))
	}
	return Status{}, errors.Join(errs...)
}

// WaitStatus asks until the answer is as wanted, or ctx ends: then the error
// has the last answer in it.
func (c *Cluster) WaitStatus(ctx context.Context, wanted func(*Status) bool) (Status, error) {
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for {
		s, err := c.Status(ctx)
		if err == nil && wanted(&s) {
			return s, nil
		}
		select {
		case <-ctx.Done():
			return s, fmt.Errorf("the cluster is not as wanted: %w; last: %+v, error: %v", ctx.Err(), s, err)
		case <-poll.C:
		}
	}
}

// Caught tells whether every shard has a leader, and every replica all that its
// leader has.
func (s *Status) Caught() bool {
	return s.all(func(r *ReplicaStatus, _ uint16) bool { return r.LagEntries == 0 })
}

// CaughtUpWith tells whether every shard has a leader, and every replica all that any
// had in an earlier status. While clients go on, no replica has all for long.
func (s *Status) CaughtUpWith(earlier *Status) bool {
	had := map[uint16]uint64{}
	for _, shard := range earlier.Shards {
		for _, r := range shard.Replicas {
			had[shard.ID] = max(had[shard.ID], r.Match)
		}
	}
	return len(had) == len(s.Shards) && s.all(func(r *ReplicaStatus, shard uint16) bool { return r.Match >= had[shard] })
}

// all tells whether every shard has a leader and good replicas only.
func (s *Status) all(good func(r *ReplicaStatus, shard uint16) bool) bool {
	for _, shard := range s.Shards {
		if shard.Leader == "" {
			return false
		}
		for i := range shard.Replicas {
			if r := &shard.Replicas[i]; r.State != "ok" || !good(r, shard.ID) {
				return false
			}
		}
	}
	return len(s.Shards) > 0
}
