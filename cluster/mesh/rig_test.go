package mesh

import (
	"fmt"
	"log/slog"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"entrepot/cluster/mesh/memnet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Channels of the tests.
const (
	chUrgent Channel = 1
	chNormal Channel = 2
	chUnread Channel = 3 // nobody handles it
)

// rig is nodes on a network in memory.
type rig struct {
	t     *testing.T
	net   *memnet.Network
	nodes map[string]*node
	runs  uint64
}

// node is one Mesh and what it has seen.
type node struct {
	*Mesh
	id string

	mu      sync.Mutex
	events  []string // "up n2", "n2: text", "down n2"
	refused []string
}

// in runs f in a bubble, with a network and without leaks.
func in(t *testing.T, f func(t *testing.T, r *rig)) {
	synctest.Test(t, func(t *testing.T) {
		r := &rig{t: t, net: memnet.New(1), nodes: map[string]*node{}}
		defer func() { // also after FailNow, or the bubble would hide why
			for _, n := range r.nodes {
				n.Close()
			}
			synctest.Wait()
		}()
		f(t, r)
		for _, n := range r.nodes {
			n.Close()
		}
		synctest.Wait()
		require.Zero(t, r.net.Connections(memnet.Any), "connections are left open")
	})
}

func address(id string) string { return id + ":7000" }

// start makes a node; change may alter its configuration or be nil.
func (r *rig) start(id string, change func(n *node, cfg *Config)) *node {
	l, err := r.net.Listen(address(id))
	require.NoError(r.t, err)
	r.runs++
	n := &node{id: id}
	cfg := Config{
		Node: id, Incarnation: r.runs, Listener: l, Dial: r.net.Dialer(id),
		Urgent:  []Channel{chUrgent},
		Refused: func(peer, reason string) { n.note(&n.refused, peer+": "+reason) },
		Logger:  slog.New(slog.NewTextHandler(r.t.Output(), nil)).With("node", id),
	}
	if change != nil {
		change(n, &cfg)
	}
	m, err := New(cfg)
	require.NoError(r.t, err)
	n.Mesh = m
	m.Watch(func(p Peer, up bool) {
		word := "down "
		if up {
			word = "up "
		}
		n.note(&n.events, word+p.ID)
	})
	m.Handle(chNormal, func(p Peer, data []byte) { n.note(&n.events, fmt.Sprintf("%s: %s", p.ID, data)) })
	r.nodes[id] = n
	return n
}

func (n *node) note(list *[]string, text string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	*list = append(*list, text)
}

// take returns the events so far and forgets them.
func (n *node) take() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	e := n.events
	n.events = nil
	return e
}

func (n *node) refusals() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]string(nil), n.refused...)
}

// link makes each node know all others, and starts them.
func (r *rig) link(ids ...string) {
	for _, a := range ids {
		for _, b := range ids {
			r.nodes[a].SetAddress(b, address(b))
		}
		r.nodes[a].Start()
	}
}

// pairUp gives two connected nodes.
func (r *rig) pairUp(change func(n *node, cfg *Config)) (a, b *node) {
	a, b = r.start("a", change), r.start("b", change)
	r.link("a", "b")
	r.settle()
	require.Equal(r.t, []string{"up b"}, a.take())
	require.Equal(r.t, []string{"up a"}, b.take())
	return a, b
}

// settle lets virtual time go on until connections are made.
func (r *rig) settle() { r.pass(100 * time.Millisecond) }

func (r *rig) pass(d time.Duration) {
	timer := time.NewTimer(d)
	<-timer.C
	synctest.Wait()
}

func (r *rig) crash(id string) {
	r.net.Crash(id)
	r.nodes[id].Close()
	delete(r.nodes, id)
}

// loopback is a listener for tests on TCP.
func loopback(t testing.TB) net.Listener {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	return l
}
