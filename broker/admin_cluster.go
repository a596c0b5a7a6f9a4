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
	return clusterAPI{b.cluster}, nil
}

// clusterAPI shows a cluster.Node to the admin interface, in its words.
type clusterAPI struct{ node *cluster.Node }

// Status implements admin.Cluster.
func (c clusterAPI) Status(ctx context.Context) (admin.ClusterStatus, error) {
	st, err := c.node.Status(ctx)
	out := admin.ClusterStatus{
		ID: st.ID, Node: st.Node, Health: st.Health, Problems: st.Problems, Level: st.Level,
		Nodes:  convertAll(st.Nodes, func(n cluster.NodeStatus) admin.ClusterNode { return admin.ClusterNode(n) }),
		Shards: convertAll(st.Shards, shardStatus),
	}
	return out, adminError(err)
}

func shardStatus(s cluster.ShardStatus) admin.ClusterShard {
	return admin.ClusterShard{
		ID: s.ID, Leader: s.Leader, Term: s.Term, CommitIndex: s.CommitIndex, AppliedIndex: s.AppliedIndex,
		Replicas: convertAll(s.Replicas, func(r cluster.ReplicaStatus) admin.ClusterReplica { return admin.ClusterReplica(r) }),
	}
}

// Add implements admin.Cluster.
func (c clusterAPI) Add(ctx context.Context, node, address string, report func(admin.Progress)) error {
	return adminError(c.node.Add(ctx, node, address, reporter(report)))
}

// Remove implements admin.Cluster.
func (c clusterAPI) Remove(ctx context.Context, node string, force bool, report func(admin.Progress)) error {
	return adminError(c.node.Remove(ctx, node, cluster.RemoveOptions{Force: force}, reporter(report)))
}

// Drain implements admin.Cluster.
func (c clusterAPI) Drain(ctx context.Context, node string, report func(admin.Progress)) error {
	return adminError(c.node.Drain(ctx, node, reporter(report)))
}

// Transfer implements admin.Cluster.
func (c clusterAPI) Transfer(ctx context.Context, shard uint16, to string) error {
	return adminError(c.node.Transfer(ctx, shard, to))
}

// Rebalance implements admin.Cluster.
func (c clusterAPI) Rebalance(ctx context.Context, report func(admin.Progress)) error {
	return adminError(c.node.Rebalance(ctx, reporter(report)))
}

// Verify implements admin.Cluster.
func (c clusterAPI) Verify(ctx context.Context, report func(admin.Progress)) (admin.Verification, error) {
	v, err := c.node.Verify(ctx, reporter(report))
	return admin.Verification{Equal: v.Equal, Shards: convertAll(v.Shards, func(s cluster.VerifiedShard) admin.VerifiedShard {
		return admin.VerifiedShard{
			ID: s.ID, Index: s.Index, Equal: s.Equal,
			Replicas: convertAll(s.Replicas, func(r cluster.VerifiedReplica) admin.VerifiedReplica { return admin.VerifiedReplica(r) }),
		}
	})}, adminError(err)
}

func reporter(report func(admin.Progress)) func(cluster.Progress) {
	return func(p cluster.Progress) { report(admin.Progress(p)) }
}

func convertAll[A, B any](list []A, convert func(A) B) []B {
	out := make([]B, 0, len(list))
	for _, a := range list {
		out = append(out, convert(a))
	}
	return out
}

// adminError gives an error of the cluster the kind that the admin interface knows.
func adminError(err error) error {
	for _, kind := range []struct{ of, is error }{
		{cluster.ErrNotFound, admin.ErrNotFound},
		{cluster.ErrInvalid, admin.ErrInvalid},
		{cluster.ErrConflict, admin.ErrConflict},
		{cluster.ErrUnavailable, admin.ErrUnavailable},
	} {
		if errors.Is(err, kind.of) {
			return fmt.Errorf("%w: %w", kind.is, err)
		}
	}
	return err
}
