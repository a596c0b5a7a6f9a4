package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/Azure/go-amqp"
	"github.com/stretchr/testify/require"

	"entrepot/broker/admin"
	"entrepot/broker/config"
)

// testConfig is a broker on free ports with its data in dir.
func testConfig(dir string) config.Config {
	cfg := config.Default()
	cfg.Data = dir
	cfg.AMQP = []config.Listener{config.DefaultListener("127.0.0.1:0")}
	cfg.HTTP = "127.0.0.1:0"
	return cfg
}

// startBroker runs a broker until the test ends.
func startBroker(t *testing.T, cfg config.Config) *Broker {
	t.Helper()
	b, err := New(cfg, slog.New(slog.NewTextHandler(t.Output(), nil)))
	require.NoError(t, err)
	require.NoError(t, b.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, b.Shutdown(context.Background())) })
	return b
}

// client is a go-amqp session with the broker.
func client(t *testing.T, b *Broker) *amqp.Session {
	t.Helper()
	conn, err := amqp.Dial(t.Context(), "amqp://"+b.Addresses()[0], nil)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	s, err := conn.NewSession(t.Context(), nil)
	require.NoError(t, err)
	return s
}

func sendTexts(t *testing.T, s *amqp.Session, address string, texts ...string) {
	t.Helper()
	sender, err := s.NewSender(t.Context(), address, nil)
	require.NoError(t, err)
	for _, text := range texts {
		require.NoError(t, sender.Send(t.Context(), amqp.NewMessage([]byte(text)), nil))
	}
	require.NoError(t, sender.Close(t.Context()))
}

// receiveTexts takes n messages off an address and accepts them.
func receiveTexts(t *testing.T, s *amqp.Session, address string, n int) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	receiver, err := s.NewReceiver(ctx, address, nil)
	require.NoError(t, err)
	var texts []string
	for range n {
		m, err := receiver.Receive(ctx, nil)
		require.NoError(t, err, "after %q", texts)
		texts = append(texts, string(m.GetData()))
		require.NoError(t, receiver.AcceptMessage(ctx, m))
	}
	require.NoError(t, receiver.Close(ctx))
	return texts
}

func TestMessagesWaitForAConsumer(t *testing.T) {
	b := startBroker(t, testConfig(t.TempDir()))
	s := client(t, b)
	sendTexts(t, s, "events/kitchen", "one", "two", "three")
	require.Equal(t, []string{"one", "two", "three"}, receiveTexts(t, s, "events/kitchen", 3),
		"what was accepted is delivered in the order of arrival")
}

