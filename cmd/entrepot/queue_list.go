package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"entrepot/broker/admin"
	"entrepot/cmd/entrepot/internal/adminclient"
	"entrepot/cmd/entrepot/internal/console"
)

// listPage is how many queues one request asks for.
const listPage = 1000

func (w *world) queueListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List queues by name; with -o json as one array",
		Args:  cobra.NoArgs,
	}
	o := w.adminFlags(cmd)
	prefix := cmd.Flags().String("prefix", "", "only names that begin so")
	limit := cmd.Flags().Uint64("limit", 0, "at most so many; 0: all")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		client, err := o.client()
		if err != nil {
			return err
		}
		list := queueTable
		if *o.format == console.JSON {
			list = queueArray
		}
		begin, row, end := list(w.out)
		begin()
		err = eachQueue(cmd.Context(), client, *prefix, *limit, row)
		end()
		return err
	}
	return cmd
}

// eachQueue reads page after page, so that a million queues need no memory.
func eachQueue(ctx context.Context, client *adminclient.Client, prefix string, limit uint64, row func(admin.Queue)) error {
	after, shown := "", uint64(0)
	for {
		size := uint64(listPage)
		if limit > 0 {
			size = min(size, limit-shown)
		}
		page, err := client.List(ctx, prefix, after, int(size))
		if err != nil {
			return err
		}
		for _, q := range page.Queues {
			row(q)
		}
		shown += uint64(len(page.Queues))
		if page.Next == "" || (limit > 0 && shown >= limit) {
			return nil
		}
		after = page.Next
	}
}

// queueTable writes columns, aligned within a page.
func queueTable(out io.Writer) (begin func(), row func(admin.Queue), end func()) {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	rows := 0
	begin = func() { fmt.Fprintln(table, "NAME\tMESSAGES\tBYTES\tUNSETTLED\tCONSUMERS\tPOLICY") }
	row = func(q admin.Queue) {
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\t%s\n", q.Name, q.Messages, q.Bytes, q.Unsettled, q.Consumers, q.Policy)
		if rows++; rows%listPage == 0 {
			_ = table.Flush() // as with any print: if nobody reads, nobody misses it
		}
	}
	return begin, row, func() { _ = table.Flush() }
}

// queueArray writes a JSON array, an element a line, without holding it.
func queueArray(out io.Writer) (begin func(), row func(admin.Queue), end func()) {
	separator := "\n"
	begin = func() { fmt.Fprint(out, "[") }
	row = func(q admin.Queue) {
		text, err := json.Marshal(q)
		if err != nil {
			panic(err) // a struct of strings and numbers
		}
		fmt.Fprintf(out, "%s%s", separator, text)
		separator = ",\n"
	}
	return begin, row, func() { fmt.Fprintln(out, "\n]") }
}
