package broker

import (
	"testing"

	"github.com/stretchr/testify/require"

	"entrepot/protocol/amqp/wire"
)

// What becomes of a message that a consumer got.

func settledAs(mode wire.SenderSettleMode) func(*wire.Attach) {
	return func(a *wire.Attach) { a.SndSettleMode = mode }
}

// redelivered is the header of a message as it comes again.
func redelivered(t *testing.T, payload []byte) wire.Header {
	t.Helper()
	sections, err := wire.ScanMessage(payload)
	require.NoError(t, err)
	var h wire.Header
	if s := sections.Header; s.End > s.Start {
		r := wire.NewReader(payload[s.Start:s.End])
		require.NoError(t, h.Decode(&r))
	}
	return h
}

func TestEachOutcome(t *testing.T) {
	tests := []struct {
		name    string
		state   wire.DeliveryState
		comes   bool
		failed  uint32 // the delivery-count of the next delivery
		sibling bool   // it comes to another link only
	}{
		{name: "accepted", state: wire.DeliveryState{Kind: wire.StateAccepted}},
		{name: "rejected", state: wire.DeliveryState{Kind: wire.StateRejected}},
		{name: "released", state: wire.DeliveryState{Kind: wire.StateReleased}, comes: true},
		{name: "modified", comes: true, failed: 1,
			state: wire.DeliveryState{Kind: wire.StateModified, Modified: wire.Modified{DeliveryFailed: true}}},
		{name: "undeliverable here", comes: true, sibling: true,
			state: wire.DeliveryState{Kind: wire.StateModified, Modified: wire.Modified{UndeliverableHere: true}}},
	}
	b := startBroker(t, testConfig(t.TempDir()))
	for _, settled := range []bool{true, false} {
		for _, test := range tests {
			name := test.name + map[bool]string{true: ", settled", false: ", unsettled"}[settled]
			t.Run(name, func(t *testing.T) {
				address := "outcome/" + name
				sendTexts(t, client(t, b), address, "it")
				p := openPeer(t, b, "")
				p.receivesFrom(0, address).grants(0, 0, 1, false).flush()
				p.gets("it", "")
				p.frame(0, &wire.Disposition{Role: wire.RoleReceiver, Settled: settled, State: test.state}).flush()
				if !settled {
					d := until[wire.Disposition](p, "an outcome that is not settled is settled by us, once it is a fact")
					require.True(t, d.Settled)
					require.Equal(t, test.state.Kind, d.State.Kind)
					require.Equal(t, test.state.Modified.DeliveryFailed, d.State.Modified.DeliveryFailed, "our state is theirs")
				}
				if test.sibling {
					require.Empty(t, p.drained(0, 1, 1, "not to the link that can't deliver it"))
					p.receivesFrom(1, address)
				}
				handle := map[bool]uint32{true: 1}[test.sibling]
				p.grants(handle, 1-handle, 1, false).flush()
				if !test.comes {
					require.Empty(t, p.drained(0, 1, 1, "it is gone"))
					return
				}
				f, payload := untilPayload[wire.Transfer](p, "it comes again")
				require.Equal(t, handle, f.Handle)
				require.Equal(t, test.failed, redelivered(t, payload).DeliveryCount)
				require.False(t, redelivered(t, payload).FirstAcquirer)
			})
		}
	}
}

// [amqp-messaging 3.5.3] default-outcome holds for what is settled without a
// terminal state.
func TestSettledWithoutAStateIsTheDefaultOutcome(t *testing.T) {
	b := startBroker(t, testConfig(t.TempDir()))
	for _, state := range []wire.StateKind{wire.StateNone, wire.StateReceived} {
		sendTexts(t, client(t, b), "q", "it")
		p := openPeer(t, b, "")
		p.receivesFrom(0, "q", func(a *wire.Attach) {
			a.Source.DefaultOutcome = wire.DeliveryState{Kind: wire.StateModified, Modified: wire.Modified{DeliveryFailed: true}}
		}).grants(0, 0, 1, false).flush()
		p.gets("it", "")
		p.settles(0, 0, state, true).grants(0, 1, 1, false).flush()
		_, payload := untilPayload[wire.Transfer](p, "state %v")
		require.EqualValues(t, 1, redelivered(t, payload).DeliveryCount, "the default outcome was modified(delivery-failed)")
		p.settles(1, 1, wire.StateAccepted, true).flush()
		require.Empty(t, p.drained(0, 2, 1, "accepted"))
	}
}

