package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"entrepot/protocol/amqp/wire"
)

func TestMain(m *testing.M) {
	// A store that has failed leaves Pebble open: see journal.Store.Close.
	const pebble = "github.com/cockroachdb/pebble/v2"
	goleak.VerifyTestMain(m,
		// Raft may end without an answer, see cluster.await.
		goleak.IgnoreTopFunction("github.com/hashicorp/raft.(*deferError).Error"),
		goleak.IgnoreAnyFunction(pebble+".(*cleanupManager).mainLoop"),
		goleak.IgnoreAnyFunction(pebble+".(*ConcurrencyLimitScheduler).periodicGranter"),
		goleak.IgnoreAnyFunction(pebble+"/record.(*LogWriter).flushLoop"),
		goleak.IgnoreAnyFunction(pebble+"/internal/genericcache.(*shard[...]).releaseLoop"))
}

// holdings are what clients hold of a broker.
type holdings struct {
	connections, sessions, linksIn, linksOut         int64
	addresses, byID, making, names, watched, gatesOf int
	pendingMessages, pendingBytes                    int64
}

func holdingsOf(b *Broker) (h holdings) {
	m := &b.metrics
	h.connections, h.sessions = m.connections.Load(), m.sessions.Load()
	h.linksIn, h.linksOut = m.linksIn.Load(), m.linksOut.Load()
	d := b.directory
	d.mu.Lock()
	h.addresses, h.byID, h.making = len(d.addresses), len(d.byID), len(d.making)
	d.mu.Unlock()
	b.names.mu.Lock()
	h.names = len(b.names.lines)
	b.names.mu.Unlock()
	b.shards()[0].watched.mu.Lock()
	h.watched = len(b.shards()[0].watched.addresses)
	b.shards()[0].watched.mu.Unlock()
	for _, g := range []*gate{&b.node.gate, &b.node.disk, &b.shards()[0].busy} {
		g.mu.Lock()
		h.gatesOf += len(g.waiting)
		g.mu.Unlock()
	}
	h.pendingMessages, h.pendingBytes = b.node.pending.messages.Load(), b.node.pending.bytes.Load()
	return h
}

func requireNothingHeld(t *testing.T, b *Broker) {
	t.Helper()
	require.Eventually(t, func() bool { return holdingsOf(b) == holdings{} }, peerPatience, pollEvery, "%+v", holdingsOf(b))
}

// Clients that come, do anything, and go in the middle of it.
func TestNothingIsLeftOfClientsThatVanish(t *testing.T) {
	cfg := testConfig(t.TempDir())
	cfg.Limits.MaxMessages = 500 // so that gates shut now and then
	b := startBroker(t, cfg)
	const clients, rounds = 8, 25
	var done sync.WaitGroup
	for i := range clients {
		done.Go(func() {
			random := rand.New(rand.NewPCG(uint64(i), 1))
			for range rounds {
				vanish(t, b, random)
			}
		})
	}
	for range rounds {
		_, err := b.Delete(t.Context(), fmt.Sprintf("q/%d", rand.IntN(5)))
		_ = err // whether it is there is a matter of luck
	}
	done.Wait()
	requireNothingHeld(t, b)
}

// vanish says random things and hangs up.
func vanish(t *testing.T, b *Broker, random *rand.Rand) {
	p := dialPeer(t, b)
	defer func() { _ = p.nc.Close() }()
	p.hello(fmt.Sprintf("container-%d", random.IntN(3))).begin(0)
	for range random.IntN(40) {
		handle := uint32(random.IntN(6))
		address := fmt.Sprintf("q/%d", random.IntN(5))
		switch random.IntN(8) {
		case 0:
			p.sendsTo(handle, address, named("in"))
		case 1, 2:
			p.receivesFrom(handle, address, named(fmt.Sprint("out-", random.IntN(2))))
		case 3:
			p.frame(0, &wire.Detach{Handle: handle, Closed: true})
		case 4:
			p.grants(handle, 0, uint32(random.IntN(100)), random.IntN(2) == 0)
		case 5:
			p.settles(0, uint32(random.IntN(20)), wire.StateAccepted, random.IntN(2) == 0)
		case 6:
			p.transfers(handle, "x", random.IntN(2) == 0)
		case 7:
			p.receivesFrom(handle, fmt.Sprintf("new/%d", random.Uint32()))
		}
	}
	if _, err := p.nc.Write(p.out); err != nil || random.IntN(2) == 0 {
		return
	}
	_, _ = p.nc.Read(make([]byte, 100))
}

