package main

import (
	"context"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"entrepot/cmd/entrepot/internal/console"
)

// What serve prints is where it listens; it stops when it is told to, and its
// messages are there at the next start.
func TestServe(t *testing.T) {
	data := t.TempDir()
	for round, command := range [][]string{{"send", "q", "x"}, {"receive", "q", "--count", "1"}} {
		ctx, stop := context.WithCancel(t.Context())
		var out, logged buffer
		w := &world{in: strings.NewReader(""), out: &out, err: &logged, environ: []string{"ENTREPOT_HTTP=127.0.0.1:0"}}
		code := make(chan int)
		go func() {
			code <- w.run(ctx, []string{"serve", "--data", data, "--amqp", "127.0.0.1:0", "--amqp", "[::1]:0", "--log-format", "json"})
		}()
		require.Eventually(t, func() bool { return strings.Contains(out.String(), "try: ") }, 10*time.Second, time.Millisecond, logged.String())
		require.Regexp(t, regexp.MustCompile(`(?s)entrepot .* is ready\n  AMQP 1.0  amqp://127.0.0.1:\d+\n  AMQP 1.0  amqp://\[::1\]:\d+\n  HTTP      http://127.0.0.1:\d+\n  data      .* \(fsync\)\ntry: `), out.String())

		for _, url := range regexp.MustCompile(`amqp://\S+`).FindAllString(out.String(), 2)[1:] {
			r := runIn(t.Context(), []string{"ENTREPOT_URL=" + url}, strings.NewReader(""), command...)
			require.Zero(t, r.code, r.err)
		}

		// The directory belongs to the one that runs.
		second := &world{in: strings.NewReader(""), out: io.Discard, err: &logged}
		require.Equal(t, console.ExitFailed, second.run(t.Context(), []string{"serve", "--data", data, "--amqp", "127.0.0.1:0", "--http", "127.0.0.1:0"}), "round %d", round)

		stop()
		require.Zero(t, <-code, logged.String())
		require.Contains(t, logged.String(), `"msg":"stopping"`)
	}
}
