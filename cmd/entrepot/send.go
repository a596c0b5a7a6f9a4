package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/Azure/go-amqp"
	"github.com/spf13/cobra"

	"entrepot/broker/config"
	"entrepot/cmd/entrepot/internal/amqpclient"
	"entrepot/cmd/entrepot/internal/console"
)

// sendOptions are the flags of "send".
type sendOptions struct {
	target     *amqpclient.Target
	format     *console.Format
	count      uint64
	size       config.Size
	ttl        time.Duration
	properties map[string]any
	lines      bool
}

func (w *world) sendCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "send ADDRESS [BODY]",
		Short: "Send messages and wait until they are accepted",
		Long: "Send BODY, or what standard input gives (with --lines: a message a line), and wait until\n" +
			"the broker has accepted it. Exit code 3: something was not accepted.",
		Args: cobra.RangeArgs(1, 2),
	}
	o := sendOptions{target: w.targetFlags(cmd), format: outputFlag(cmd)}
	flags := cmd.Flags()
	flags.Uint64VarP(&o.count, "count", "n", 1, "send it so many times")
	flags.Var(sizeFlag(&o.size), "size", "make up a body of so many bytes")
	flags.Var(durationFlag(&o.ttl), "ttl", "time to live")
	flags.Var(propertyFlag(&o.properties), "property", "application property; may be given several times")
	flags.BoolVar(&o.lines, "lines", false, "each line of standard input is a message")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		source, err := w.bodies(cmd, &o, args[1:])
		if err != nil {
			return err
		}
		return w.send(cmd.Context(), &o, args[0], source)
	}
	return cmd
}

// sent is the result of "send".
type sent struct {
	Address  string  `json:"address"`
	Accepted uint64  `json:"accepted"`
	Refused  uint64  `json:"refused"`
	Unknown  uint64  `json:"unknown"`
	Reason   string  `json:"reason,omitempty"`
	Seconds  float64 `json:"seconds"`
	Rate     float64 `json:"rate"`
}

func (w *world) send(ctx context.Context, o *sendOptions, address string, source bodySource) error {
	client, err := amqpclient.Dial(ctx, *o.target)
	if err != nil {
		return err
	}
	defer client.Close()
	progress := console.StartProgress("messages", source.total)
	defer progress.Stop()
	outcomes, err := client.Send(ctx, address, func() (*amqp.Message, error) {
		body, err := source.next(ctx)
		if errors.Is(err, io.EOF) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		return amqpclient.NewMessage(body, o.ttl, o.properties), nil
	}, func() { progress.Count(1) })
	sum := progress.Stop()
	result := sent{
		Address: address, Accepted: outcomes.Accepted, Refused: outcomes.Refused, Unknown: outcomes.Unknown,
		Reason: outcomes.Reason, Seconds: sum.Seconds, Rate: sum.Rate,
	}
	printed := console.Print(w.out, *o.format, result, func(out io.Writer) {
		fmt.Fprintf(out, "accepted %s in %.2f s (%s/s)\n", messages(result.Accepted), sum.Seconds, console.Thousands(uint64(sum.Rate)))
	})
	switch {
	case err != nil:
		return err
	case outcomes.Refused > 0:
		return console.WithCode(console.ExitIncomplete, fmt.Errorf("%s not accepted: %s", messages(outcomes.Refused), outcomes.Reason))
	}
	return printed
}

// messages is a number of messages in words.
func messages(n uint64) string {
	if n == 1 {
		return "1 message"
	}
	return console.Thousands(n) + " messages"
}
