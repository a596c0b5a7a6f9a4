package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"entrepot/broker/admin"
	"entrepot/cmd/entrepot/internal/adminclient"
	"entrepot/cmd/entrepot/internal/console"
)

func (w *world) clusterAddCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "add NODE [HOST:PORT]",
		Short: "Make a node a member, or take its drain back",
		Long: "Make a node a member: without a vote at first, with one when it has caught up. HOST:PORT is\n" +
			"its cluster address, where the others reach it; one that is drained needs none. Start the\n" +
			"node before or after, with --cluster-peers naming nodes of the cluster.",
		Args: cobra.RangeArgs(1, 2),
	}
	o := w.operationFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		node, address := args[0], append(args, "")[1]
		return o.run(cmd.Context(), func(ctx context.Context, c *adminclient.Client, report func(admin.Progress)) (string, error) {
			return node + " is a member", c.AddNode(ctx, node, address, report)
		})
	}
	return cmd
}

func (w *world) clusterRemoveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "remove NODE",
		Short: "Take a node out of the cluster for ever, dead or alive",
		Long: "Take a node out of the cluster for ever, dead or alive. A disk that is gone does\n" +
			"not come back under the same id: its replacement gets a new one. A node that was stopped before it\n" +
			"was removed can be added again with its old data. Drain a living node first.",
		Args: cobra.ExactArgs(1),
	}
	o := w.operationFlags(cmd)
	force := cmd.Flags().Bool("force", false, "also if those who stay have no reachable majority in some shard")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return o.run(cmd.Context(), func(ctx context.Context, c *adminclient.Client, report func(admin.Progress)) (string, error) {
			return args[0] + " is removed", c.RemoveNode(ctx, args[0], *force, report)
		})
	}
	return cmd
}

func (w *world) clusterDrainCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "drain [NODE]",
		Short: "Move all leaderships away from a node, until it is safe to stop it",
		Long: "Move all leaderships away from a node (without NODE: the one that is asked) and keep them away,\n" +
			"until the others have all that it has and are a majority without it: it is safe to stop then.\n" +
			"The drain ends when the node starts again, or with \"cluster add\".",
		Args: cobra.MaximumNArgs(1),
	}
	o := w.operationFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return o.run(cmd.Context(), func(ctx context.Context, c *adminclient.Client, report func(admin.Progress)) (string, error) {
			node := append(args, "")[0]
			if node == "" {
				status, err := c.Cluster(ctx)
				if err != nil {
					return "", err
				}
				node = status.Node
			}
			return node + " is drained: it is safe to stop it", c.DrainNode(ctx, node, report)
		})
	}
	return cmd
}

func (w *world) clusterTransferCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "transfer SHARD [NODE]",
		Short: "Move the leadership of a shard to a node, or to whoever has caught up furthest",
		Args:  cobra.RangeArgs(1, 2),
	}
	o := w.operationFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		shard, err := strconv.ParseUint(args[0], 10, 16)
		if err != nil {
			return console.WithCode(console.ExitUsage, fmt.Errorf("%q is no number of a shard", args[0]))
		}
		to := append(args, "")[1]
		return o.run(cmd.Context(), func(ctx context.Context, c *adminclient.Client, _ func(admin.Progress)) (string, error) {
			said := fmt.Sprintf("shard %d is led by %s", shard, to)
			if to == "" {
				said = fmt.Sprintf("shard %d is led by another node", shard)
			}
			return said, c.Transfer(ctx, uint16(shard), to)
		})
	}
	return cmd
}

func (w *world) clusterRebalanceCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rebalance",
		Short: "Give each node its share of leaderships now",
		Args:  cobra.NoArgs,
	}
	o := w.operationFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return o.run(cmd.Context(), func(ctx context.Context, c *adminclient.Client, report func(admin.Progress)) (string, error) {
			return "leaderships are balanced", c.Rebalance(ctx, report)
		})
	}
	return cmd
}
