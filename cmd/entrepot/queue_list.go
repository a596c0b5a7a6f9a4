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
		return eachPage(cmd.Context(), client, *prefix, *limit, list(w.out))
	}
	return cmd
}

// A lister writes a list of queues, page by page, so that a million of them
// need no memory.
type lister struct {
	begin func()
	row   func(admin.Queue)
	end   func()
}

// eachPage asks for page after page. Nothing is written if the first one fails.
func eachPage(ctx context.Context, client *adminclient.Client, prefix string, limit uint64, l lister) error {
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
		if after == "" {
			l.begin()
			defer l.end()
		}
		for _, q := range page.Queues {
			l.row(q)
		}
		shown += uint64(len(page.Queues))
		if page.Next == "" || (limit > 0 && shown >= limit) {
			return nil
		}
		after = page.Next
	}
}

// queueTable writes columns, aligned within a page.
func queueTable(out io.Writer) lister {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	rows := 0
	return lister{
		begin: func() { fmt.Fprintln(table, "NAME\tMESSAGES\tBYTES\tUNSETTLED\tCONSUMERS\tPOLICY") },
		row: func(q admin.Queue) {
			fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\t%s\n", q.Name, q.Messages, q.Bytes, q.Unsettled, q.Consumers, q.Policy)
			if rows++; rows%listPage == 0 {
				_ = table.Flush() // as with any print: if nobody reads, nobody misses it
			}
		},
		end: func() { _ = table.Flush() },
	}
}

// queueArray writes a JSON array, an element a line.
func queueArray(out io.Writer) lister {
	separator := "\n"
	return lister{
		begin: func() { fmt.Fprint(out, "[") },
		row: func(q admin.Queue) {
			text, err := json.Marshal(q)
			if err != nil {
				panic(err) // a struct of strings and numbers
			}
			fmt.Fprintf(out, "%s%s", separator, text)
			separator = ",\n"
		},
		end: func() { fmt.Fprintln(out, "\n]") },
	}
}
