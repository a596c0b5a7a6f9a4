package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"entrepot/broker/config"
	"entrepot/cmd/entrepot/internal/console"
)

func (w *world) configCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "Work with configuration files"}
	cmd.AddCommand(w.configCheckCommand())
	return cmd
}

// checked is the result of "config check".
type checked struct {
	File     string   `json:"file"`
	OK       bool     `json:"ok"`
	Errors   []string `json:"errors,omitempty"`
	Warnings []string `json:"warnings,omitempty"`
}

func (w *world) configCheckCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check FILE",
		Short: "Check a configuration file and name all mistakes",
		Args:  cobra.ExactArgs(1),
	}
	format := outputFlag(cmd)
	node := cmd.Flags().String("node", "", "as this node of a cluster would read it, if the file does not say which")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		var given []config.Setting
		if *node != "" {
			given = append(given, config.Setting{Key: "cluster.node", Origin: "--node", Values: []string{*node}})
		}
		cfg, err := config.Load(args[0], nil, given)
		result := checked{File: args[0], OK: err == nil, Errors: sentences(err)}
		if err == nil {
			result.Warnings = cfg.Warnings()
		}
		printed := console.Print(w.out, *format, result, func(out io.Writer) {
			for _, text := range result.Errors {
				fmt.Fprintln(out, text)
			}
			for _, text := range result.Warnings {
				fmt.Fprintln(out, "warning:", text)
			}
			if result.OK {
				fmt.Fprintf(out, "%s is fine\n", args[0])
			}
		})
		if !result.OK {
			return fmt.Errorf("%s can't be used", args[0])
		}
		return printed
	}
	return cmd
}

// sentences takes a joined error apart.
func sentences(err error) []string {
	if err == nil {
		return nil
	}
	var several interface{ Unwrap() []error }
	if !errors.As(err, &several) {
		return []string{err.Error()}
	}
	var all []string
	for _, one := range several.Unwrap() {
		all = append(all, one.Error())
	}
	return all
}