func TestMessagesSurviveARestart(t *testing.T) {
	cfg := testConfig(t.TempDir())
	first, err := New(cfg, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	require.NoError(t, first.Start(t.Context()))
	var texts []string
	for i := range 100 {
		texts = append(texts, fmt.Sprintf("message %d", i))
	}
	sendTexts(t, client(t, first), "q", texts...)
	require.NoError(t, first.Shutdown(context.Background()))

	second := startBroker(t, cfg)
	require.Equal(t, texts, receiveTexts(t, client(t, second), "q", len(texts)))
}

func TestLiveConsumer(t *testing.T) {
	b := startBroker(t, testConfig(t.TempDir()))
	receiver, err := client(t, b).NewReceiver(t.Context(), "live", nil)
	require.NoError(t, err)
	sender, err := client(t, b).NewSender(t.Context(), "live", nil)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for i := range 50 {
		text := fmt.Sprint(i)
		require.NoError(t, sender.Send(ctx, amqp.NewMessage([]byte(text)), nil))
		m, err := receiver.Receive(ctx, nil)
		require.NoError(t, err)
		require.Equal(t, text, string(m.GetData()))
		require.NoError(t, receiver.AcceptMessage(ctx, m))
	}
}

func TestSecondBrokerOnTheSameDataFailsAtOnce(t *testing.T) {
	cfg := testConfig(t.TempDir())
	startBroker(t, cfg)
	second, err := New(cfg, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	err = second.Start(t.Context())
	require.ErrorContains(t, err, "in use by another process")
}

func TestFullQueueRejects(t *testing.T) {
	cfg := testConfig(t.TempDir())
	small := config.DefaultPolicy("small/#")
	small.MaxMessages = 3
	cfg.Policies = []config.Policy{small}
	b := startBroker(t, cfg)
	s := client(t, b)
	sendTexts(t, s, "small/q", "1", "2", "3")
	sender, err := s.NewSender(t.Context(), "small/q", nil)
	require.NoError(t, err)
	// go-amqp waits for the first credit, and later tells its lack as an error.
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	require.Error(t, sender.Send(ctx, amqp.NewMessage([]byte("4")), nil), "a full queue gives no credit")

	require.Equal(t, []string{"1"}, receiveTexts(t, client(t, b), "small/q", 1))
	require.Eventually(t, func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		return sender.Send(ctx, amqp.NewMessage([]byte("5")), nil) == nil
	}, 10*time.Second, 10*time.Millisecond, "room was made: credit comes back")
	require.Equal(t, []string{"2", "3", "5"}, receiveTexts(t, client(t, b), "small/q", 3))
}

func TestPolicyThatMakesNoQueues(t *testing.T) {
	cfg := testConfig(t.TempDir())
	never := config.DefaultPolicy("secret/#")
	never.Create = config.CreateNever
	cfg.Policies = []config.Policy{never}
	b := startBroker(t, cfg)
	_, err := client(t, b).NewSender(t.Context(), "secret/plans", nil)
	var fault *amqp.Error
	require.True(t, errors.As(err, &fault), "got %v", err)
	require.Equal(t, amqp.ErrCondNotFound, fault.Condition)
	require.Contains(t, fault.Description, "secret/plans")
}

func TestDeletedQueueDetachesItsLinks(t *testing.T) {
	b := startBroker(t, testConfig(t.TempDir()))
	s := client(t, b)
	sendTexts(t, s, "doomed", "x", "y")
	receiver, err := s.NewReceiver(t.Context(), "doomed", nil)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, err = receiver.Receive(ctx, nil)
	require.NoError(t, err)
	n, err := b.Delete(ctx, "doomed")
	require.NoError(t, err)
	require.EqualValues(t, 2, n)
	for {
		_, err = receiver.Receive(ctx, nil)
		if err != nil {
			break
		}
	}
	var fault *amqp.LinkError
	require.True(t, errors.As(err, &fault), "got %v", err)
	require.Equal(t, amqp.ErrCondResourceDeleted, fault.RemoteErr.Condition)
	_, err = b.Queue(ctx, "doomed")
	require.ErrorIs(t, err, admin.ErrNotFound)
}

func TestDeclareNarrowsThePolicy(t *testing.T) {
	b := startBroker(t, testConfig(t.TempDir()))
	q, created, err := b.Declare(t.Context(), "declared", admin.Declaration{MaxMessages: 7})
	require.NoError(t, err)
	require.True(t, created)
	require.EqualValues(t, 7, q.Effective.MaxMessages)
	q, created, err = b.Declare(t.Context(), "declared", admin.Declaration{MaxMessages: 9})
	require.NoError(t, err)
	require.False(t, created)
	require.EqualValues(t, 9, q.Effective.MaxMessages)
	page, err := b.Queues(t.Context(), "dec", "", 10)
	require.NoError(t, err)
	require.Len(t, page.Queues, 1)
}

func TestManyDeclaresAtOnce(t *testing.T) {
	b := startBroker(t, testConfig(t.TempDir()))
	const n = 2000
	failed := make(chan error, n)
	for i := range n {
		go func() {
			_, _, err := b.Declare(t.Context(), fmt.Sprintf("many/%04d", i/2), admin.Declaration{})
			failed <- err
		}()
	}
	for range n {
		require.NoError(t, <-failed, "declares share packs, and two of one name are one queue")
	}
	page, err := b.Queues(t.Context(), "many/", "", n)
	require.NoError(t, err)
	require.Len(t, page.Queues, n/2)
}
