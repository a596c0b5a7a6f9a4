// Package broker puts the house together: sockets and connections, addresses and
// policies, the shard with its log and its dispatcher, and the admin interface.
//
// The way of one message is told at conn (in and out), producer, shard and
// consumer; docs/architecture.md has the map.
package broker

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"entrepot/broker/admin"
	"entrepot/broker/config"
	"entrepot/cluster"
	"entrepot/journal"
	"entrepot/protocol/amqp/wire"
	"entrepot/queue"
)

// Broker is one node.
type Broker struct {
	cfg         config.Config
	around      Surroundings
	log         *slog.Logger
	version     string
	containerID string
	users       *config.Authenticator
	policies    *queue.PolicySet
	directory   *directory
	names       *linkNames
	node        *node
	metrics     metrics
	oldestAge   oldestAge
	windowHigh  int64

	store     *journal.Store
	cluster   *cluster.Node
	shardList atomic.Pointer[[]*shard] // nil until the cluster has formed
	listeners []*listener
	admin     *admin.Server

	consumers atomic.Uint64 // the last ConsumerID
	ready     atomic.Bool
	stopping  atomic.Bool
	fault     atomic.Pointer[error]
	fatalCh   chan error

	mu      sync.Mutex
	conns   map[*conn]struct{}
	gone    chan struct{} // at shutdown: closed with the last of conns
	serving sync.WaitGroup
	cancel  context.CancelFunc
}

// New makes a broker of a configuration that config.Load has checked. Nothing is
// opened yet.
func New(cfg config.Config, logger *slog.Logger) (*Broker, error) {
	return NewIn(Surroundings{}, cfg, logger)
}

// NewIn is New in other surroundings than this machine's.
func NewIn(around Surroundings, cfg config.Config, logger *slog.Logger) (*Broker, error) {
	policies, err := cfg.PolicySet()
	if err != nil {
		return nil, err
	}
	b := &Broker{
		cfg:         cfg,
		around:      around.withDefaults(),
		log:         logger,
		version:     config.Version(),
		containerID: "entrepot-" + randomName(),
		users:       config.NewAuthenticator(cfg.Users),
		policies:    policies,
		names:       newLinkNames(),
		windowHigh:  2 * int64(cfg.Storage.Window),
		fatalCh:     make(chan error, 1),
		conns:       map[*conn]struct{}{},
	}
	b.metrics.init()
	b.directory = newDirectory(b, policies)
	b.node = &node{
		broker:      b,
		maxMessages: cfg.Limits.MaxMessages,
		maxBytes:    uint64(cfg.Limits.MaxBytes),
		gauge:       b.around.FreeDisk,
	}
	return b, nil
}

// Start opens the store, recovers what it holds, and begins to serve. When it
// fails, nothing is left open.
//
// A node of a cluster waits until that has formed, or has taken it in; the admin
// interface is open meanwhile. ctx ends the wait.
//
// Errors: cluster.ErrOtherNode, cluster.ErrRefused, journal.ErrLocked (another broker has the directory),
// *journal.CorruptionError, a listener's address that is taken.
func (b *Broker) Start(ctx context.Context) (err error) {
	forming := ctx
	ctx, b.cancel = context.WithCancel(context.WithoutCancel(ctx))
	defer func() {
		if err != nil {
			ctx, cancel := context.WithTimeout(context.Background(), startGrace)
			defer cancel() // without a majority a pack in flight waits for ever
			err = errors.Join(err, b.Shutdown(ctx))
		}
	}()
	if b.around.FS == nil {
		if err := journal.MakeDir(b.cfg.Data, 0o750); err != nil {
			return fmt.Errorf("data directory: %w", err)
		}
	}
	if err := b.openStore(); err != nil {
		return err
	}
	if err := b.openNode(); err != nil {
		return err
	}
	if err := b.openAdmin(); err != nil { // how else could one see what a cluster waits for
		return err
	}
	if err := b.startShards(forming); err != nil {
		return err
	}
	b.goServe(func() {
		b.node.watchDisk(ctx, b.cfg.Data, diskState{low: uint64(b.cfg.Limits.DiskLow), high: uint64(b.cfg.Limits.DiskHigh)})
	})
	b.goServe(func() { b.oldestAge.watch(ctx, b) })
	if err := b.openDoors(); err != nil {
		return err
	}
	b.ready.Store(true)
	return nil
}

// startGrace is how long a start that has failed may take to clear up.
const startGrace = 5 * time.Second

func (b *Broker) openStore() error {
	durability := journal.Fsync
	if b.cfg.Durability == config.OS {
		durability = journal.OS
	}
	store, err := journal.Open(journal.Options{
		Dir:           config.JournalDir(b.cfg.Data),
		FS:            b.around.FS,
		Durability:    durability,
		WindowBytes:   int64(b.cfg.Storage.Window),
		MaxAge:        b.cfg.Storage.MaxAge,
		MemTableBytes: uint64(b.cfg.Storage.MemTable),
		CacheBytes:    int64(b.cfg.Storage.Cache),
		Logger:        b.log,
		Hooks: journal.Hooks{
			Synced: func(took time.Duration) { b.metrics.fsyncLatency.Observe(int64(took)) },
			Stalled: func(stalled bool, reason string) {
				if stalled {
					b.metrics.stalls.Add(1)
					b.log.Warn("the store holds writes back", "reason", reason)
				}
			},
			Failed:  b.fatal,
			Damaged: b.damaged,
		},
	})
	if err != nil {
		return err
	}
	b.store = store
	return nil
}

