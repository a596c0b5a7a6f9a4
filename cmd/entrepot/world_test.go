package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"entrepot/broker"
	"entrepot/broker/config"
)

// A site is a running broker and a shell to talk to it.
type site struct {
	t       *testing.T
	environ []string
}

// newSite starts a broker on free ports; edit changes its configuration.
func newSite(t *testing.T, edit ...func(*config.Config)) *site {
	t.Helper()
	cfg := config.Default()
	cfg.Data = t.TempDir()
	cfg.AMQP = []config.Listener{config.DefaultListener("127.0.0.1:0")}
	cfg.HTTP = "127.0.0.1:0"
	cfg.Durability = config.OS // nobody pulls the plug here
	for _, e := range edit {
		e(&cfg)
	}
	b, err := broker.New(cfg, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	require.NoError(t, b.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, b.Shutdown(context.Background())) })
	return &site{t: t, environ: []string{"ENTREPOT_URL=amqp://" + b.Addresses()[0], "ENTREPOT_HTTP=" + b.HTTPAddress()}}
}

// A result is how a command ended.
type result struct {
	code     int
	out, err string
}

// run runs a command line with something on standard input.
func (s *site) run(input string, args ...string) result {
	s.t.Helper()
	return runIn(s.t.Context(), s.environ, strings.NewReader(input), args...)
}

func runIn(ctx context.Context, environ []string, input io.Reader, args ...string) result {
	var out, err buffer
	w := &world{in: input, out: &out, err: &err, environ: environ}
	code := w.run(ctx, args)
	return result{code: code, out: out.String(), err: err.String()}
}

// ok wants exit code 0 and gives the output.
func (s *site) ok(input string, args ...string) string {
	s.t.Helper()
	r := s.run(input, args...)
	require.Zero(s.t, r.code, r.err)
	return r.out
}

// json wants exit code 0 and one JSON value.
func (s *site) json(input string, args ...string) (value map[string]any) {
	s.t.Helper()
	require.NoError(s.t, json.Unmarshal([]byte(s.ok(input, append(args, "-o", "json")...)), &value))
	return value
}

// A buffer may be written and read from several goroutines.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
