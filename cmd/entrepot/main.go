// Command entrepot is the broker and its tools in one binary: "entrepot serve"
// runs a node, the other commands send, receive and look after queues.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"entrepot/cmd/entrepot/internal/console"
)

// A world is what a command sees of its surroundings; tests make their own.
type world struct {
	in       io.Reader
	out, err io.Writer
	environ  []string // as os.Environ gives it
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "serve" {
		relaxTimers() // before there is anything to lose
	}
	// Ctrl-C and SIGTERM end the command's context; a second one ends the process.
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, cancel)
	w := &world{in: os.Stdin, out: os.Stdout, err: os.Stderr, environ: os.Environ()}
	os.Exit(w.run(ctx, os.Args[1:]))
}

// run executes a command line and gives the exit code.
func (w *world) run(ctx context.Context, args []string) int {
	begun := false
	root := w.root()
	root.PersistentPreRun = func(*cobra.Command, []string) { begun = true }
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	switch {
	case err == nil:
		return console.ExitOK
	case !begun: // the command line did not even name a command, or its flags
		err = console.WithCode(console.ExitUsage, err)
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		err = console.WithCode(console.ExitInterrupted, errors.New("interrupted"))
	}
	fmt.Fprintln(w.err, "entrepot:", err)
	return console.ExitCode(err)
}

// root is the tree of commands.
func (w *world) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "entrepot",
		Short:         "A persistent store-and-forward broker for AMQP 1.0",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetIn(w.in)
	root.SetOut(w.out)
	root.SetErr(w.err)
	root.AddCommand(
		w.serveCommand(),
		w.sendCommand(), w.receiveCommand(), w.queueCommand(), w.clusterCommand(),
		w.configCommand(), w.userCommand(), w.journalCommand(), w.versionCommand(),
	)
	return root
}