// openDoors begins to listen for AMQP clients.
func (b *Broker) openDoors() error {
	for _, cfg := range b.cfg.AMQP {
		l, err := b.listen(cfg)
		if err != nil {
			return err
		}
		b.listeners = append(b.listeners, l)
	}
	for _, l := range b.listeners {
		b.goServe(l.serve)
	}
	return nil
}

// openAdmin begins to serve HTTP, if there is an address for it.
func (b *Broker) openAdmin() error {
	if b.cfg.HTTP == "" {
		return nil
	}
	server, err := admin.Start(admin.Options{
		Address: b.cfg.HTTP, Broker: b, Users: b.users, Version: b.version, Logger: b.log,
	})
	b.admin = server
	return err
}

func (b *Broker) goServe(f func()) {
	b.serving.Add(1)
	go func() {
		defer b.serving.Done()
		f()
	}()
}

// goAside runs what was caused by traffic, unless the broker is stopping.
func (b *Broker) goAside(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.stopping.Load() {
		b.goServe(f)
	}
}

// Addresses are where AMQP clients connect, with the ports that were chosen.
func (b *Broker) Addresses() []string {
	var list []string
	for _, l := range b.listeners {
		list = append(list, l.socket.Addr().String())
	}
	return list
}

// HTTPAddress is where the admin interface listens.
func (b *Broker) HTTPAddress() string { return b.admin.Address() }

// Fatal tells, once, why the broker can't go on: the store has failed. The process
// should shut down and exit with an error.
func (b *Broker) Fatal() <-chan error { return b.fatalCh }

// fatal notes the first fault that ends the node.
func (b *Broker) fatal(err error) {
	if err == nil || !b.fault.CompareAndSwap(nil, &err) {
		return
	}
	b.log.Error("fatal: the node stops", "error", err)
	b.ready.Store(false)
	b.fatalCh <- err
}

// serveConn takes a connection in, if there is room for one more.
func (b *Broker) serveConn(nc net.Conn, limits *listenerLimits) {
	b.mu.Lock()
	full := b.cfg.Limits.MaxConnections != 0 && uint64(len(b.conns)) >= b.cfg.Limits.MaxConnections
	if full || b.stopping.Load() {
		b.mu.Unlock()
		if full {
			b.metrics.connFailed(endTooMany)
			b.log.Warn("connection failed", "peer", nc.RemoteAddr().String(), "condition", endTooMany)
		}
		_ = nc.Close()
		return
	}
	c := newConn(b, nc, limits)
	b.conns[c] = struct{}{}
	b.serving.Add(1)
	b.mu.Unlock()
	b.metrics.opened.Add(1)
	b.metrics.connections.Add(1)
	go c.run()
}

// connEnded is the last thing that a connection does.
func (b *Broker) connEnded(c *conn) {
	b.mu.Lock()
	delete(b.conns, c)
	if b.gone != nil && len(b.conns) == 0 {
		close(b.gone)
	}
	b.mu.Unlock()
	b.metrics.connections.Add(-1)
	b.metrics.sessions.Add(int64(-c.sessions))
	b.serving.Done()
}

func (b *Broker) nextConsumer() queue.ConsumerID { return queue.ConsumerID(b.consumers.Add(1)) }

// Shutdown stops the broker: nothing new is accepted, packs in flight are finished
// and answered, connections are closed with amqp:connection:forced, and everything
// is written to its place, so that the next start has nothing to replay. When ctx
// ends first, what is left is cut short; nothing accepted is lost by that.
func (b *Broker) Shutdown(ctx context.Context) error {
	if !b.stopping.CompareAndSwap(false, true) {
		return nil
	}
	b.mu.Lock() // who looked at stopping before, in goAside, has begun by now
	b.ready.Store(false)
	b.mu.Unlock()
	b.leaveLead(ctx)
	for _, l := range b.listeners {
		_ = l.socket.Close()
	}
	var errs []error
	b.closeConns(ctx)
	if b.cancel != nil {
		b.cancel()
	}
	b.serving.Wait()
	for _, s := range b.shards() {
		errs = append(errs, s.stop(ctx))
	}
	if b.admin != nil {
		errs = append(errs, b.admin.Shutdown(ctx))
	}
	if b.cluster != nil {
		b.cluster.Close()
	}
	if b.store != nil {
		errs = append(errs, b.store.Close())
	}
	return errors.Join(errs...)
}

// Patience with clients at shutdown.
const (
	settleGrace = 2 * time.Second // for packs in flight
	closeGrace  = 2 * time.Second // for a client's own close
)

// closeConns ends all connections: politely, then not.
func (b *Broker) closeConns(ctx context.Context) {
	b.quiesce(ctx)
	for _, c := range b.openConns() {
		c.post(func() { c.closeWith(wire.CondConnectionForced, "the broker is shutting down") })
	}
	select {
	case <-b.connsGone():
	case <-ctx.Done():
	case <-time.After(closeGrace):
	}
	for _, c := range b.openConns() {
		c.socket.close()
	}
}

// connsGone is closed when no connection is left. REQUIRES: no more are accepted.
func (b *Broker) connsGone() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.gone = make(chan struct{})
	if len(b.conns) == 0 {
		close(b.gone)
	}
	return b.gone
}

func (b *Broker) openConns() []*conn {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := make([]*conn, 0, len(b.conns))
	for c := range b.conns {
		list = append(list, c)
	}
	return list
}

// randomName tells this process from others, and from its own earlier life.
func randomName() string {
	var b [6]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
