package amqp

import (
	"bytes"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"entrepot/protocol/amqp/wire"
)

// frames makes input of lines of a story.
func frames(t testing.TB, lines ...string) (p []byte) {
	for _, line := range lines {
		p = append(p, frameFromText(t, line)...)
	}
	return p
}

// accepted is an accepting engine after these lines, with an owner that takes all
// links.
func accepted(t testing.TB, cfg *Config, lines ...string) *Conn {
	cfg.SASL.AllowBare = true
	c := NewConn(cfg, epoch)
	c.Receive(frames(t, append([]string{"header amqp", "open"}, lines...)...), epoch)
	serve(c)
	c.TakeOutput(nil)
	return c
}

// serve acts on all events, and returns the last one.
func serve(c *Conn) (last Event) {
	var ev Event
	for c.Next(&ev) {
		last = ev
		switch ev.Kind {
		case EventOpened:
			c.Open()
		case EventLinkAttached:
			ev.Link.Accept(AcceptOptions{})
			ev.Link.GrantTo(100)
		}
	}
	return last
}

// An idle connection with a session and a link takes less than 6 KiB in the engine.
func TestIdleConnectionIsSmall(t *testing.T) {
	const n = 500
	conns := make([]*Conn, 0, n)
	cfg := &Config{}
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	// Something passes first, in chunks that leave a partial frame.
	warm := append(frames(t, "begin", "attach name=in handle=0 role=sender initial-delivery-count=0"),
		frames(t, "transfer handle=0 delivery-id=0 delivery-tag=a more payload=9000*x", "transfer handle=0 payload=9000*x", "disposition role=sender first=0 settled")...)
	before := heap()
	for range n {
		c := accepted(t, cfg)
		for piece := range bytes.Lines(bytes.Clone(warm)) {
			c.Receive(piece, epoch)
			serve(c)
		}
		c.TakeOutput(nil)
		c.Tick(epoch.Add(2 * restAfter))
		conns = append(conns, c)
	}
	each := (heap() - before) / n
	runtime.KeepAlive(conns)
	t.Logf("%d bytes a connection", each)
	require.Less(t, each, uint64(6<<10))
}

// A frame's announced size allocates nothing.
func TestAnnouncedSizeAllocatesNothing(t *testing.T) {
	c := accepted(t, &Config{MaxFrameSize: 1 << 30})
	c.Receive([]byte{0x3f, 0xff, 0xff, 0xff, 2, 0, 0, 0, 'x'}, epoch)
	serve(c)
	require.Less(t, cap(c.in.kept), 64)
}

// A peer that attaches links without end and never detaches loses its session at
// MaxLinks and a little; one that begins sessions without end loses the connection
// at channel-max.
func TestEndlessLinksAndSessions(t *testing.T) {
	c := accepted(t, &Config{MaxLinks: 10}, "begin")
	var f wire.Attach
	for handle := range uint32(1000) {
		f = wire.Attach{Name: "l", Handle: handle, InitialDeliveryCount: wire.Some[uint32](0)}
		c.Receive(framed(wire.FrameAMQP, 0, f.Append(nil)), epoch)
		last := serve(c)
		require.LessOrEqual(t, c.links, 10+refusedLinks)
		if last.Kind == EventSessionEnded {
			require.Equal(t, wire.CondResourceLimitExceeded, last.Err.Condition)
			require.Equal(t, ScopeSession, last.Err.Scope)
			require.EqualValues(t, 10+refusedLinks, handle)
			require.Zero(t, c.links, "the session's links are gone with it")
			return
		}
	}
	t.Fatal("a thousand links were taken")
}

func TestTooMuchAheadOfOurAnswer(t *testing.T) {
	cfg := &Config{SASL: SASL{AllowBare: true}}
	c := NewConn(cfg, epoch)
	c.Receive(frames(t, "header amqp", "open"), epoch)
	var ev Event
	require.True(t, c.Next(&ev))
	require.False(t, c.Next(&ev))
	require.True(t, c.Waiting())
	for c.Waiting() {
		c.Receive(make([]byte, 64<<10), epoch)
		ev = serve(c)
		require.LessOrEqual(t, len(c.in.kept), maxWaiting)
	}
	require.Equal(t, EventClosed, ev.Kind)
	require.Equal(t, wire.CondResourceLimitExceeded, ev.Err.Condition)
}

// Ten thousand empty frames of one message, and a disposition over all numbers that
// there are, cost no memory and come to an end.
func TestTinyFrames(t *testing.T) {
	c := accepted(t, &Config{}, "begin", "attach name=in handle=0 role=sender initial-delivery-count=0")
	first := frames(t, "transfer handle=0 delivery-id=0 delivery-tag=a more")
	more := frames(t, "transfer handle=0 more", "disposition role=receiver first=0 last=2147483647 settled", "empty")
	c.Receive(first, epoch)
	serve(c)
	step := func() {
		c.Receive(more, epoch)
		serve(c)
		c.TakeOutput(c.out)
	}
	for range 10_000 {
		step()
	}
	require.Zero(t, testing.AllocsPerRun(100, step))
}

// A slice of an event is overwritten after the following Next in builds with the
// tag invariants, and only there.
func TestScribble(t *testing.T) {
	p := []byte("abc")
	scribble(p)
	if p[0] != 'a' {
		c := accepted(t, &Config{}, "begin", "attach name=in handle=0 role=sender initial-delivery-count=0")
		c.Receive(frames(t, "transfer handle=0 delivery-id=0 delivery-tag=a payload=hello"), epoch)
		var ev Event
		require.True(t, c.Next(&ev))
		kept := ev.Delivery.Payload
		require.Equal(t, "hello", string(kept))
		c.Next(&ev)
		require.NotEqual(t, "hello", string(kept))
	}
}
