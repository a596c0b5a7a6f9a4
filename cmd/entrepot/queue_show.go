package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"entrepot/broker/admin"
	"entrepot/cmd/entrepot/internal/console"
)

func (w *world) queueShowCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show NAME",
		Short: "Show a queue",
		Args:  cobra.ExactArgs(1),
	}
	o := w.adminFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		client, err := o.client()
		if err != nil {
			return err
		}
		q, err := client.Show(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		return console.Print(w.out, *o.format, q, func(out io.Writer) { showQueue(out, q) })
	}
	return cmd
}

func showQueue(out io.Writer, q admin.Queue) {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	defer table.Flush()
	row := func(key string, value any) { fmt.Fprintf(table, "%s\t%v\n", key, value) }
	row("name", q.Name)
	row("shard", q.Shard)
	row("messages", q.Messages)
	row("bytes", q.Bytes)
	row("unsettled", q.Unsettled)
	row("consumers", q.Consumers)
	row("producers", q.Producers)
	row("policy", q.Policy)
	limits := map[bool]string{true: "none"}
	number := func(key string, n uint64) {
		text := limits[n == 0]
		if n != 0 {
			text = console.Thousands(n)
		}
		row(key, text)
	}
	span := func(key string, d admin.Duration) {
		text := limits[d == 0]
		if d != 0 {
			text = durationFlag(&d).String()
		}
		row(key, text)
	}
	e := q.Effective
	span("ttl default", e.TTLDefault)
	span("ttl min", e.TTLMin)
	span("ttl max", e.TTLMax)
	number("max messages", e.MaxMessages)
	number("max bytes", uint64(e.MaxBytes))
	number("max deliveries", uint64(e.MaxDeliveries))
	number("max unsettled", uint64(e.MaxUnsettled))
}
