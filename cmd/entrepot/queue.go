package main

import (
	"github.com/spf13/cobra"

	"entrepot/cmd/entrepot/internal/adminclient"
	"entrepot/cmd/entrepot/internal/console"
)

func (w *world) queueCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "queue", Short: "Look after the queues of a running broker"}
	cmd.AddCommand(w.queueListCommand(), w.queueShowCommand(), w.queueDeclareCommand(), w.queueDeleteCommand(), w.queuePurgeCommand())
	return cmd
}

// adminOptions are the flags that every queue command has.
type adminOptions struct {
	http, user, password string
	format               *console.Format
}

// adminFlags add --http, --user and -o.
func (w *world) adminFlags(cmd *cobra.Command) *adminOptions {
	o := &adminOptions{password: w.getenv("ENTREPOT_PASSWORD", ""), format: outputFlag(cmd)}
	cmd.Flags().StringVar(&o.http, "http", w.getenv("ENTREPOT_HTTP", "127.0.0.1:8161"), "the broker: HOST:PORT or http://HOST:PORT (ENTREPOT_HTTP)")
	w.userFlag(cmd, &o.user)
	return o
}

func (o *adminOptions) client() (*adminclient.Client, error) {
	return adminclient.New(o.http, o.user, o.password)
}
