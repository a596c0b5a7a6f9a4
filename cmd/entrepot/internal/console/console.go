// Package console is how the commands speak: what goes to standard output, as
// text or JSON, the progress line on standard error, and the exit codes.
package console

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Exit codes of every command. README.md lists them.
const (
	ExitOK          = 0
	ExitFailed      = 1   // it went wrong; standard error says how
	ExitUsage       = 2   // the command line can't be meant so
	ExitIncomplete  = 3   // some messages were not accepted, or fewer came than were asked for
	ExitUnreachable = 4   // no connection to the broker, or the login was refused
	ExitNotFound    = 5   // there is no such queue, node or shard
	ExitInterrupted = 130 // Ctrl-C, as shells count it: 128 and the signal
)

// An ExitError carries the exit code of a command that did not succeed.
type ExitError struct {
	Code int
	Err  error
}

func (e *ExitError) Error() string { return e.Err.Error() }
func (e *ExitError) Unwrap() error { return e.Err }

// WithCode gives an error an exit code.
func WithCode(code int, err error) error { return &ExitError{Code: code, Err: err} }

// ExitCode is the code for what a command returned.
func ExitCode(err error) int {
	var exit *ExitError
	switch {
	case err == nil:
		return ExitOK
	case errors.As(err, &exit):
		return exit.Code
	}
	return ExitFailed
}

// Format is how a command writes its result. It is a flag's value.
type Format string

// The formats.
const (
	Text Format = "text"
	JSON Format = "json"
)

// String, Set and Type make a Format a flag.
func (f *Format) String() string { return string(*f) }

// Set takes "text" or "json"; "table" is another word for text.
func (f *Format) Set(text string) error {
	switch Format(text) {
	case Text, JSON:
		*f = Format(text)
		return nil
	case "table":
		*f = Text
		return nil
	}
	return fmt.Errorf("%q is not %q or %q", text, Text, JSON)
}

// Type is what the help calls the value.
func (f *Format) Type() string { return "text|json" }

// Print writes a result: as one line of JSON, or what text writes.
func Print(w io.Writer, f Format, value any, text func(io.Writer)) error {
	if f != JSON {
		text(w)
		return nil
	}
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(value)
}
