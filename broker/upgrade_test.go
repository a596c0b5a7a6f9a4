package broker

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/Azure/go-amqp"
	"github.com/stretchr/testify/require"

	"entrepot/broker/admin"
	"entrepot/broker/config"
)

// Data directories that the release before clusters wrote: served as they are, and
// grown into a cluster of three. testdata/upgrade/README.md says what is in them.
func TestStoresOfTheReleaseBeforeClusters(t *testing.T) {
	for _, store := range []string{"stopped", "killed"} {
		t.Run(store, func(t *testing.T) {
			t.Parallel()
			cfg := testConfig(unpack(t, store))
			b, err := New(cfg, slog.New(slog.NewTextHandler(t.Output(), nil)))
			require.NoError(t, err)
			require.NoError(t, b.Start(t.Context()))
			s := client(t, b)
			checkOldLimits(t, b, s)
			checkOldReturns(t, s)
			checkOldDeadlines(t, b, s)
			require.Equal(t, oldTexts("late", 0, 2), receiveTexts(t, s, "late", 2))
			require.Equal(t, oldTexts("telemetry", 15, 100), receiveTexts(t, s, "telemetry", 85), "what was settled is gone")
			require.NoError(t, b.Shutdown(context.Background()))

			growOldStore(t, cfg)
		})
	}
}

// checkOldLimits: what was declared holds, and counts what was there.
func checkOldLimits(t *testing.T, b *Broker, s *amqp.Session) {
	t.Helper()
	q, err := b.Queue(t.Context(), "limited")
	require.NoError(t, err)
	require.EqualValues(t, 5, q.Declared.MaxMessages)
	require.EqualValues(t, 3, q.Declared.MaxDeliveries)
	require.Equal(t, admin.Duration(8760*time.Hour), q.Declared.TTLMax)
	require.EqualValues(t, 3, q.Messages)
	sendTexts(t, s, "limited", "four", "five")
	sender, err := s.NewSender(t.Context(), "limited", nil)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	require.Error(t, sender.Send(ctx, amqp.NewMessage([]byte("six")), nil), "five are the most")
}

// checkOldReturns: what came back keeps its place, its count and its annotations,
// and what was out when the broker ended comes again, and says so.
func checkOldReturns(t *testing.T, s *amqp.Session) {
	t.Helper()
	returned := receiveAll(t, s, "returned", 3)
	require.Equal(t, "tried", returned[0].Annotations["x-opt-why"])
	require.EqualValues(t, 2, returned[0].Header.DeliveryCount, "once as was told, and once as may have been")
	require.False(t, returned[0].Header.FirstAcquirer)
	require.Empty(t, returned[1].Annotations)

	out := receiveAll(t, s, "out", 3)
	for _, m := range out[:2] {
		require.EqualValues(t, 1, m.Header.DeliveryCount, "it may have been seen")
		require.False(t, m.Header.FirstAcquirer)
	}
	require.Zero(t, out[2].Header.DeliveryCount)
	require.True(t, out[2].Header.FirstAcquirer)
}

// checkOldDeadlines: deadlines are those of the day on which the messages came.
func checkOldDeadlines(t *testing.T, b *Broker, s *amqp.Session) {
	t.Helper()
	require.Eventually(t, func() bool {
		q, err := b.Queue(t.Context(), "deadlines")
		return err == nil && q.Messages == 1
	}, 20*time.Second, pollEvery, "the five seconds of the second one are over")
	m := receiveAll(t, s, "deadlines", 1)[0]
	require.Equal(t, oldTexts("deadlines", 0, 1)[0], string(m.GetData()))
	require.Equal(t, 2100, m.Properties.AbsoluteExpiryTime.UTC().Year())
}

// growOldStore makes the node a cluster of one under the only id that it can have,
// and then one of three that all serve what it had.
func growOldStore(t *testing.T, cfg config.Config) {
	t.Helper()
	other := cfg
	other.Cluster.Node, other.Cluster.Listen = "n1", freeAddress(t)
	b, err := New(other, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	require.ErrorContains(t, b.Start(t.Context()), `made by node "standalone"`)

	cfg.Cluster.Node, cfg.Cluster.Listen = config.Standalone, freeAddress(t)
	first := startBroker(t, cfg)
	require.Eventually(t, func() bool { return first.Ready() == nil }, 20*time.Second, pollEvery)
	quietly := func(admin.Progress) {}
	control, err := first.Cluster()
	require.NoError(t, err)
	nodes := []*Broker{first}
	for _, id := range []string{"n2", "n3"} {
		joining := testConfig(t.TempDir())
		joining.Cluster.Node, joining.Cluster.Listen = id, freeAddress(t)
		joining.Cluster.Peers = []config.Peer{{ID: config.Standalone, Address: cfg.Cluster.Listen}}
		started := make(chan *Broker, 1)
		go func() { started <- startBroker(t, joining) }()
		require.NoError(t, control.Add(t.Context(), id, joining.Cluster.Listen, quietly))
		nodes = append(nodes, <-started)
	}
	for _, b := range nodes {
		require.Eventually(t, func() bool { return b.Ready() == nil }, 20*time.Second, pollEvery)
	}
	sendTexts(t, client(t, nodes[1]), "telemetry", "new")
	want := append(oldTexts("telemetry", 100, 310), "new")
	require.Equal(t, want, receiveTexts(t, client(t, nodes[2]), "telemetry", len(want)))
	require.Equal(t, append(oldTexts("limited", 0, 3), "four", "five"), receiveTexts(t, client(t, nodes[1]), "limited", 5))
	v, err := control.Verify(t.Context(), quietly)
	require.NoError(t, err)
	require.True(t, v.Equal, "%+v", v)
}

// oldTexts are the bodies from..to-1 of a queue, as testdata/upgrade/fill made them.
func oldTexts(address string, from, to int) (texts []string) {
	for i := from; i < to; i++ {
		texts = append(texts, fmt.Sprintf("%s %d %s", address, i, strings.Repeat(".", 200)))
	}
	return texts
}

// receiveAll takes the n messages of an address, in the order of their numbers.
func receiveAll(t *testing.T, s *amqp.Session, address string, n int) (all []*amqp.Message) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	r, err := s.NewReceiver(ctx, address, nil)
	require.NoError(t, err)
	for i := range n {
		m := receive(ctx, t, r)
		require.Equal(t, int64(i), m.ApplicationProperties["n"])
		require.NoError(t, r.AcceptMessage(ctx, m))
		all = append(all, m)
	}
	require.NoError(t, r.Close(ctx))
	return all
}

// unpack gives a copy of a data directory of testdata/upgrade.
func unpack(t *testing.T, store string) string {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", "upgrade", store+".tar.gz"))
	require.NoError(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	dir := t.TempDir()
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return filepath.Join(dir, store)
		}
		require.NoError(t, err)
		path := filepath.Join(dir, h.Name)
		if h.FileInfo().IsDir() {
			require.NoError(t, os.MkdirAll(path, 0o700))
			continue
		}
		b, err := io.ReadAll(r)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(path, b, 0o600))
	}
}

// freeAddress is one whose port was free a moment ago.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}