// The address that a link waits for must not stay open when its connection ends
// just then: what has been posted by then is run all the same.
func TestAttachmentsOfAConnectionThatEnds(t *testing.T) {
	b := startBroker(t, testConfig(t.TempDir()))
	for i := range 50 {
		p := dialPeer(t, b)
		p.hello("c").begin(0)
		for h := range uint32(20) {
			p.sendsTo(h, fmt.Sprintf("fresh/%d/%d", i, h))
		}
		p.flush()
		require.NoError(t, p.nc.Close())
	}
	requireNothingHeld(t, b)
}

func TestAttachFloodWhileQueuesAreMade(t *testing.T) {
	b := startBroker(t, testConfig(t.TempDir()))
	p := openPeer(t, b, "c")
	const rounds = 2000
	for i := range uint32(rounds) {
		p.sendsTo(0, fmt.Sprintf("flood/%d", i)).frame(0, &wire.Detach{Handle: 0, Closed: true})
	}
	p.flush()
	for range rounds {
		until[wire.Detach](p, "each is answered, whatever came of its queue")
	}
	p.sendsTo(1, "after").flush()
	until[wire.Flow](p, "the connection goes on")
	require.NoError(t, p.nc.Close())
	requireNothingHeld(t, b)
}

func TestQueueIsDeletedWhileItsLinksAttach(t *testing.T) {
	b := startBroker(t, testConfig(t.TempDir()))
	for i := range 50 {
		p := openPeer(t, b, "c")
		p.sendsTo(0, "doomed").receivesFrom(1, "doomed").grants(1, 0, 1, false).flush()
		if i%2 == 0 {
			until[wire.Attach](p, "")
		}
		_, err := b.Delete(t.Context(), "doomed")
		if err != nil {
			require.NoError(t, p.nc.Close()) // the delete came first, and the links have a queue
			continue
		}
		require.Eventually(t, func() bool { return noLinkToADeletedQueue(t, b, "doomed") }, peerPatience, pollEvery)
		require.NoError(t, p.nc.Close())
	}
	requireNothingHeld(t, b)
}

// noLinkToADeletedQueue: all links there are belong to the queue that the name means
// now, which a late attach may have made anew.
func noLinkToADeletedQueue(t *testing.T, b *Broker, name string) bool {
	links := b.metrics.linksIn.Load() + b.metrics.linksOut.Load()
	a := b.directory.attachedTo(name)
	if a == nil {
		return links == 0
	}
	id, _, ok, err := b.shards()[0].journal.Lookup(name)
	require.NoError(t, err)
	b.directory.mu.Lock()
	defer b.directory.mu.Unlock()
	return ok && id == a.id && links == int64(a.links)
}

