package broker

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"entrepot/protocol/amqp/wire"
)

// fillWith puts n messages of the same text into a queue.
func fillWith(t *testing.T, b *Broker, address string, n int, text string) {
	t.Helper()
	texts := make([]string, n)
	for i := range texts {
		texts[i] = text
	}
	sendTexts(t, client(t, b), address, texts...)
}

// connOf is the broker's half of a container's connection.
func connOf(t *testing.T, b *Broker, container string) (found *conn) {
	t.Helper()
	require.Eventually(t, func() bool {
		for _, c := range b.openConns() {
			if ask(c, func() string { return c.container }) == container {
				found = c
			}
		}
		return found != nil
	}, peerPatience, pollEvery)
	return found
}

// ask has a connection's owner look at something; the zero value if it is gone.
func ask[T any](c *conn, look func() T) (answer T) {
	answers := make(chan T, 1)
	if c.post(func() { answers <- look() }) {
		answer = <-answers
	}
	return answer
}

// A client that gives credit and takes nothing holds a bounded part of a queue.
func TestClientThatTakesNothingHoldsLittle(t *testing.T) {
	b := startBroker(t, testConfig(t.TempDir()))
	const n, links = 240, 6
	text := strings.Repeat("x", 50<<10) // 12 MiB, a frame each
	fillWith(t, b, "q", n, text)
	slow := dialPeer(t, b)
	slow.hello("slow").frame(0, &wire.Begin{IncomingWindow: 0, OutgoingWindow: 10, HandleMax: 100}) // its window is shut
	for handle := range uint32(links) {
		slow.receivesFrom(handle, "q")
		f := wire.Flow{IncomingWindow: 0, OutgoingWindow: 10, NextIncomingID: wire.Some[uint32](0),
			Handle: wire.Some(handle), DeliveryCount: wire.Some[uint32](0), LinkCredit: wire.Some[uint32](1000)}
		slow.frame(0, &f)
	}
	slow.flush()
	c := connOf(t, b, "slow")
	require.Eventually(t, func() bool { return ask(c, func() bool { return c.congested }) }, peerPatience, pollEvery)
	got := receiveTexts(t, client(t, b), "q", n/3)
	require.Len(t, got, n/3, "the rest is for those who take it")
	require.Less(t, ask(c, func() int { return c.waitingBytes }), 2*waitingHigh)

	shut := wire.Flow{IncomingWindow: 1000, OutgoingWindow: 10, NextIncomingID: wire.Some[uint32](0)}
	slow.frame(0, &shut).flush()
	for i := range uint32(2 * n / 3) {
		slow.gets(text, "when the window opens it gets them all")
		slow.settles(i, i, wire.StateAccepted, true).flush()
	}
}

// One link with much to send does not starve its neighbours on the connection.
func TestConsumersOfOneConnectionSendInTurn(t *testing.T) {
	b := startBroker(t, testConfig(t.TempDir()))
	const n = 400
	text := strings.Repeat("x", 16<<10)
	for _, address := range []string{"a", "b"} {
		fillWith(t, b, address, n, text)
	}
	p := dialPeer(t, b)
	p.hello("c").begin(0)
	for handle, address := range []string{"a", "b"} {
		p.receivesFrom(uint32(handle), address, settledAs(wire.SenderSettled)).grants(uint32(handle), 0, n, false)
	}
	p.flush()
	c := connOf(t, b, "c")
	require.Eventually(t, func() bool {
		return ask(c, func() bool {
			waiting := 0
			for _, e := range c.slots {
				if s, ok := e.(*consumer); ok && s.waiting.len() > 0 {
					waiting++
				}
			}
			return waiting == 2
		})
	}, peerPatience, pollEvery, "both have something to send, and the client does not read")
	came := [2]int{}
	for came[0] < n && came[1] < n {
		came[until[wire.Transfer](p, "").Handle]++
	}
	require.Greater(t, min(came[0], came[1]), n/4, "they took turns")
}
