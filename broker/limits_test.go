package broker

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/go-amqp"
	"github.com/stretchr/testify/require"

	"entrepot/broker/config"
)

// trySend sends one message and gives up soon.
func trySend(t *testing.T, s *amqp.Sender, text string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	return s.Send(ctx, amqp.NewMessage([]byte(text)), nil)
}

func TestLowDiskStopsAcceptingAndResumes(t *testing.T) {
	cfg := testConfig(t.TempDir())
	cfg.Limits.DiskLow, cfg.Limits.DiskHigh = 100, 200
	b, err := New(cfg, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	var free atomic.Uint64
	free.Store(1000)
	b.node.gauge = func(string) (uint64, error) { return free.Load(), nil }
	require.NoError(t, b.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, b.Shutdown(context.Background())) })

	s := client(t, b)
	sendTexts(t, s, "q", "before")
	free.Store(50)
	require.Eventually(t, func() bool { return b.Metrics().DiskLow }, 10*time.Second, 10*time.Millisecond,
		"the metric says that the disk is low")
	sender, err := s.NewSender(t.Context(), "q", nil)
	require.NoError(t, err, "links attach all the same")
	require.Error(t, trySend(t, sender, "while"), "nothing is accepted")
	require.Equal(t, []string{"before"}, receiveTexts(t, client(t, b), "q", 1), "what is there is delivered")
	_, err = b.Purge(t.Context(), "q")
	require.NoError(t, err, "admin requests work")

	free.Store(1000)
	require.Eventually(t, func() bool { return trySend(t, sender, "after") == nil }, 10*time.Second, 10*time.Millisecond,
		"it resumes by itself")
}

func TestFullNodeRejectsAndResumes(t *testing.T) {
	cfg := testConfig(t.TempDir())
	cfg.Limits.MaxMessages = 3
	b := startBroker(t, cfg)
	s := client(t, b)
	sendTexts(t, s, "a", "1", "2")
	sendTexts(t, s, "b", "3")
	sender, err := s.NewSender(t.Context(), "c", nil)
	require.NoError(t, err)
	require.Error(t, trySend(t, sender, "4"), "the limit is about all queues together")
	receiveTexts(t, client(t, b), "a", 2)
	require.Eventually(t, func() bool { return trySend(t, sender, "5") == nil }, 10*time.Second, 10*time.Millisecond,
		"room was made in another queue")
}

func TestExpiredIsNeverDelivered(t *testing.T) {
	cfg := testConfig(t.TempDir())
	short := config.DefaultPolicy("short/#")
	short.TTLMax = 50 * time.Millisecond
	cfg.Policies = []config.Policy{short}
	b := startBroker(t, cfg)
	s := client(t, b)
	sendTexts(t, s, "short/q", "dies", "dies too")
	require.Eventually(t, func() bool {
		m := b.Metrics()
		return m.Expired == 2 && m.Messages == 0
	}, 10*time.Second, 10*time.Millisecond, "the policy's ttl_max holds for messages that name none")
	receiver, err := client(t, b).NewReceiver(t.Context(), "short/q", nil)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err = receiver.Receive(ctx, nil)
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestLinkOfTheSameNameIsStolen(t *testing.T) {
	b := startBroker(t, testConfig(t.TempDir()))
	attach := func() *amqp.Receiver {
		conn, err := amqp.Dial(t.Context(), "amqp://"+b.Addresses()[0], &amqp.ConnOptions{ContainerID: "device-7"})
		require.NoError(t, err)
		t.Cleanup(func() { _ = conn.Close() })
		s, err := conn.NewSession(t.Context(), nil)
		require.NoError(t, err)
		r, err := s.NewReceiver(t.Context(), "q", &amqp.ReceiverOptions{Name: "inbox"})
		require.NoError(t, err)
		return r
	}
	sendTexts(t, client(t, b), "q", "only one gets me")
	first := attach()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, err := first.Receive(ctx, nil)
	require.NoError(t, err)

	second := attach()
	_, err = first.Receive(ctx, nil)
	var gone *amqp.LinkError
	require.True(t, errors.As(err, &gone), "got %v", err)
	require.Equal(t, amqp.ErrCondStolen, gone.RemoteErr.Condition)
	m, err := second.Receive(ctx, nil)
	require.NoError(t, err, "what the old link had not settled is the new one's")
	require.Equal(t, "only one gets me", string(m.GetData()))
}

func TestShutdownClosesConnectionsWithForced(t *testing.T) {
	b, err := New(testConfig(t.TempDir()), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	require.NoError(t, b.Start(t.Context()))
	receiver, err := client(t, b).NewReceiver(t.Context(), "q", nil)
	require.NoError(t, err)
	require.NoError(t, b.Shutdown(context.Background()))
	_, err = receiver.Receive(t.Context(), nil)
	var closed *amqp.ConnError
	require.True(t, errors.As(err, &closed), "got %v", err)
	require.Equal(t, amqp.ErrCondConnectionForced, closed.RemoteErr.Condition)
	require.Error(t, b.Ready())
}

func TestConnectionsBeyondTheLimitAreClosed(t *testing.T) {
	cfg := testConfig(t.TempDir())
	cfg.Limits.MaxConnections = 1
	b := startBroker(t, cfg)
	client(t, b)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, err := amqp.Dial(ctx, "amqp://"+b.Addresses()[0], nil)
	require.Error(t, err)
	require.EqualValues(t, 1, b.Metrics().ConnectionsFailed["too-many-connections"])
}

// When the last consumer leaves and another one comes, both may be told to the
// dispatcher in one round: the queue must stay active, or the newcomer never hears
// of what is sent.
func TestConsumersTakeTurns(t *testing.T) {
	b := startBroker(t, testConfig(t.TempDir()))
	sender, err := client(t, b).NewSender(t.Context(), "q", nil)
	require.NoError(t, err)
	attach := func() *amqp.Receiver {
		conn, err := amqp.Dial(t.Context(), "amqp://"+b.Addresses()[0], &amqp.ConnOptions{ContainerID: "device-7"})
		require.NoError(t, err)
		t.Cleanup(func() { _ = conn.Close() })
		s, err := conn.NewSession(t.Context(), nil)
		require.NoError(t, err)
		r, err := s.NewReceiver(t.Context(), "q", &amqp.ReceiverOptions{
			Name:           "inbox",
			SettlementMode: amqp.ReceiverSettleModeSecond.Ptr(), // AcceptMessage waits for the fact
		})
		require.NoError(t, err)
		return r
	}
	attach()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	for i := range 100 {
		receiver := attach() // steals the link of the one before
		require.NoError(t, sender.Send(ctx, amqp.NewMessage([]byte{byte(i)}), nil))
		m, err := receiver.Receive(ctx, nil)
		require.NoError(t, err, "round %d", i)
		require.Equal(t, []byte{byte(i)}, m.GetData())
		require.NoError(t, receiver.AcceptMessage(ctx, m))
	}
}
