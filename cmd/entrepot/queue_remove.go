package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"entrepot/cmd/entrepot/internal/adminclient"
	"entrepot/cmd/entrepot/internal/console"
)

func (w *world) queueDeleteCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "delete NAME...",
		Short: "Remove queues with their messages",
	}
	return w.removing(cmd, "deleted", (*adminclient.Client).Delete)
}

func (w *world) queuePurgeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "purge NAME...",
		Short: "Remove all messages of queues, also those that are with a consumer",
	}
	return w.removing(cmd, "purged", (*adminclient.Client).Purge)
}

// removal is the result of "delete" and "purge", an object for each queue.
type removal struct {
	Name     string `json:"name"`
	Messages uint64 `json:"messages"`
}

// removing makes a command that takes messages away.
func (w *world) removing(cmd *cobra.Command, done string, remove func(*adminclient.Client, context.Context, string) (adminclient.Removed, error)) *cobra.Command {
	cmd.Args = cobra.MinimumNArgs(1)
	o := w.adminFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		client, err := o.client()
		if err != nil {
			return err
		}
		return eachName(args, func(name string) error {
			removed, err := remove(client, cmd.Context(), name)
			if err != nil {
				return err
			}
			return console.Print(w.out, *o.format, removal{name, removed.Messages}, func(out io.Writer) {
				fmt.Fprintf(out, "%s %s with %s\n", done, name, messages(removed.Messages))
			})
		})
	}
	return cmd
}
