// Package memnet is a network in memory with faults, for tests in virtual time: hosts
// have names, and between each two of them links have latency, bandwidth and
// partitions. It behaves as TCP does: bytes are late, or never come, or the
// connection breaks; they are not lost one by one.
package memnet

import (
	"context"
	"net"
	"time"
)

// Network is a set of hosts. All methods may be called by any goroutine. It must be
// made in the synctest bubble that uses it.
type Network struct{}

// Link is how bytes travel one way from host to host.
type Link struct {
	Latency        time.Duration
	Jitter         time.Duration // up to so much more, at random; order is kept
	BytesPerSecond int           // 0: no limit
}

// New makes a network without delay or fault. The seed fixes the jitter.
func New(seed uint64) *Network { return &Network{} }

// Listen opens a host's listener; its address is "host:port". A closed one may be opened again.
func (n *Network) Listen(address string) (net.Listener, error) { return nil, nil }

// Dialer gives the host's way to connect to others: for mesh.Config.Dial.
func (n *Network) Dialer(host string) func(ctx context.Context, address string) (net.Conn, error) {
	return nil
}

// SetLink changes the way from one host to another ("*" for any).
func (n *Network) SetLink(from, to string, l Link) {}

// Block holds back everything that goes from one host to another, what is on its way
// included, until Unblock. Connecting needs both ways.
func (n *Network) Block(from, to string) {}

// Unblock ends Block: what was held back arrives.
func (n *Network) Unblock(from, to string) {}

// Partition blocks both ways between every host of a and every host of b.
func (n *Network) Partition(a, b []string) {}

// Heal ends all blocks.
func (n *Network) Heal() {}

// Cut breaks the connections between two hosts ("*" for any): both ends get an error at once.
func (n *Network) Cut(a, b string) {}

// Crash ends a host: its listeners and its ends of connections are gone. The other
// ends hear of it if the way to them is open.
func (n *Network) Crash(host string) {}
