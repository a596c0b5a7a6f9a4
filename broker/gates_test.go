package broker

import (
	"testing"

	"github.com/stretchr/testify/require"

	"entrepot/broker/admin"
	"entrepot/broker/config"
	"entrepot/protocol/amqp/wire"
)

// producerAtGate is a client whose sender has found the queue full, and an idle
// one that has filled it with max messages.
func producerAtGate(t *testing.T, b *Broker, address string, max int) *peer {
	t.Helper()
	fill(t, b, address, max)
	p := openPeer(t, b, "")
	p.sendsTo(0, address).flush()
	until[wire.Attach](p, "links attach to a full queue")
	require.Eventually(t, func() bool {
		a := b.directory.attachedTo(address)
		a.gate.mu.Lock()
		defer a.gate.mu.Unlock()
		return len(a.gate.waiting) == 1
	}, peerPatience, pollEvery, "it waits for room")
	return p
}

func brokerWithLimit(t *testing.T, messages uint64) *Broker {
	t.Helper()
	cfg := testConfig(t.TempDir())
	small := config.DefaultPolicy("#")
	small.MaxMessages = messages
	cfg.Policies = []config.Policy{small}
	return startBroker(t, cfg)
}

// While the answers of a pack are on their way, its messages count twice. Whoever
// looks at the gate then may find it full that is not.
func TestGateOpensWhenPendingMessagesAreAnswered(t *testing.T) {
	b := brokerWithLimit(t, 2)
	p := producerAtGate(t, b, "q", 2)
	a := b.directory.attachedTo("q")
	a.pend(1)
	a.pend(1)
	receiveTexts(t, client(t, b), "q", 2)
	require.Eventually(t, func() bool { return b.Metrics().Messages == 0 }, peerPatience, pollEvery)
	require.True(t, a.gate.shut.Load(), "two are on their way, as far as anybody knows")
	a.unpend(1)
	a.unpend(1)
	require.Positive(t, until[wire.Flow](p, "their answers make room").LinkCredit.V)
}

func TestDeclarationThatRaisesALimitLetsProducersIn(t *testing.T) {
	b := startBroker(t, testConfig(t.TempDir()))
	_, _, err := b.Declare(t.Context(), "q", admin.Declaration{MaxMessages: 2})
	require.NoError(t, err)
	p := producerAtGate(t, b, "q", 2)
	_, _, err = b.Declare(t.Context(), "q", admin.Declaration{MaxMessages: 100})
	require.NoError(t, err)
	require.EqualValues(t, 98, until[wire.Flow](p, "no message has to leave for that").LinkCredit.V)
}

func TestNodesGateOpensWhenPendingMessagesAreAnswered(t *testing.T) {
	cfg := testConfig(t.TempDir())
	cfg.Limits.MaxMessages = 2
	b := startBroker(t, cfg)
	p := openPeer(t, b, "")
	p.sendsTo(0, "q").flush()
	until[wire.Flow](p, "credit")
	a := b.directory.attachedTo("q")
	a.pend(1)
	a.pend(1)
	p.transfers(0, "too much", false).flush()
	d := until[wire.Disposition](p, "full")
	require.Equal(t, wire.StateRejected, d.State.Kind)
	require.Equal(t, wire.CondResourceLimitExceeded, d.State.Rejected.Error.Condition)
	require.Zero(t, until[wire.Flow](p, "first no credit").LinkCredit.V)
	a.unpend(1)
	a.unpend(1)
	require.Positive(t, until[wire.Flow](p, "room again").LinkCredit.V)
}

func TestFullQueueWithoutLinksIsNotWatched(t *testing.T) {
	b := brokerWithLimit(t, 2)
	p := producerAtGate(t, b, "q", 2)
	require.NoError(t, p.nc.Close())
	requireNothingHeld(t, b)
	require.EqualValues(t, 2, b.Metrics().Messages)
}

func TestTinyByteLimitIsNoEndlessLoop(t *testing.T) {
	cfg := testConfig(t.TempDir())
	small := config.DefaultPolicy("#")
	small.MaxBytes = 9
	cfg.Policies = []config.Policy{small}
	b := startBroker(t, cfg)
	p := openPeer(t, b, "")
	p.sendsTo(0, "q").flush()
	until[wire.Flow](p, "credit")
	p.transfers(0, "x", false).flush() // exactly 9 bytes
	require.Zero(t, until[wire.Flow](p, "full to the last byte").LinkCredit.V)
	until[wire.Disposition](p, "stored")
	f := p.sessionFlow()
	f.Echo = true
	p.frame(0, &f).flush()
	until[wire.Flow](p, "and the connection lives")
}

// [amqp-transport 2.8.3] In mode second the sender settles after us; until then its
// deliveries count as unsettled, and credit ends at the limit for those.
func TestSenderThatSettlesSecondGetsCreditAgain(t *testing.T) {
	b := startBroker(t, testConfig(t.TempDir()))
	const most = 64
	b.listeners[0].limits.engine.MaxUnsettled = most // nobody is connected yet
	p := openPeer(t, b, "")
	p.sendsTo(0, "q", func(a *wire.Attach) { a.RcvSettleMode = wire.ReceiverSecond }).flush()
	require.EqualValues(t, most, until[wire.Flow](p, "credit").LinkCredit.V)
	for range most {
		p.transfers(0, "x", false)
	}
	p.flush()
	for answered := uint32(0); answered < most; {
		d := until[wire.Disposition](p, "an outcome")
		require.False(t, d.Settled, "the sender has to settle first")
		answered = d.Last.Or(d.First) + 1
	}
	p.frame(0, &wire.Disposition{Role: wire.RoleSender, First: 0, Last: wire.Some[uint32](most - 1), Settled: true,
		State: wire.DeliveryState{Kind: wire.StateAccepted}}).flush()
	require.EqualValues(t, most, until[wire.Flow](p, "settled deliveries make room").LinkCredit.V)
}
