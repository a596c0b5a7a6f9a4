package main

import (
	"fmt"
	"io"
	"runtime"

	"github.com/spf13/cobra"

	"entrepot/broker/config"
	"entrepot/cmd/entrepot/internal/console"
)

func (w *world) versionCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Say which version this is",
		Args:  cobra.NoArgs,
	}
	format := outputFlag(cmd)
	cmd.RunE = func(*cobra.Command, []string) error {
		result := struct {
			Version string `json:"version"`
			Go      string `json:"go"`
		}{config.Version(), runtime.Version()}
		return console.Print(w.out, *format, result, func(out io.Writer) {
			fmt.Fprintf(out, "entrepot %s (%s)\n", result.Version, result.Go)
		})
	}
	return cmd
}
