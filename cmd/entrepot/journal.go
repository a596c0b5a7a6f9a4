package main

import (
	"github.com/spf13/cobra"

	"entrepot/broker/config"
)

func (w *world) journalCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "journal",
		Short: "Read the store of a stopped node",
	}
	cmd.AddCommand(w.journalDumpCommand(), w.journalVerifyCommand())
	return cmd
}

// dataFlag adds --data.
func (w *world) dataFlag(cmd *cobra.Command) *string {
	return cmd.Flags().String("data", w.getenv("ENTREPOT_DATA", config.Default().Data), "directory of the store")
}
