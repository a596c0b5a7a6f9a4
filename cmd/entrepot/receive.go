package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/Azure/go-amqp"
	"github.com/spf13/cobra"

	"entrepot/cmd/entrepot/internal/amqpclient"
	"entrepot/cmd/entrepot/internal/console"
)

// defaultPatience is how long "receive" waits for one more message.
const defaultPatience = 2 * time.Second

func (w *world) receiveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "receive ADDRESS",
		Short: "Receive messages and write their bodies",
		Long: "Receive and accept messages, and write their bodies, a line each; with -o json an object a line.\n" +
			"Ends when none has come for --timeout, or after --count. Exit code 3: fewer than --count came.",
		Args: cobra.ExactArgs(1),
	}
	target, format := w.targetFlags(cmd), outputFlag(cmd)
	var r amqpclient.Receiving
	var follow bool
	flags := cmd.Flags()
	flags.Uint64VarP(&r.Count, "count", "n", 0, "end after so many; 0: all there are")
	r.Timeout = defaultPatience
	flags.Var(durationFlag(&r.Timeout), "timeout", "end when none has come for so long; 0: never")
	flags.BoolVarP(&follow, "follow", "f", false, "wait for more until Ctrl-C")
	flags.BoolVar(&r.Browse, "browse", false, "look at the messages and leave them where they are")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		r.Address = args[0]
		if follow && !flags.Changed("timeout") {
			r.Timeout = 0
		}
		err := w.receive(cmd.Context(), *target, *format, r)
		if follow && cmd.Context().Err() != nil && errors.Is(err, context.Canceled) {
			return nil // Ctrl-C is how it is meant to end
		}
		return err
	}
	return cmd
}

func (w *world) receive(ctx context.Context, target amqpclient.Target, format console.Format, r amqpclient.Receiving) error {
	client, err := amqpclient.Dial(ctx, target)
	if err != nil {
		return err
	}
	defer client.Close()
	out := bufio.NewWriter(w.out)
	defer out.Flush()
	progress := console.StartProgress("messages", r.Count)
	defer progress.Stop()
	got, err := client.Receive(ctx, r, func(m *amqp.Message) error {
		progress.Count(1)
		if err := write(out, format, m); err != nil {
			return err
		}
		return out.Flush() // before it is accepted
	})
	switch {
	case err != nil:
		return err
	case got < r.Count:
		return console.WithCode(console.ExitIncomplete, fmt.Errorf("%s of %d came", messages(got), r.Count))
	}
	return nil
}

func write(out *bufio.Writer, format console.Format, m *amqp.Message) error {
	if format == console.JSON {
		encoder := json.NewEncoder(out)
		encoder.SetEscapeHTML(false)
		return encoder.Encode(amqpclient.Show(m))
	}
	return amqpclient.WriteText(out, m)
}
