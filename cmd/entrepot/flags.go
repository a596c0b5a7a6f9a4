package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"entrepot/broker/config"
	"entrepot/cmd/entrepot/internal/amqpclient"
	"entrepot/cmd/entrepot/internal/console"
)

// getenv is the value of a variable, or otherwise.
func (w *world) getenv(name, otherwise string) string {
	for _, entry := range w.environ {
		if value, ok := strings.CutPrefix(entry, name+"="); ok && value != "" {
			return value
		}
	}
	return otherwise
}

// outputFlag adds -o.
func outputFlag(cmd *cobra.Command) *console.Format {
	format := console.Text
	cmd.Flags().VarP(&format, "output", "o", "how to write the result")
	return &format
}

// targetFlags add --url and --user: the broker to send to and receive from.
func (w *world) targetFlags(cmd *cobra.Command) *amqpclient.Target {
	target := &amqpclient.Target{Password: w.getenv("ENTREPOT_PASSWORD", "")}
	cmd.Flags().StringVar(&target.URL, "url", w.getenv("ENTREPOT_URL", "amqp://127.0.0.1:5672"), "the broker: amqp://HOST:PORT (ENTREPOT_URL)")
	w.userFlag(cmd, &target.User)
	return target
}

func (w *world) userFlag(cmd *cobra.Command, user *string) {
	cmd.Flags().StringVar(user, "user", w.getenv("ENTREPOT_USER", ""), "who logs in (ENTREPOT_USER); the password is taken from ENTREPOT_PASSWORD")
}

// A parsed flag is one that knows its own notation.
type parsed[T any] struct {
	to    *T
	parse func(string) (T, error)
	show  func(T) string
	kind  string
}

func (p parsed[T]) String() string {
	if p.to == nil {
		return "" // cobra asks an empty one what the zero value looks like
	}
	return p.show(*p.to)
}

func (p parsed[T]) Type() string { return p.kind }

func (p parsed[T]) Set(text string) error {
	value, err := p.parse(text)
	if err == nil {
		*p.to = value
	}
	return err
}

// durationFlag is a flag such as 30s or 7d.
func durationFlag[D ~int64](to *D) parsed[D] {
	return parsed[D]{
		to:    to,
		parse: func(text string) (D, error) { d, err := config.ParseDuration(text); return D(d), err },
		show:  func(d D) string { return config.FormatDuration(time.Duration(d)) },
		kind:  "duration",
	}
}

// sizeFlag is a flag such as 64KiB.
func sizeFlag(to *config.Size) parsed[config.Size] {
	return parsed[config.Size]{to: to, parse: config.ParseSize, show: config.Size.String, kind: "size"}
}

// propertyFlag collects k=v.
func propertyFlag(to *map[string]any) parsed[map[string]any] {
	return parsed[map[string]any]{
		to: to,
		parse: func(text string) (map[string]any, error) {
			key, value, ok := strings.Cut(text, "=")
			if !ok || key == "" {
				return nil, fmt.Errorf("%q is not KEY=VALUE", text)
			}
			all := *to
			if all == nil {
				all = map[string]any{}
			}
			all[key] = value
			return all, nil
		},
		show: func(map[string]any) string { return "" },
		kind: "key=value",
	}
}
