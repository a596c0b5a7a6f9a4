package mesh

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Mesh is one node's connections to all others. All methods may be called by any
// goroutine; Handle, HandleCall, HandleStream and Watch only before Start.
type Mesh struct {
	cfg                  Config
	serverTLS, clientTLS *tls.Config // nil: plain
	classOf              [256]class
	handlers             [256]MessageHandler
	calls                map[string]CallHandler
	streams              map[string]StreamHandler
	watchers             []func(p Peer, up bool)

	ctx     context.Context // ends with Close
	cancel  context.CancelFunc
	threads sync.WaitGroup                      // all goroutines but a session's writer and pinger
	routes  atomic.Pointer[map[string]*session] // sessions that are up; never changed in place

	mu       sync.Mutex
	started  bool
	closed   bool
	peers    map[string]*peer
	shaking  map[net.Conn]struct{} // accepted, in the handshake
	sessions uint64                // numbers given out
	random   *rand.Rand            // of back-off
	lastAway struct {              // the last connection that was logged as turned away
		reason string
		at     time.Time
	}
}

// New checks the configuration. Nothing is accepted or dialled before Start.
func New(cfg Config) (*Mesh, error) {
	if len(cfg.Node) == 0 || len(cfg.Node) > 255 {
		return nil, fmt.Errorf("mesh: a node id has 1 to 255 bytes, not %d", len(cfg.Node))
	}
	cfg.PingEvery = cmp.Or(cfg.PingEvery, time.Second)
	cfg.DeadAfter = cmp.Or(cfg.DeadAfter, 5*time.Second)
	if cfg.Dial == nil {
		cfg.Dial = func(ctx context.Context, address string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", address)
		}
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	m := &Mesh{
		cfg: cfg, calls: map[string]CallHandler{}, streams: map[string]StreamHandler{},
		peers: map[string]*peer{}, shaking: map[net.Conn]struct{}{},
		// Seeded by the incarnation, so that a simulation can be replayed.
		random: rand.New(rand.NewPCG(cfg.Incarnation, 0)),
	}
	if cfg.TLS != nil {
		var err error
		if m.serverTLS, m.clientTLS, err = secured(cfg.TLS); err != nil {
			return nil, err
		}
	}
	for ch := range m.classOf {
		m.classOf[ch] = normal
	}
	for _, ch := range cfg.Urgent {
		m.classOf[ch] = urgent
	}
	m.routes.Store(&map[string]*session{})
	m.ctx, m.cancel = context.WithCancel(context.Background())
	return m, nil
}

// Start begins to accept and to dial.
func (m *Mesh) Start() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.started || m.closed {
		return
	}
	m.started = true
	if m.cfg.Listener != nil {
		m.threads.Add(1)
		go m.accept()
	}
	for _, p := range m.peers {
		m.dialOut(p)
	}
}

// Close ends all connections and waits for all goroutines, handlers included. It may
// not be called by a handler.
func (m *Mesh) Close() {
	m.mu.Lock()
	m.closed = true
	m.cancel()
	if m.cfg.Listener != nil {
		_ = m.cfg.Listener.Close()
	}
	for c := range m.shaking {
		_ = c.Close()
	}
	var open []*session
	for _, p := range m.peers {
		if p.session != nil {
			open = append(open, p.session)
		}
	}
	m.mu.Unlock()
	for _, s := range open {
		s.fail(ErrClosed)
	}
	m.threads.Wait()
}

