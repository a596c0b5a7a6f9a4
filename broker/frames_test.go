package broker

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"entrepot/protocol/amqp/wire"
)

// What real clients depend on, frame by frame (DESIGN.md, section 6).

func TestEverythingUpToTheFirstMessageInOneWrite(t *testing.T) {
	b := startBroker(t, testConfig(t.TempDir()))
	sendTexts(t, client(t, b), "q", "first")
	p := dialPeer(t, b)
	p.hello("c").begin(0).receivesFrom(0, "q").grants(0, 0, 1, false).sendsTo(1, "q").flush()
	until[wire.Open](p, "the open is answered")
	until[wire.Begin](p, "and the begin")
	a := until[wire.Attach](p, "and the attach")
	require.Equal(t, wire.Some[uint32](0), a.InitialDeliveryCount, "our sending links start at delivery-count 0")
	p.gets("first", "the flow that came before our attach counts")
}

func TestRefusedAttach(t *testing.T) {
	b := startBroker(t, testConfig(t.TempDir()))
	p := openPeer(t, b, "c")
	p.sendsTo(0, "q", func(a *wire.Attach) { a.Target.Dynamic = true })
	p.transfers(0, "into the void", false) // the client has not heard of the refusal yet
	p.grants(0, 0, 10, true)
	p.sendsTo(1, "q").flush()

	a := until[wire.Attach](p, "an attach comes even for a refused link")
	require.Nil(t, a.Target, "with a null terminus at our side")
	d := until[wire.Detach](p, "and then the detach")
	require.True(t, d.Closed)
	require.Equal(t, wire.CondNotImplemented, d.Error.Condition)
	a = until[wire.Attach](p, "frames for the refused handle harm nobody: the session goes on")
	require.NotNil(t, a.Target)
	p.frame(0, &wire.Detach{Handle: 0, Closed: true}).sendsTo(0, "q", named("again")).flush()
	a = until[wire.Attach](p, "after our peer's detach the handle is free")
	require.Equal(t, "again", a.Name)
}

func TestLinkIsStolenAcrossConnections(t *testing.T) {
	b := startBroker(t, testConfig(t.TempDir()))
	sendTexts(t, client(t, b), "q", "1", "2", "3")
	old := openPeer(t, b, "device")
	old.receivesFrom(0, "q", named("inbox")).grants(0, 0, 2, false).flush()
	old.gets("1", "the first holder of the name gets messages")
	old.gets("2", "")

	heir := openPeer(t, b, "device")
	heir.receivesFrom(7, "q", named("inbox")).grants(7, 0, 3, false).flush()
	d := until[wire.Detach](old, "the old link is detached")
	require.True(t, d.Closed)
	require.Equal(t, wire.CondStolen, d.Error.Condition)
	for _, text := range []string{"1", "2", "3"} {
		heir.gets(text, "what the old link had not settled comes first, in its order")
	}
}

// Whoever is quickest wins; what counts is that one link is left, and that it works.
func TestNameIsStolenWhileItsLinksAttach(t *testing.T) {
	b := startBroker(t, testConfig(t.TempDir()))
	p := openPeer(t, b, "device")
	const n = 200
	for i := range uint32(n) {
		p.receivesFrom(i, "fresh", named("inbox")) // the queue is still to be made
	}
	p.flush()
	for range n - 1 {
		d := until[wire.Detach](p, "all but the last lose the name")
		require.Equal(t, wire.CondStolen, d.Error.Condition)
		require.NotEqual(t, uint32(n-1), d.Handle)
	}
	sendTexts(t, client(t, b), "fresh", "for the last")
	p.grants(n-1, 0, 1, false).flush()
	p.gets("for the last", "the last one has it")
	require.Len(t, b.names.lines, 1)
}

