package amqp

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"entrepot/protocol/amqp/wire"
)

// small is an engine whose peer takes frames of 512 bytes, with one receiving link
// "in" and deliveries 0..n-1 on it.
func small(t testing.TB, n int) (*Conn, *Link) {
	c := NewConn(&Config{SASL: SASL{AllowBare: true}}, epoch)
	c.Receive(frames(t, "header amqp", "open max-frame-size=512", "begin",
		"attach name=in handle=0 role=sender initial-delivery-count=0"), epoch)
	serve(c)
	l := c.channels.get(0).local.get(0)
	for id := range n {
		f := wire.Transfer{DeliveryID: wire.Some(uint32(id)), DeliveryTag: []byte("t")}
		c.Receive(framed(wire.FrameAMQP, 0, f.Append(nil)), epoch)
		serve(c)
	}
	c.TakeOutput(nil)
	return c, l
}

// sent decodes the frames of the output, and holds each against the peer's limit.
func sent(t testing.TB, c *Conn) (texts []string) {
	for p := c.TakeOutput(nil); len(p) > 0; {
		n, text := textFromFrame(p)
		require.LessOrEqual(t, n, 512, "the peer takes no larger frames: %.80s", text)
		texts = append(texts, text)
		p = p[n:]
	}
	return texts
}

// Whatever an error or a state carries: the peer's max-frame-size holds, and what
// matters gets through [amqp-transport 2.7.1].
func TestLongErrorsFit(t *testing.T) {
	long := &Error{Condition: wire.CondNotAllowed, Description: strings.Repeat("é", 1000),
		Info: wire.Map{{Key: wire.Symbol("why"), Value: strings.Repeat("x", 1000)}}}
	t.Run("dispositions", func(t *testing.T) {
		c, l := small(t, 2)
		rejected := wire.DeliveryState{Kind: wire.StateRejected}
		rejected.Rejected.Error = long.toWire()
		l.Settle(0, 0, rejected, true)
		modified := wire.DeliveryState{Kind: wire.StateModified}
		modified.Modified.UndeliverableHere = true
		modified.Modified.MessageAnnotations = wire.AppendAny(nil, long.Info)
		l.Settle(1, 1, modified, true)
		texts := sent(t, c)
		require.Len(t, texts, 2)
		require.Equal(t, "disposition role=receiver first=1 settled modified undeliverable-here", texts[0])
		require.Contains(t, texts[1], "settled rejected error=amqp:not-allowed \"ééé")
	})
	t.Run("detach", func(t *testing.T) {
		c, l := small(t, 0)
		l.Detach(true, long)
		require.Contains(t, sent(t, c)[0], "detach handle=0 closed error=amqp:not-allowed")
	})
	t.Run("end", func(t *testing.T) {
		c, l := small(t, 0)
		l.Session().End(long)
		require.Contains(t, sent(t, c)[0], "end error=amqp:not-allowed")
	})
	t.Run("close", func(t *testing.T) {
		c, _ := small(t, 0)
		c.Close(long)
		require.Contains(t, sent(t, c)[0], "close error=amqp:not-allowed")
		require.Equal(t, ScopeLink, long.Scope, "the caller's error is its own")
	})
}

// A link whose name alone is too long for an answer costs the session, for we can't
// even refuse it [amqp-transport 2.8.15].
func TestNameTooLongForAnAnswer(t *testing.T) {
	c, _ := small(t, 0)
	a := wire.Attach{Name: strings.Repeat("n", 600), Handle: 1, InitialDeliveryCount: wire.Some[uint32](0)}
	c.Receive(framed(wire.FrameAMQP, 0, a.Append(nil)), epoch)
	last := serve(c)
	require.Equal(t, EventSessionEnded, last.Kind)
	require.Equal(t, wire.CondFrameSizeTooSmall, last.Err.Condition)
	require.Contains(t, sent(t, c)[0], "end error=amqp:frame-size-too-small")
}

// An attach of ours that does not fit is the owner's fault, and costs nothing.
func TestOwnAttachTooLarge(t *testing.T) {
	c, l := small(t, 0)
	links := c.links
	_, err := l.Session().Attach(AttachOptions{Name: strings.Repeat("n", 600)})
	require.ErrorIs(t, err, ErrTooLarge)
	require.Equal(t, links, c.links)
	require.Empty(t, sent(t, c))
}

// Ids that are no neighbours can't merge: more open ranges than are kept go out in
// the order in which they came, and none is lost.
func TestManyOpenRanges(t *testing.T) {
	c, l := small(t, 40)
	accepted := wire.DeliveryState{Kind: wire.StateAccepted}
	for id := DeliveryID(0); id < 40; id += 2 {
		l.Settle(id, id, accepted, true)
	}
	require.Len(t, sent(t, c), 20)
	for id := DeliveryID(1); id < 40; id += 2 {
		l.Settle(id, id, accepted, true)
	}
	require.Len(t, sent(t, c), 20)
	require.Zero(t, l.Unsettled())
}

func TestErrorText(t *testing.T) {
	e := &Error{Scope: ScopeSession, Condition: wire.CondWindowViolation, Description: "why"}
	require.Equal(t, "amqp session: amqp:session:window-violation: why", e.Error())
	require.Equal(t, "connection", ScopeConnection.String())
	require.Equal(t, "link", ScopeLink.String())
}
