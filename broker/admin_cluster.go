package broker

import (
	"context"
	"errors"
	"fmt"

	"entrepot/broker/admin"
	"entrepot/cluster"
)

// Cluster implements admin.Broker.
func (b *Broker) Cluster() (admin.Cluster, error) {
	if !b.clustered() {
		return nil, fmt.Errorf("%w: this node is standalone; --cluster-listen makes it one of a cluster", admin.ErrConflict)
	}
	return clusterAdmin{b.cluster}, nil
}

// clusterAdmin shows a cluster's node as admin wants it: the same words and
// numbers, in types of the room above.
type clusterAdmin struct{ node *cluster.Node }

var _ admin.Cluster = clusterAdmin{}

// Status implements admin.Cluster.
func (c clusterAdmin) Status(ctx context.Context) (admin.ClusterStatus, error) {
	s, err := c.node.Status(ctx)
	if err != nil {
		return admin.ClusterStatus{}, adminError(err)
	}
	return shownStatus(s), nil
}

// Add implements admin.Cluster.
func (c clusterAdmin) Add(ctx context.Context, node, address string, report func(admin.Progress)) error {
	return adminError(c.node.Add(ctx, node, address, reporting(report)))
}

// Remove implements admin.Cluster.
func (c clusterAdmin) Remove(ctx context.Context, node string, force bool, report func(admin.Progress)) error {
	return adminError(c.node.Remove(ctx, node, cluster.RemoveOptions{Force: force}, reporting(report)))
}

// Drain implements admin.Cluster.
func (c clusterAdmin) Drain(ctx context.Context, node string, report func(admin.Progress)) error {
	return adminError(c.node.Drain(ctx, node, reporting(report)))
}

// Transfer implements admin.Cluster.
func (c clusterAdmin) Transfer(ctx context.Context, shard uint16, to string) error {
	return adminError(c.node.Transfer(ctx, shard, to))
}

// Rebalance implements admin.Cluster.
func (c clusterAdmin) Rebalance(ctx context.Context, report func(admin.Progress)) error {
	return adminError(c.node.Rebalance(ctx, reporting(report)))
}

// Verify implements admin.Cluster.
func (c clusterAdmin) Verify(ctx context.Context, report func(admin.Progress)) (admin.Verification, error) {
	v, err := c.node.Verify(ctx, reporting(report))
	return shownVerification(v), adminError(err)
}

func reporting(report func(admin.Progress)) func(cluster.Progress) {
	return func(p cluster.Progress) { report(admin.Progress(p)) }
}

// shownStatus says the same in the types of admin.
func shownStatus(s cluster.ClusterStatus) admin.ClusterStatus {
	shown := admin.ClusterStatus{ID: s.ID, Node: s.Node, Health: s.Health, Problems: s.Problems, Level: s.Level}
	for _, n := range s.Nodes {
		shown.Nodes = append(shown.Nodes, admin.ClusterNode(n))
	}
	for _, g := range s.Shards {
		shard := admin.ClusterShard{
			ID: g.ID, Leader: g.Leader, Term: g.Term, CommitIndex: g.CommitIndex, AppliedIndex: g.AppliedIndex,
		}
		for _, r := range g.Replicas {
			shard.Replicas = append(shard.Replicas, admin.ClusterReplica(r))
		}
		shown.Shards = append(shown.Shards, shard)
	}
	return shown
}

// shownVerification says the same in the types of admin.
func shownVerification(v cluster.Verification) admin.Verification {
	shown := admin.Verification{Equal: v.Equal}
	for _, g := range v.Shards {
		shard := admin.VerifiedShard{ID: g.ID, Index: g.Index, Equal: g.Equal}
		for _, r := range g.Replicas {
			shard.Replicas = append(shard.Replicas, admin.VerifiedReplica(r))
		}
		shown.Shards = append(shown.Shards, shard)
	}
	return shown
}

// clusterKinds are the kinds of the cluster's errors, and those of admin.
var clusterKinds = []struct{ from, to error }{
	{cluster.ErrNotFound, admin.ErrNotFound},
	{cluster.ErrInvalid, admin.ErrInvalid},
	{cluster.ErrConflict, admin.ErrConflict},
	{cluster.ErrUnavailable, admin.ErrUnavailable},
}

// adminError gives an error of the cluster the kind that the admin interface
// knows. Its text stays.
func adminError(err error) error {
	for _, kind := range clusterKinds {
		if errors.Is(err, kind.from) {
			return kindError{err, kind.to}
		}
	}
	return err
}

// kindError is an error that is of one more kind than it says.
type kindError struct {
	error
	kind error
}

// Unwrap gives both.
func (e kindError) Unwrap() []error { return []error{e.error, e.kind} }