func TestSameLinkDetachesAndAttachesInOneWrite(t *testing.T) {
	b := startBroker(t, testConfig(t.TempDir()))
	p := openPeer(t, b, "c")
	p.receivesFrom(0, "q", named("inbox")).flush()
	until[wire.Attach](p, "attached")
	for range 20 {
		p.frame(0, &wire.Detach{Handle: 0, Closed: true}).receivesFrom(0, "q", named("inbox")).grants(0, 0, 1, false).flush()
		until[wire.Detach](p, "the detach is answered")
		until[wire.Attach](p, "the new link attaches")
		sendTexts(t, client(t, b), "q", "hello")
		p.gets("hello", "the queue has not fallen asleep between the two links")
		p.frame(0, &wire.Disposition{Role: wire.RoleReceiver, First: p.nextDelivery, Settled: true,
			State: wire.DeliveryState{Kind: wire.StateAccepted}}).flush()
		p.nextDelivery++
	}
}

func TestDispositionsAreMergedAndSettledAtOnce(t *testing.T) {
	b := startBroker(t, testConfig(t.TempDir()))
	p := openPeer(t, b, "c")
	p.sendsTo(0, "q").flush()
	until[wire.Flow](p, "credit comes with the attach")
	const n = 100
	for i := range n {
		p.transfers(0, fmt.Sprint(i), false)
	}
	p.flush()
	settled, frames := uint32(0), 0
	for settled < n {
		d := until[wire.Disposition](p, "every message is answered")
		require.Equal(t, settled, d.First, "in order, each once")
		require.True(t, d.Settled, "outcome and settled come in one disposition")
		require.Equal(t, wire.StateAccepted, d.State.Kind)
		settled, frames = d.Last.Or(d.First)+1, frames+1
	}
	require.Less(t, frames, n/4, "neighbours with the same outcome share a frame")
}

func TestFaultOfOneLinkLeavesTheSessionAlone(t *testing.T) {
	b := startBroker(t, testConfig(t.TempDir()))
	p := openPeer(t, b, "router")
	p.sendsTo(0, "good").sendsTo(1, "bad").flush()
	until[wire.Attach](p, "")
	until[wire.Attach](p, "")
	id := p.nextDelivery
	p.nextDelivery++
	p.frame(0, &wire.Transfer{Handle: 1, DeliveryID: wire.Some(id)}) // no delivery-tag
	p.transfers(0, "still here", false).flush()
	d := until[wire.Detach](p, "the faulty link ends")
	require.EqualValues(t, 1, d.Handle)
	require.Equal(t, wire.CondInvalidField, d.Error.Condition)
	until[wire.Disposition](p, "its neighbour goes on")
	require.EqualValues(t, 1, b.Metrics().LinksIn)
}

func TestEcho(t *testing.T) {
	b := startBroker(t, testConfig(t.TempDir()))
	p := openPeer(t, b, "c")
	f := p.sessionFlow()
	f.Echo = true
	p.frame(0, &f).flush()
	require.False(t, until[wire.Flow](p, "echo on a session flow is answered").Handle.Set)
	p.receivesFrom(3, "q").flush()
	until[wire.Attach](p, "")
	f.Handle, f.LinkCredit, f.DeliveryCount = wire.Some[uint32](3), wire.Some[uint32](5), wire.Some[uint32](0)
	p.frame(0, &f).flush()
	require.Equal(t, wire.Some[uint32](5), until[wire.Flow](p, "and on a link's flow").LinkCredit)
}

func TestPresettledMessagesAreStoredWithoutAWord(t *testing.T) {
	b := startBroker(t, testConfig(t.TempDir()))
	p := openPeer(t, b, "c")
	p.sendsTo(0, "q").flush()
	until[wire.Flow](p, "")
	p.transfers(0, "quiet", true).transfers(0, "loud", false).flush()
	d := until[wire.Disposition](p, "only the unsettled one is answered")
	require.EqualValues(t, 1, d.First)
	require.Equal(t, []string{"quiet", "loud"}, receiveTexts(t, client(t, b), "q", 2))
}
