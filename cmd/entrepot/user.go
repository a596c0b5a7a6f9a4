package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"entrepot/broker/config"
	"entrepot/cmd/entrepot/internal/console"
)

func (w *world) userCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "user", Short: "Work with users"}
	cmd.AddCommand(w.userHashCommand())
	return cmd
}

func (w *world) userHashCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "hash",
		Short: "Hash a password for the users of a configuration file",
		Long:  "Read a password (on a terminal twice and unseen, else the first line of standard input) and write\nwhat password_hash in the configuration file wants.",
		Args:  cobra.NoArgs,
	}
	format := outputFlag(cmd)
	cmd.RunE = func(*cobra.Command, []string) error {
		password, err := w.readPassword()
		if err != nil {
			return err
		}
		hash, err := config.HashPassword(password)
		if err != nil {
			return err
		}
		result := struct {
			PasswordHash string `json:"password_hash"`
		}{hash}
		return console.Print(w.out, *format, result, func(out io.Writer) { fmt.Fprintln(out, hash) })
	}
	return cmd
}

func (w *world) readPassword() (string, error) {
	f, ok := w.in.(*os.File)
	if !ok || !console.IsTerminal(f) {
		line, err := bufio.NewReader(w.in).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return "", fmt.Errorf("standard input: %w", err)
		}
		return strings.TrimRight(line, "\r\n"), nil
	}
	var typed [2]string
	for i, prompt := range []string{"password: ", "again: "} {
		fmt.Fprint(w.err, prompt)
		text, err := term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(w.err)
		if err != nil {
			return "", err
		}
		typed[i] = string(text)
	}
	if typed[0] != typed[1] {
		return "", errors.New("the two are not the same")
	}
	return typed[0], nil
}