// SetAddress says where a peer is, or that it has moved. It is dialled, with a back-off
// of 50 ms to 2 s, as long as there is no connection. "" forgets the address; a
// connection that exists goes on: see Drop.
func (m *Mesh) SetAddress(peer, address string) {
	if peer == m.cfg.Node {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.peer(peer)
	if p.address != address {
		p.address = address
		p.moved = true
		p.wake()
	}
	m.dialOut(p)
	m.forget(p)
}

// Drop ends the connection to a peer, if there is one. Without an address it stays
// away until it dials us.
func (m *Mesh) Drop(peer string) {
	m.mu.Lock()
	var s *session
	if p := m.peers[peer]; p != nil {
		s = p.session
	}
	m.mu.Unlock()
	if s != nil {
		s.fail(errDropped)
	}
}

// Peers gives all peers with an address or a connection, sorted by id.
func (m *Mesh) Peers() []PeerStatus {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []PeerStatus
	for _, id := range slices.Sorted(maps.Keys(m.peers)) {
		all = append(all, m.peers[id].status())
	}
	return all
}

// Peer gives the present connection to a peer.
func (m *Mesh) Peer(id string) (p Peer, connected bool) {
	if s := m.route(id); s != nil {
		return s.id, true
	}
	return Peer{}, false
}

// Handle sets who takes the messages of a channel. A message on a channel without
// handler is dropped.
func (m *Mesh) Handle(ch Channel, f MessageHandler) { m.handlers[ch] = f }

// HandleCall sets who answers a method.
func (m *Mesh) HandleCall(method string, f CallHandler) { m.calls[method] = f }

// HandleStream sets who takes the streams of a method.
func (m *Mesh) HandleStream(method string, f StreamHandler) { m.streams[method] = f }

// Watch tells f of every connection (up) and of its end, in the goroutine that reads
// it: up comes before the first message of the session, down after the last one and
// before the up of the next. f must not block.
func (m *Mesh) Watch(f func(p Peer, up bool)) { m.watchers = append(m.watchers, f) }

// route is the session to a peer that is up, or nil.
func (m *Mesh) route(peer string) *session { return (*m.routes.Load())[peer] }

// Send queues a message, which is the parts joined, and never blocks. Messages of one
// channel and session arrive in order, each one or else the session ends. The parts
// are copied. Errors: ErrNotConnected, ErrCongested (more than 64 MiB are queued; 128
// MiB for an urgent channel), ErrTooBig.
func (m *Mesh) Send(peer string, ch Channel, parts ...[]byte) error {
	s := m.route(peer)
	if s == nil {
		return ErrNotConnected
	}
	for _, p := range parts {
		if len(p) >= copyBelow { // shorter ones are copied anyway
			joined := slices.Concat(parts...)
			return s.send(header{kind: kindMessage, channel: ch, class: m.classOf[ch]}, [][]byte{joined})
		}
	}
	return s.send(header{kind: kindMessage, channel: ch, class: m.classOf[ch]}, parts)
}

// SendOwned is Send for parts that nobody changes any more: large ones are written
// from where they are.
func (m *Mesh) SendOwned(peer string, ch Channel, parts ...[]byte) error {
	s := m.route(peer)
	if s == nil {
		return ErrNotConnected
	}
	return s.send(header{kind: kindMessage, channel: ch, class: m.classOf[ch]}, parts)
}

// SendTo is SendOwned to this very session: ErrNotConnected when it has ended, even
// if there is another one by now.
func (m *Mesh) SendTo(p Peer, ch Channel, parts ...[]byte) error {
	s := m.route(p.ID)
	if s == nil || s.id.Session != p.Session {
		return ErrNotConnected
	}
	return s.send(header{kind: kindMessage, channel: ch, class: m.classOf[ch]}, parts)
}

// Call asks a peer and waits; req may not be changed afterwards. Errors:
// ErrNotConnected (never sent), ErrCongested, ErrLost, ctx's error, or *RemoteError. A
// call that ctx has ended is cancelled at the peer. A method's name has at most 255
// bytes.
func (m *Mesh) Call(ctx context.Context, peer, method string, req []byte) ([]byte, error) {
	s := m.route(peer)
	if s == nil {
		return nil, ErrNotConnected
	}
	return s.call(ctx, method, req)
}

// Stream sends what r gives (size bytes exactly; -1: until io.EOF) to a peer's
// StreamHandler and waits for its answer. It has a window of its own (1 MiB) and goes
// in chunks of 64 KiB behind other traffic. r is read by the caller's goroutine;
// when the handler returns early, or the connection is lost, no more is read.
// Errors: those of Call, r's own, or io.ErrUnexpectedEOF when r's size is not size.
func (m *Mesh) Stream(ctx context.Context, peer, method string, head []byte, size int64, r io.Reader) ([]byte, error) {
	s := m.route(peer)
	if s == nil {
		return nil, ErrNotConnected
	}
	return s.stream(ctx, method, head, size, r)
}