func TestShutdownInTheMiddleOfEverything(t *testing.T) {
	b, err := New(testConfig(t.TempDir()), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	require.NoError(t, b.Start(t.Context()))
	stop := make(chan struct{})
	var busy sync.WaitGroup
	for i := range 4 {
		p := openPeer(t, b, fmt.Sprint("in-", i))
		p.sendsTo(0, fmt.Sprintf("q/%d", i)).flush()
		until[wire.Flow](p, "credit")
		r := openPeer(t, b, fmt.Sprint("out-", i))
		r.receivesFrom(0, fmt.Sprintf("q/%d", i)).grants(0, 0, 1<<20, false).flush()
		until[wire.Attach](r, "") // and it never reads again, nor settles
		busy.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				p.transfers(0, "x", true)
				if _, err := p.nc.Write(p.out); err != nil {
					return
				}
				p.out = p.out[:0]
			}
		})
		busy.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					vanishQuietly(b, i)
				}
			}
		})
	}
	ctx, cancel := context.WithTimeout(context.Background(), 9*time.Second)
	defer cancel()
	began := time.Now()
	err = b.Shutdown(ctx)
	close(stop)
	busy.Wait()
	require.NoError(t, err)
	require.Less(t, time.Since(began), 9*time.Second)
	requireNothingHeld(t, b)
}

// vanishQuietly attaches to a new queue and goes; the broker may be gone first.
func vanishQuietly(b *Broker, i int) {
	nc, err := dialQuietly(b)
	if err != nil {
		return
	}
	p := &peer{nc: nc}
	p.hello(fmt.Sprint(i)).begin(0).sendsTo(0, fmt.Sprintf("new/%d", rand.Uint32()))
	_, _ = nc.Write(p.out)
	_ = nc.Close()
}

func TestStartThatFailsLeavesNothingOpen(t *testing.T) {
	first := startBroker(t, testConfig(t.TempDir()))
	cfg := testConfig(t.TempDir())
	cfg.HTTP = first.HTTPAddress() // taken: everything else is open by then
	second, err := New(cfg, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	require.Error(t, second.Start(t.Context()))
	require.NoError(t, second.Shutdown(context.Background()), "a second time does no harm")
	cfg.HTTP = "127.0.0.1:0"
	startBroker(t, cfg) // the directory's lock is free again
}

// A store that fails ends the node in order: every message has an answer, and
// Shutdown works.
func TestStoreThatFailsEndsTheNodeInOrder(t *testing.T) {
	b, err := New(testConfig(t.TempDir()), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	require.NoError(t, b.Start(t.Context()))
	p := openPeer(t, b, "c")
	p.sendsTo(0, "q").flush()
	until[wire.Flow](p, "credit")
	_, err = b.shards()[0].journal.Apply(b.shards()[0].AppliedIndex()+1, []byte("no pack"))
	require.Error(t, err)
	p.transfers(0, "too late", false).flush()
	// It may be in the log, so nobody says accepted or rejected; unless the group has
	// noticed first, and it certainly is not.
	d := until[wire.Disposition](p, "an answer")
	if d.State.Kind != wire.StateReleased {
		require.Equal(t, wire.StateModified, d.State.Kind)
		require.True(t, d.State.Modified.DeliveryFailed)
	}
	require.Error(t, <-b.Fatal())
	require.Error(t, b.Health())
	refused := b.Metrics().Refused
	require.EqualValues(t, 1, refused["outcome-unknown"]+refused["unavailable"])
	ctx, cancel := context.WithTimeout(context.Background(), 9*time.Second)
	defer cancel()
	if err := b.Shutdown(ctx); errors.Is(err, context.DeadlineExceeded) {
		require.NoError(t, err, "it does not hang")
	}
}

// A client that broke the protocol may keep its socket open for a while. What it
// held is free at once.
func TestMessagesOfAFailedConnectionComeBackAtOnce(t *testing.T) {
	b := startBroker(t, testConfig(t.TempDir()))
	sendTexts(t, client(t, b), "q", "it")
	p := openPeer(t, b, "bad")
	p.receivesFrom(0, "q").grants(0, 0, 1, false).flush()
	p.gets("it", "")
	bad := connOf(t, b, "bad")
	p.frame(0, &wire.Open{ContainerID: "again"}).flush()
	until[wire.Close](p, "a second open is a fault")
	require.Equal(t, []string{"it"}, receiveTexts(t, client(t, b), "q", 1))
	require.Contains(t, b.openConns(), bad, "the broker still waits for the client's close")
}
