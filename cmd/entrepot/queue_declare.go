package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/spf13/cobra"

	"entrepot/broker/admin"
	"entrepot/cmd/entrepot/internal/adminclient"
	"entrepot/cmd/entrepot/internal/console"
)

func (w *world) queueDeclareCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "declare NAME... | --lines",
		Short: "Create queues, or give existing ones new limits",
		Long: "Create queues, or give existing ones new limits. A limit can only narrow what the policy of\n" +
			"the address says; what is not given is the policy's.",
	}
	o := w.adminFlags(cmd)
	var d admin.Declaration
	flags := cmd.Flags()
	flags.Var(durationFlag(&d.TTLDefault), "ttl-default", "time to live of a message that names none")
	flags.Var(durationFlag(&d.TTLMin), "ttl-min", "raise a shorter time to live to this")
	flags.Var(durationFlag(&d.TTLMax), "ttl-max", "cut a longer time to live to this")
	flags.Uint64Var(&d.MaxMessages, "max-messages", 0, "most messages")
	flags.Var(sizeFlag(&d.MaxBytes), "max-bytes", "most bytes")
	flags.Uint32Var(&d.MaxDeliveries, "max-deliveries", 0, "failed deliveries after which a message is dropped")
	flags.Uint32Var(&d.MaxUnsettled, "max-unsettled", 0, "most unsettled messages of a consumer")
	lines := flags.Bool("lines", false, "each line of standard input is a name")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if *lines == (len(args) > 0) {
			return console.WithCode(console.ExitUsage, errors.New("give names, or --lines and names on standard input"))
		}
		client, err := o.client()
		if err != nil {
			return err
		}
		if *lines {
			return w.declareLines(cmd.Context(), client, *o.format, d)
		}
		return eachName(args, func(name string) error {
			q, err := client.Declare(cmd.Context(), name, d)
			if err != nil {
				return err
			}
			return console.Print(w.out, *o.format, q, func(out io.Writer) { fmt.Fprintln(out, "declared", name) })
		})
	}
	return cmd
}

// eachName does something for each name and stops at the first error.
func eachName(names []string, do func(string) error) error {
	for _, name := range names {
		if err := do(name); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// declareLines declares every name on standard input, several at a time: each
// waits for an fsync, which they then share.
func (w *world) declareLines(ctx context.Context, client *adminclient.Client, format console.Format, d admin.Declaration) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	progress := console.StartProgress("queues", 0)
	next := readLines(w.in)
	names := make(chan string)
	var workers sync.WaitGroup
	for range adminclient.Parallel {
		workers.Go(func() {
			for name := range names {
				if _, err := client.Declare(ctx, name, d); err != nil {
					stop(fmt.Errorf("%s: %w", name, err))
					continue // takes the rest of the names, so that nobody waits
				}
				progress.Count(1)
			}
		})
	}
	for {
		name, err := next(ctx)
		if err != nil {
			if !errors.Is(err, io.EOF) {
				stop(err)
			}
			break
		}
		if len(name) > 0 {
			names <- string(name)
		}
	}
	close(names)
	workers.Wait()
	sum := progress.Stop()
	result := struct {
		Declared uint64  `json:"declared"`
		Seconds  float64 `json:"seconds"`
		Rate     float64 `json:"rate"`
	}{sum.Count, sum.Seconds, sum.Rate}
	printed := console.Print(w.out, format, result, func(out io.Writer) {
		fmt.Fprintf(out, "declared %s queues in %.2f s (%s/s)\n", console.Thousands(sum.Count), sum.Seconds, console.Thousands(uint64(sum.Rate)))
	})
	if err := context.Cause(ctx); err != nil {
		return err
	}
	return printed
}