func TestSettledWithoutAStateAndWithoutADefaultIsReleased(t *testing.T) {
	b := startBroker(t, testConfig(t.TempDir()))
	sendTexts(t, client(t, b), "q", "it")
	p := openPeer(t, b, "")
	p.receivesFrom(0, "q").grants(0, 0, 1, false).flush()
	p.gets("it", "")
	p.settles(0, 0, wire.StateNone, true).grants(0, 1, 1, false).flush()
	_, payload := untilPayload[wire.Transfer](p, "it is back in its place")
	require.Zero(t, redelivered(t, payload).DeliveryCount, "uncounted")
}

func TestOneDispositionOverManyDeliveriesAndAgain(t *testing.T) {
	b := startBroker(t, testConfig(t.TempDir()))
	sendTexts(t, client(t, b), "q", "1", "2", "3", "4")
	p := openPeer(t, b, "")
	p.receivesFrom(0, "q").grants(0, 0, 4, false).flush()
	for _, text := range []string{"1", "2", "3", "4"} {
		p.gets(text, "")
	}
	p.settles(0, 2, wire.StateAccepted, false).settles(0, 2, wire.StateReleased, false).flush()
	for next := uint32(0); next < 3; {
		d := until[wire.Disposition](p, "what was said first holds")
		require.Equal(t, next, d.First)
		require.Equal(t, wire.StateAccepted, d.State.Kind)
		next = d.Last.Or(d.First) + 1
	}
	p.settles(0, 3, wire.StateAccepted, true).flush() // three of them are settled already
	require.Empty(t, p.drained(0, 4, 1, "none comes again"))
	require.Eventually(t, func() bool { return b.Metrics().Messages == 0 }, peerPatience, pollEvery, "all are gone")
}

func TestPresettledLinkTakesMessagesForGood(t *testing.T) {
	b := startBroker(t, testConfig(t.TempDir()))
	sendTexts(t, client(t, b), "q", "once")
	p := openPeer(t, b, "")
	p.receivesFrom(0, "q", settledAs(wire.SenderSettled)).grants(0, 0, 5, false).flush()
	require.True(t, p.gets("once", "").Settled.V)
	require.Empty(t, p.drained(0, 1, 4, "there was one"))
	require.Eventually(t, func() bool { return b.Metrics().Messages == 0 }, peerPatience, pollEvery, "sent is settled")
}

func TestBrowserChangesNothing(t *testing.T) {
	b := startBroker(t, testConfig(t.TempDir()))
	sendTexts(t, client(t, b), "q", "1", "2")
	p := openPeer(t, b, "")
	p.receivesFrom(0, "q", browsing).flush()
	require.Equal(t, []string{"1", "2"}, p.drained(0, 0, 10, "a browser sees what waits"))
	p.settles(0, 0, wire.StateAccepted, true).settles(1, 1, wire.StateRejected, false).flush()
	d := until[wire.Disposition](p, "what it says of a copy is settled at once")
	require.True(t, d.Settled)
	require.Equal(t, []string{"1", "2"}, receiveTexts(t, client(t, b), "q", 2), "and is about the copy only")
}

func TestConnectionThatEndsCountsAsReleased(t *testing.T) {
	b := startBroker(t, testConfig(t.TempDir()))
	sendTexts(t, client(t, b), "q", "1", "2", "3")
	p := openPeer(t, b, "")
	p.receivesFrom(0, "q").grants(0, 0, 2, false).flush()
	p.gets("1", "")
	p.gets("2", "")
	require.NoError(t, p.nc.Close())
	require.Equal(t, []string{"1", "2", "3"}, receiveTexts(t, client(t, b), "q", 3), "all in their old places")
}

func TestTransactionalOutcomeEndsTheLinkOnly(t *testing.T) {
	b := startBroker(t, testConfig(t.TempDir()))
	sendTexts(t, client(t, b), "q", "it")
	p := openPeer(t, b, "")
	p.receivesFrom(0, "q").grants(0, 0, 1, false).flush()
	p.gets("it", "")
	p.frame(0, &wire.Disposition{Role: wire.RoleReceiver, Settled: true,
		State: wire.DeliveryState{Kind: wire.StateTransactional, Transactional: &wire.TransactionalState{TxnID: []byte("t")}}}).flush()
	until[wire.Detach](p, "transactions come later")
	require.Equal(t, []string{"it"}, receiveTexts(t, client(t, b), "q", 1), "what it spoke of is released")
}
