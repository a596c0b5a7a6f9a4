package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"entrepot/broker/admin"
	"entrepot/cmd/entrepot/internal/console"
)

func (w *world) clusterStatusCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show nodes, shards, leaders, and how far replicas are behind",
		Args:  cobra.NoArgs,
	}
	o := w.adminFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		client, err := o.client()
		if err != nil {
			return err
		}
		status, err := client.Cluster(cmd.Context())
		if err != nil {
			return err
		}
		return console.Print(w.out, *o.format, status, func(out io.Writer) { showCluster(out, status) })
	}
	return cmd
}

func showCluster(out io.Writer, s admin.ClusterStatus) {
	fmt.Fprintf(out, "cluster %s is %s, says %s (level %d)\n", orDash(s.ID), s.Health, s.Node, s.Level)
	for _, problem := range s.Problems {
		fmt.Fprintln(out, "  "+problem)
	}
	fmt.Fprintln(out)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NODE\tADDRESS\tSTATE\tLEADS\tLEVEL\t")
	for _, n := range s.Nodes {
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%d\t%s\n", n.ID, orDash(n.Address), n.State, n.Leads, n.Level, n.Reason)
	}
	_ = table.Flush() // as with any print: if nobody reads, nobody misses it
	fmt.Fprintln(out)
	fmt.Fprintln(table, "SHARD\tLEADER\tTERM\tCOMMITTED\tAPPLIED\tREPLICAS")
	for _, shard := range s.Shards {
		fmt.Fprintf(table, "%d\t%s\t%d\t%d\t%d\t%s\n",
			shard.ID, orDash(shard.Leader), shard.Term, shard.CommitIndex, shard.AppliedIndex, replicas(shard.Replicas))
	}
	_ = table.Flush()
}

// replicas is a shard's row: "n1, n2 behind 12 (3.4KiB), n3 nonvoter streaming 41%".
func replicas(list []admin.ClusterReplica) string {
	var all []string
	for _, r := range list {
		words := []string{r.Node}
		if r.Role == "nonvoter" {
			words = append(words, r.Role)
		}
		switch {
		case r.State == "streaming":
			words = append(words, fmt.Sprintf("streaming %.0f%%", 100*r.Progress))
		case r.State == "behind":
			words = append(words, fmt.Sprintf("behind %s (%s bytes)", console.Thousands(r.LagEntries), console.Thousands(r.LagBytes)))
		case r.State != "ok":
			words = append(words, r.State)
		}
		all = append(all, strings.Join(words, " "))
	}
	return strings.Join(all, ", ")
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

func (w *world) clusterVerifyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Compare the replicas of every shard at one entry of its log",
		Long: "Compare the replicas of every shard at one entry of its log. One that differs from the majority\n" +
			"stops and is repaired from the others; the exit code is then 1.",
		Args: cobra.NoArgs,
	}
	o := w.operationFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		client, err := o.client()
		if err != nil {
			return err
		}
		var v admin.Verification
		err = o.watch(cmd.Context(), func(ctx context.Context, report func(admin.Progress)) (err error) {
			v, err = client.Verify(ctx, report)
			return err
		})
		if err != nil {
			return err
		}
		if err := console.Print(w.out, *o.format, v, func(out io.Writer) { showVerification(out, v) }); err != nil {
			return err
		}
		if !v.Equal {
			return errors.New("replicas differ")
		}
		return nil
	}
	return cmd
}

func showVerification(out io.Writer, v admin.Verification) {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "SHARD\tINDEX\tNODE\tHASH\tSTATE")
	for _, shard := range v.Shards {
		for _, r := range shard.Replicas {
			fmt.Fprintf(table, "%d\t%d\t%s\t%s\t%s\n", shard.ID, shard.Index, r.Node, orDash(r.Hash), r.State)
		}
	}
	_ = table.Flush() // as with any print: if nobody reads, nobody misses it
}
