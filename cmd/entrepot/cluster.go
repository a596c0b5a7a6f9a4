package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"entrepot/broker/admin"
	"entrepot/cmd/entrepot/internal/adminclient"
	"entrepot/cmd/entrepot/internal/console"
)

func (w *world) clusterCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "cluster", Short: "Look after the nodes of a cluster; any of them can be asked"}
	cmd.AddCommand(
		w.clusterStatusCommand(),
		w.clusterAddCommand(), w.clusterRemoveCommand(), w.clusterDrainCommand(),
		w.clusterTransferCommand(), w.clusterRebalanceCommand(), w.clusterVerifyCommand(),
	)
	return cmd
}

// operation is a command that takes long: it shows how far it is, and may be
// given up after a time.
type operation struct {
	*adminOptions
	world   *world
	timeout time.Duration
}

// operationFlags add the flags of an admin command and --timeout.
func (w *world) operationFlags(cmd *cobra.Command) *operation {
	o := &operation{adminOptions: w.adminFlags(cmd), world: w}
	cmd.Flags().Var(durationFlag(&o.timeout), "timeout", "give up after so long; what is done stays done, and to ask again goes on from there; 0: never")
	return o
}

// done is the result of an operation without one of its own.
type done struct {
	Done string `json:"done"`
}

// run does the work and prints a sentence when it is done.
func (o *operation) run(ctx context.Context, do func(context.Context, *adminclient.Client, func(admin.Progress)) (string, error)) error {
	client, err := o.client()
	if err != nil {
		return err
	}
	var said string
	if err := o.watch(ctx, func(ctx context.Context, report func(admin.Progress)) (err error) {
		said, err = do(ctx, client, report)
		return err
	}); err != nil {
		return err
	}
	return console.Print(o.world.out, *o.format, done{said}, func(out io.Writer) { fmt.Fprintln(out, said) })
}

// watch shows progress on standard error while something is done.
func (o *operation) watch(ctx context.Context, do func(context.Context, func(admin.Progress)) error) error {
	if o.timeout > 0 {
		limited, cancel := context.WithTimeout(ctx, o.timeout)
		defer cancel()
		ctx = limited
	}
	steps := console.ToSteps(o.world.err)
	err := do(ctx, func(p admin.Progress) { steps.Show(p.Step, p.Done, p.Total) })
	steps.Stop()
	if errors.Is(err, context.DeadlineExceeded) {
		err = console.WithCode(console.ExitIncomplete, fmt.Errorf("not done within %s; to ask again goes on from there", o.timeout))
	}
	return err
}
