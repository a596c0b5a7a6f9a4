// Package memnet is a network in memory with faults, for tests in virtual time: hosts
// have names, and between each two of them links have latency, bandwidth and
// partitions. It behaves as TCP does: bytes are late, or never come, or the
// connection breaks; they are not lost one by one.
package memnet

import (
	"math/rand/v2"
	"net"
	"sync"
	"syscall"
	"time"
)

// Any stands for every host in SetLink, Block, Unblock and Cut.
const Any = "*"

// Network is a set of hosts. All methods may be called by any goroutine. It must be
// made in the synctest bubble that uses it.
type Network struct {
	mu        sync.Mutex // for all that hangs on the network; nothing waits under it
	changed   *sync.Cond // a listener, a backlog or a block is different
	random    *rand.Rand
	links     map[way]*lane
	settings  map[way]Link
	blocked   map[way]bool
	listeners map[string]*listener
	conns     map[*conn]struct{} // ends that are not closed
	ports     int                // given to dialling ends
}

// Link is how bytes travel one way from host to host.
type Link struct {
	Latency        time.Duration
	Jitter         time.Duration // up to so much more, at random; order is kept
	BytesPerSecond int           // of all connections together; 0: no limit
}

// way is a direction between two hosts.
type way struct{ from, to string }

// lane is what a limited link remembers: when its last byte will have left.
type lane struct{ busyUntil time.Time }

// New makes a network without delay or fault. The seed fixes the jitter.
func New(seed uint64) *Network {
	n := &Network{
		random: rand.New(rand.NewPCG(seed, 0)), links: map[way]*lane{}, settings: map[way]Link{},
		blocked: map[way]bool{}, listeners: map[string]*listener{}, conns: map[*conn]struct{}{},
	}
	n.changed = sync.NewCond(&n.mu)
	return n
}

// SetLink changes the way from one host to another. The most exact of the settings
// counts, the sender's before the receiver's. What is under way keeps its time.
func (n *Network) SetLink(from, to string, l Link) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.settings[way{from, to}] = l
}

// Block holds back everything that goes from one host to another, what is on its way
// included, until Unblock. Connecting needs both ways.
func (n *Network) Block(from, to string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.blocked[way{from, to}] = true
}

// Unblock ends the Block with the same names: what was held back arrives.
func (n *Network) Unblock(from, to string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.blocked, way{from, to})
	n.wakeAll()
}

// Partition blocks both ways between every host of a and every host of b.
func (n *Network) Partition(a, b []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, x := range a {
		for _, y := range b {
			n.blocked[way{x, y}], n.blocked[way{y, x}] = true, true
		}
	}
}

// Heal ends all blocks.
func (n *Network) Heal() {
	n.mu.Lock()
	defer n.mu.Unlock()
	clear(n.blocked)
	n.wakeAll()
}

// Cut breaks the connections between two hosts: both ends get an error at once, and
// what was under way is lost.
func (n *Network) Cut(a, b string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for c := range n.conns {
		out := matches(a, c.host) && matches(b, c.peerHost)
		if out || matches(b, c.host) && matches(a, c.peerHost) {
			c.in.reset(syscall.ECONNRESET)
			c.out.reset(syscall.ECONNRESET)
		}
	}
}

// Crash ends a host: its listeners and its ends of connections are gone. The other
// ends hear of it if the way to them is open; behind a Block they hear of it after
// Unblock. The host may Listen again at once.
func (n *Network) Crash(host string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, l := range n.listeners {
		if hostOf(l.address) == host {
			l.shut()
		}
	}
	for c := range n.conns {
		if c.host == host {
			c.shut(syscall.ECONNRESET)
		}
	}
}

// Connections counts the open ends of connections of a host (Any: of all).
func (n *Network) Connections(host string) (open int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for c := range n.conns {
		if matches(host, c.host) {
			open++
		}
	}
	return open
}

func matches(pattern, host string) bool { return pattern == Any || pattern == host }

// isBlocked is called under mu.
func (n *Network) isBlocked(from, to string) bool {
	if len(n.blocked) == 0 {
		return false
	}
	return n.blocked[way{from, to}] || n.blocked[way{from, Any}] || n.blocked[way{Any, to}] || n.blocked[way{Any, Any}]
}

// link is called under mu.
func (n *Network) link(from, to string) Link {
	for _, w := range [...]way{{from, to}, {from, Any}, {Any, to}, {Any, Any}} {
		if l, set := n.settings[w]; set {
			return l
		}
	}
	return Link{}
}

// arrival is when size bytes that leave now will be there. It is called under mu.
func (n *Network) arrival(from, to string, size int) time.Time {
	l, at := n.link(from, to), time.Now()
	if l.BytesPerSecond > 0 {
		w := way{from, to}
		if n.links[w] == nil {
			n.links[w] = &lane{}
		}
		if n.links[w].busyUntil.After(at) {
			at = n.links[w].busyUntil
		}
		at = at.Add(time.Duration(float64(size) / float64(l.BytesPerSecond) * float64(time.Second)))
		n.links[w].busyUntil = at
	}
	at = at.Add(l.Latency)
	if l.Jitter > 0 {
		at = at.Add(time.Duration(n.random.Int64N(int64(l.Jitter))))
	}
	return at
}

// wakeAll lets everyone look again. It is called under mu.
func (n *Network) wakeAll() {
	n.changed.Broadcast()
	for c := range n.conns {
		c.in.wake.Broadcast()
		c.out.wake.Broadcast()
	}
}

func hostOf(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	return host
}

// addr is "host:port".
type addr string

func (a addr) Network() string { return "memnet" }
func (a addr) String() string  { return string(a) }
