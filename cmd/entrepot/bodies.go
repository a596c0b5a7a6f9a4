package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"

	"github.com/spf13/cobra"

	"entrepot/cmd/entrepot/internal/console"
)

// maxLine is the longest line that is still one message.
const maxLine = 64 << 20

// A bodySource gives the bodies to send, and io.EOF after the last one.
type bodySource struct {
	next  func(context.Context) ([]byte, error)
	total uint64 // how many there will be; 0: not known
}

// bodies chooses the source: BODY, --size, --lines or standard input.
func (w *world) bodies(cmd *cobra.Command, o *sendOptions, args []string) (bodySource, error) {
	given := 0
	for _, is := range []bool{len(args) > 0, cmd.Flags().Changed("size"), o.lines} {
		if is {
			given++
		}
	}
	switch {
	case given > 1:
		return bodySource{}, console.WithCode(console.ExitUsage, errors.New("only one of BODY, --size and --lines can be the body"))
	case o.lines && cmd.Flags().Changed("count"):
		return bodySource{}, console.WithCode(console.ExitUsage, errors.New("--lines sends as many messages as there are lines, not --count"))
	case o.lines:
		return bodySource{next: readLines(w.in)}, nil
	case len(args) > 0:
		return repeated([]byte(args[0]), o.count), nil
	case cmd.Flags().Changed("size"):
		return repeated(madeUp(int(o.size)), o.count), nil
	}
	if f, ok := w.in.(*os.File); ok && console.IsTerminal(f) {
		return bodySource{}, console.WithCode(console.ExitUsage, errors.New("no BODY; give one, or --size, or something on standard input"))
	}
	body, err := io.ReadAll(w.in)
	if err != nil {
		return bodySource{}, fmt.Errorf("standard input: %w", err)
	}
	return repeated(body, o.count), nil
}

func repeated(body []byte, count uint64) bodySource {
	left := count
	return bodySource{total: count, next: func(context.Context) ([]byte, error) {
		if left == 0 {
			return nil, io.EOF
		}
		left--
		return body, nil
	}}
}

// madeUp is text that does not compress much, and is the same each time.
func madeUp(size int) []byte {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	random := rand.New(rand.NewPCG(1, 2))
	body := make([]byte, size)
	for i := range body {
		body[i] = letters[random.IntN(len(letters))]
	}
	return body
}

// readLines gives the lines of r, one a call. A line that does not come can't
// hold up Ctrl-C: reading happens beside.
func readLines(r io.Reader) func(context.Context) ([]byte, error) {
	type line struct {
		text []byte
		err  error
	}
	lines := make(chan line, 256)
	go func() {
		scanner := bufio.NewScanner(r)
		scanner.Buffer(nil, maxLine)
		for scanner.Scan() {
			lines <- line{text: bytes.Clone(scanner.Bytes())}
		}
		err := scanner.Err()
		if err == nil {
			err = io.EOF
		}
		lines <- line{err: err}
	}()
	return func(ctx context.Context) ([]byte, error) {
		select {
		case l := <-lines:
			return l.text, l.err
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
