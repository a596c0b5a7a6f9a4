package main

import (
	"context"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"entrepot/broker/config"
	"entrepot/cmd/entrepot/internal/console"
)

func TestSendAndReceive(t *testing.T) {
	s := newSite(t)
	require.Contains(t, s.ok("", "send", "hello", "first message"), "accepted 1 message in ")
	require.Equal(t, "first message\n", s.ok("", "receive", "hello", "--count", "1"))
}

func TestManyMessagesKeepTheirOrder(t *testing.T) {
	s := newSite(t)
	var lines strings.Builder
	for i := range 3000 { // several times what may be in flight
		lines.WriteString("line " + console.Thousands(uint64(i)) + "\n")
	}
	sent := s.json(lines.String(), "send", "a/b", "--lines")
	require.EqualValues(t, 3000, sent["accepted"])
	require.EqualValues(t, 0, sent["refused"])
	require.Equal(t, lines.String(), s.ok("", "receive", "a/b", "--count", "3000"))
}

func TestBrowsingLeavesTheMessagesThere(t *testing.T) {
	s := newSite(t)
	s.ok("", "send", "q", "x", "--count", "3")
	for range 2 {
		require.Equal(t, "x\nx\nx\n", s.ok("", "receive", "q", "--browse", "--count", "3"))
	}
	require.EqualValues(t, 3, s.json("", "queue", "show", "q")["messages"])
}

func TestAMessageAsJSON(t *testing.T) {
	s := newSite(t)
	s.ok("", "send", "q", "body", "--property", "k=v", "--property", "n=1=2", "--ttl", "1h")
	message := s.json("", "receive", "q", "--count", "1")
	require.Equal(t, "body", message["body"])
	require.Equal(t, map[string]any{"k": "v", "n": "1=2"}, message["properties"])
	require.EqualValues(t, 0, message["delivery_count"])
	require.InDelta(t, time.Hour.Milliseconds(), message["ttl_ms"], 60_000, "what remains of the hour")
}

func TestBodiesFromElsewhere(t *testing.T) {
	s := newSite(t)
	s.ok("all of\nstandard input", "send", "q")
	require.Equal(t, "all of\nstandard input\n", s.ok("", "receive", "q", "--count", "1"))
	s.ok("", "send", "q", "--size", "1KiB")
	require.Len(t, s.ok("", "receive", "q", "--count", "1"), 1024+1)
	s.ok("\xff\xfe", "send", "q")
	require.Equal(t, "//4=", s.json("", "receive", "q", "--count", "1")["body_base64"])
}

func TestReceiveEndsWhenNothingComes(t *testing.T) {
	s := newSite(t)
	require.Empty(t, s.ok("", "receive", "nothing", "--timeout", "10ms"))
	r := s.run("", "receive", "nothing", "--timeout", "10ms", "--count", "2")
	require.Equal(t, console.ExitIncomplete, r.code)
	require.Contains(t, r.err, "0 messages of 2 came")
}

// --follow ends with Ctrl-C, and that is success; without it, it is not.
func TestCtrlC(t *testing.T) {
	s := newSite(t)
	s.ok("", "send", "q", "x")
	for _, c := range []struct {
		want int
		args []string
	}{
		{console.ExitOK, []string{"receive", "q", "--follow", "--browse"}},
		{console.ExitInterrupted, []string{"receive", "q", "--timeout", "0", "--browse"}},
	} {
		ctx, interrupt := context.WithCancel(t.Context())
		var out buffer
		w := &world{in: strings.NewReader(""), out: &out, err: io.Discard, environ: s.environ}
		code := make(chan int)
		go func() { code <- w.run(ctx, c.args) }()
		require.Eventually(t, func() bool { return out.String() == "x\n" }, 10*time.Second, time.Millisecond)
		interrupt()
		require.Equal(t, c.want, <-code)
	}
}

// A queue that is full gives no credit: send waits, and Ctrl-C is no fault of the link.
func TestCtrlCWhileTheQueueIsFull(t *testing.T) {
	s := newSite(t)
	s.ok("", "queue", "declare", "q", "--max-messages", "1")
	s.ok("", "send", "q", "x")
	ctx, interrupt := context.WithCancel(t.Context())
	time.AfterFunc(300*time.Millisecond, interrupt)
	r := runIn(ctx, s.environ, strings.NewReader(""), "send", "q", "y")
	require.Equal(t, console.ExitInterrupted, r.code, r.err)
	require.Contains(t, r.out, "accepted 0 messages")
	require.Contains(t, r.err, "interrupted")
}

// Standard input that gives nothing does not hold up Ctrl-C.
func TestCtrlCWhileStandardInputIsSilent(t *testing.T) {
	s := newSite(t)
	silent, writer := io.Pipe()
	defer writer.Close()
	ctx, interrupt := context.WithCancel(t.Context())
	code := make(chan result)
	go func() { code <- runIn(ctx, s.environ, silent, "send", "q", "--lines") }()
	_, err := writer.Write([]byte("one\n"))
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		r := s.run("", "queue", "show", "q", "-o", "json")
		var q struct{ Messages int }
		return json.Unmarshal([]byte(r.out), &q) == nil && q.Messages == 1
	}, 10*time.Second, time.Millisecond)
	interrupt()
	r := <-code
	require.Equal(t, console.ExitInterrupted, r.code)
	require.Contains(t, r.out, "accepted 1 message")
}

func TestWhatIsNotAcceptedIsSaid(t *testing.T) {
	s := newSite(t, func(c *config.Config) {
		never, small := config.DefaultPolicy("never/#"), config.DefaultListener("127.0.0.1:0")
		never.Create = config.CreateNever
		small.MaxMessageSize = 1000
		c.Policies, c.AMQP = []config.Policy{never}, []config.Listener{small}
	})
	r := s.run("", "send", "never/here", "x")
	require.Equal(t, console.ExitNotFound, r.code, r.err)
	require.Contains(t, r.err, "amqp:not-found")
	r = s.run("", "receive", "never/here")
	require.Equal(t, console.ExitNotFound, r.code, r.err)
	r = s.run("", "send", "q", "--size", "2000")
	require.NotZero(t, r.code)
	require.Contains(t, r.err, "1000")
}

func TestNoBroker(t *testing.T) {
	environ := []string{"ENTREPOT_URL=127.0.0.1:1", "ENTREPOT_HTTP=127.0.0.1:1"}
	for _, args := range [][]string{{"send", "q", "x"}, {"receive", "q"}, {"queue", "list"}} {
		r := runIn(t.Context(), environ, strings.NewReader(""), args...)
		require.Equal(t, console.ExitUnreachable, r.code, r.err)
		require.Contains(t, r.err, "refused")
		require.Empty(t, r.out)
	}
}

func TestUsersLogIn(t *testing.T) {
	hash, err := config.HashPassword("apple")
	require.NoError(t, err)
	s := newSite(t, func(c *config.Config) { c.Users = []config.User{{Name: "ann", PasswordHash: hash}} })
	for _, args := range [][]string{{"send", "q", "x"}, {"queue", "list"}} {
		require.Equal(t, console.ExitUnreachable, s.run("", args...).code, "anonymous")
		require.Equal(t, console.ExitUnreachable, s.run("", append(args, "--user", "ann")...).code, "without the password")
	}
	s.environ = append(s.environ, "ENTREPOT_USER=ann", "ENTREPOT_PASSWORD=apple")
	s.ok("", "send", "q", "x")
	require.Contains(t, s.ok("", "queue", "list"), "q ")
}
