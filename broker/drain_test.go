package broker

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"entrepot/protocol/amqp/wire"
)

// "Drain is always answered, also with nothing to send."

func TestDrainOfAnEmptyQueue(t *testing.T) {
	b := startBroker(t, testConfig(t.TempDir()))
	p := openPeer(t, b, "")
	p.receivesFrom(0, "q").flush()
	count := uint32(0)
	for range 50 { // again and again: an old answer must not stand for a new question
		require.Empty(t, p.drained(0, count, 10, "there is nothing"))
		count += 10
	}
	sendTexts(t, client(t, b), "q", "now")
	require.Equal(t, []string{"now"}, p.drained(0, count, 10, "what there is comes before the answer"))
}

func TestDrainOfMoreCreditThanIsReadAhead(t *testing.T) {
	b := startBroker(t, testConfig(t.TempDir()))
	const n = 3*consumerAhead + 17
	fill(t, b, "q", n)
	for _, browse := range []bool{true, false} {
		p := openPeer(t, b, "")
		p.receivesFrom(0, "q", func(a *wire.Attach) {
			if browse {
				browsing(a)
			}
		}).flush()
		got := p.drained(0, 0, 100*consumerAhead, "all of it, then the answer")
		require.Len(t, got, n, "browse: %v", browse)
		require.Equal(t, fmt.Sprint(n-1), got[n-1])
	}
}

func TestDrainOfExactlyWhatIsThere(t *testing.T) {
	b := startBroker(t, testConfig(t.TempDir()))
	fill(t, b, "q", consumerAhead)
	p := openPeer(t, b, "")
	p.receivesFrom(0, "q").flush()
	require.Len(t, p.drained(0, 0, consumerAhead, "credit and queue end together"), consumerAhead)
}

// A client may change its mind: then it has its credit as if nothing had been.
func TestDrainThatIsTakenBack(t *testing.T) {
	b := startBroker(t, testConfig(t.TempDir()))
	p := openPeer(t, b, "")
	p.receivesFrom(0, "q").flush()
	until[wire.Attach](p, "")
	count := uint32(0)
	for i := range 50 {
		p.grants(0, count, 10, true).flush()
		p.grants(0, count, 10, false).flush()
		// Whether the drain was answered is a matter of luck; an echo tells.
		f := p.sessionFlow()
		f.Handle, f.Echo, f.DeliveryCount, f.LinkCredit = wire.Some[uint32](0), true, wire.Some(count), wire.Some[uint32](10)
		p.frame(0, &f).flush()
		count = until[wire.Flow](p, "an answer").DeliveryCount.V
		p.grants(0, count, 10, false).flush()
		sendTexts(t, client(t, b), "q", fmt.Sprint(i))
		p.gets(fmt.Sprint(i), "credit without drain is credit")
		count++
		p.settles(uint32(i), uint32(i), wire.StateAccepted, true).flush()
	}
}

// While the session's window is shut, deliveries wait here for it.
func TestDrainWhileDeliveriesWaitForTheWindow(t *testing.T) {
	b := startBroker(t, testConfig(t.TempDir()))
	fill(t, b, "q", 100)
	for _, tune := range []func(*wire.Attach){browsing, func(*wire.Attach) {}} {
		p := dialPeer(t, b)
		p.hello("").frame(0, &wire.Begin{IncomingWindow: 10, OutgoingWindow: 10, HandleMax: 10})
		p.receivesFrom(0, "q", tune)
		shut := wire.Flow{NextIncomingID: wire.Some[uint32](0), IncomingWindow: 10, OutgoingWindow: 10,
			Handle: wire.Some[uint32](0), DeliveryCount: wire.Some[uint32](0), LinkCredit: wire.Some[uint32](50)}
		p.frame(0, &shut).flush()
		for i := range 10 {
			p.gets(fmt.Sprint(i), "the window lets ten pass")
		}
		// Now less credit than waits, and a drain.
		shut.NextIncomingID, shut.IncomingWindow = wire.Some[uint32](10), 100
		shut.DeliveryCount, shut.LinkCredit, shut.Drain = wire.Some[uint32](10), wire.Some[uint32](5), true
		p.frame(0, &shut).flush()
		for i := range 5 {
			p.gets(fmt.Sprint(10+i), "five more by the new credit")
		}
		f := until[wire.Flow](p, "and the drain is answered, though more waits")
		require.EqualValues(t, 15, f.DeliveryCount.V)
		require.Zero(t, f.LinkCredit.V)
		require.NoError(t, p.nc.Close())
	}
	require.Len(t, receiveTexts(t, client(t, b), "q", 100), 100)
}

// fill puts n messages "0", "1", ... into a queue.
func fill(t *testing.T, b *Broker, address string, n int) {
	t.Helper()
	p := openPeer(t, b, "")
	p.sendsTo(0, address).flush()
	until[wire.Attach](p, "")
	for i := 0; i < n; {
		f := until[wire.Flow](p, "credit")
		for range min(int(f.DeliveryCount.V+f.LinkCredit.V), n) - i {
			p.transfers(0, fmt.Sprint(i), false)
			i++
		}
		p.flush()
	}
	for settled := uint32(0); settled < uint32(n); {
		d := until[wire.Disposition](p, "stored")
		require.Equal(t, wire.StateAccepted, d.State.Kind)
		settled = d.Last.Or(d.First) + 1
	}
	require.NoError(t, p.nc.Close())
}
