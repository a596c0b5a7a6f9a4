package broker

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/Azure/go-amqp"
	"github.com/stretchr/testify/require"
)

// manualReceiver is a receiver that has the credit its test issues.
func manualReceiver(t *testing.T, s *amqp.Session, mode amqp.ReceiverSettleMode) *amqp.Receiver {
	t.Helper()
	r, err := s.NewReceiver(t.Context(), "q", &amqp.ReceiverOptions{Credit: -1, SettlementMode: mode.Ptr()})
	require.NoError(t, err)
	return r
}

// receive takes the next message for which there is credit.
func receive(ctx context.Context, t *testing.T, r *amqp.Receiver) *amqp.Message {
	t.Helper()
	m, err := r.Receive(ctx, nil)
	require.NoError(t, err)
	return m
}

// A modified message is next again, though its Modify is not a fact yet when the
// client grants its next credit; it brings its count and its annotations.
func TestModifiedIsNotOvertaken(t *testing.T) {
	s := client(t, startBroker(t, testConfig(t.TempDir())))
	sendTexts(t, s, "q", "a", "b")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	r := manualReceiver(t, s, amqp.ReceiverSettleModeFirst)
	const rounds = 20
	for n := range rounds {
		require.NoError(t, r.IssueCredit(1))
		m := receive(ctx, t, r)
		require.Equal(t, "a", string(m.GetData()), "it is not overtaken")
		require.Equal(t, uint32(n), m.Header.DeliveryCount)
		require.Equal(t, n == 0, m.Header.FirstAcquirer)
		require.Len(t, m.Annotations, n)
		require.NoError(t, r.ModifyMessage(ctx, m, &amqp.ModifyMessageOptions{
			DeliveryFailed: true, Annotations: amqp.Annotations{fmt.Sprint("x-opt-", n): "seen"},
		}))
	}
	require.NoError(t, r.Close(ctx))
	require.Equal(t, []string{"a", "b"}, receiveTexts(t, s, "q", 2))
}

// A client that leaves the settling to us [amqp-transport 2.6.12,
// rcv-settle-mode second] hears it for each delivery, though the same message is
// out again, on the same link, before the first outcome is a fact.
func TestEveryDeliveryOfAMessageIsSettled(t *testing.T) {
	s := client(t, startBroker(t, testConfig(t.TempDir())))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	const rounds = 20
	r := manualReceiver(t, s, amqp.ReceiverSettleModeSecond)
	require.NoError(t, r.IssueCredit(rounds+1))
	sendTexts(t, s, "q", "a")
	settled := make(chan error, rounds)
	for n := range rounds {
		m := receive(ctx, t, r)
		require.Equal(t, uint32(n), m.Header.DeliveryCount)
		go func() { settled <- r.ModifyMessage(ctx, m, &amqp.ModifyMessageOptions{DeliveryFailed: true}) }()
	}
	require.NoError(t, r.AcceptMessage(ctx, receive(ctx, t, r)))
	for range rounds {
		require.NoError(t, <-settled)
	}
}

// "If this value is true, then this message has not been acquired by any other
// link." [amqp-messaging 3.2.1] The first link has gone, and with it all that the
// queue was active for, before it is written down what was delivered.
func TestFirstAcquirerAfterALinkHasGone(t *testing.T) {
	b := startBroker(t, testConfig(t.TempDir()))
	s := client(t, b)
	texts := []string{"a", "b", "c", "d"}
	sendTexts(t, s, "q", texts...)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	first := manualReceiver(t, s, amqp.ReceiverSettleModeFirst)
	require.NoError(t, first.IssueCredit(3))
	released := receive(ctx, t, first)
	receive(ctx, t, first)
	receive(ctx, t, first)
	require.NoError(t, first.ReleaseMessage(ctx, released))
	require.NoError(t, first.Close(ctx))

	second := manualReceiver(t, s, amqp.ReceiverSettleModeFirst)
	require.NoError(t, second.IssueCredit(4))
	for i, text := range texts {
		m := receive(ctx, t, second)
		require.Equal(t, text, string(m.GetData()))
		require.Equal(t, i == 3, m.Header.FirstAcquirer, "first-acquirer of %s", text)
		require.Zero(t, m.Header.DeliveryCount)
		require.NoError(t, second.AcceptMessage(ctx, m))
	}
}
