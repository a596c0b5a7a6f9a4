package main

import (
	"fmt"
	"net"
	"sync"
	"time"

	"entrepot/broker/brokerproc"
)

// proxies is a network on one loopback: every node is reached by the others at a
// listener here, which passes bytes on to where the node really listens.
//
//	n1 --dial--> [listener of n2] -- gate n1>n2 --> n2
//	   <------------------------------ gate n2>n1 --
//
// A gate that is shut holds bytes and ends of connections back, in its direction
// only, and lets no new connection through: neither side is told, as when packets
// are dropped. It works wherever there is a loopback; who dialled is asked of the
// kernel (socketOwner).
type proxies struct {
	// whose names the node that has a local TCP port; "" if none has.
	whose func(port int) string
	end   chan struct{} // closed by close

	mu        sync.Mutex
	gates     map[direction]*gate
	listeners map[string]net.Listener
	carried   map[*carried]struct{}
	workers   sync.WaitGroup
}

// carried is a connection from one node to another, both of its halves.
type carried struct {
	direction
	in, out net.Conn
	once    sync.Once
}

func (c *carried) close() {
	c.once.Do(func() { c.in.Close(); c.out.Close() })
}

func newProxies(whose func(port int) string) *proxies {
	return &proxies{
		whose: whose, end: make(chan struct{}),
		gates:     map[direction]*gate{},
		listeners: map[string]net.Listener{},
		carried:   map[*carried]struct{}{},
	}
}

// place has the others reach a node by way of the network.
func (n *proxies) place(m *brokerproc.Member) (err error) {
	real := m.Cluster
	if m.Cluster, err = n.publish(m.ID, real); err != nil {
		return err
	}
	// The last of two flags counts: it listens there and is known as here.
	m.Flags = append(m.Flags, "--cluster-listen", real, "--cluster-advertise", m.Cluster)
	return nil
}

func (n *proxies) cannot(string) string { return "" }

func (n *proxies) cut(d direction) error {
	n.gate(d).shut()
	return nil
}

func (n *proxies) slow(d direction, delay time.Duration) error {
	n.gate(d).slow(delay)
	return nil
}

// publish gives a node an address that stands for its real one.
func (n *proxies) publish(node, real string) (address string, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("publish %s: %w", node, err)
	}
	n.mu.Lock()
	n.listeners[node] = l
	n.mu.Unlock()
	n.workers.Go(func() { n.accept(l, node, real) })
	return l.Addr().String(), nil
}

// gate finds or makes the gate of a direction.
func (n *proxies) gate(d direction) *gate {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.gates[d] == nil {
		n.gates[d] = &gate{}
	}
	return n.gates[d]
}

// reset ends all connections between two nodes with an error at once.
func (n *proxies) reset(a, b string) {
	n.mu.Lock()
	var hit []*carried
	for c := range n.carried {
		if c.direction == (direction{a, b}) || c.direction == (direction{b, a}) {
			hit = append(hit, c)
		}
	}
	n.mu.Unlock()
	for _, c := range hit {
		c.close()
	}
}

// heal opens all gates.
func (n *proxies) heal() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, g := range n.gates {
		g.slow(0)
		g.open()
	}
	return nil
}

func (n *proxies) close() error {
	close(n.end)
	n.mu.Lock()
	for _, l := range n.listeners {
		l.Close()
	}
	for c := range n.carried {
		c.close()
	}
	n.mu.Unlock()
	n.workers.Wait()
	return nil
}

func (n *proxies) accept(l net.Listener, to, real string) {
	for {
		in, err := l.Accept()
		if err != nil {
			return // closed
		}
		n.workers.Go(func() { n.carry(in, to, real) })
	}
}

// carry serves one connection until it ends.
func (n *proxies) carry(in net.Conn, to, real string) {
	defer in.Close()
	from := n.whose(in.RemoteAddr().(*net.TCPAddr).Port)
	if from == "" {
		return // who dialled is gone already
	}
	d := direction{from, to}
	there, back := n.gate(d), n.gate(direction{to, from})
	if !there.await(n.end) || !back.await(n.end) {
		return // a handshake needs both directions
	}
	out, err := net.Dial("tcp", real)
	if err != nil {
		return
	}
	c := &carried{direction: d, in: in, out: out}
	defer c.close()
	if !n.note(c) {
		return
	}
	var flows sync.WaitGroup
	flows.Go(func() { n.flow(there, out, in, c) })
	flows.Go(func() { n.flow(back, in, out, c) })
	flows.Wait()
	n.mu.Lock()
	delete(n.carried, c)
	n.mu.Unlock()
}

// note keeps a connection for reset and close; false: the network is closed.
func (n *proxies) note(c *carried) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	select {
	case <-n.end:
		return false
	default:
		n.carried[c] = struct{}{}
		return true
	}
}

// Limits of what one direction of a connection holds while its gate is shut: after
// that the sender's window closes, as on a real wire.
const (
	chunkBytes = 64 << 10
	chunks     = 64
)

// chunk is what was read at once; without data it is the end of the connection.
type chunk struct {
	data []byte
	due  time.Time
}

// flow passes bytes and the end on, in one direction, at the gate's pace.
func (n *proxies) flow(g *gate, to, from net.Conn, c *carried) {
	wire := make(chan chunk, chunks)
	over := make(chan struct{}) // the writing half has ended
	n.workers.Go(func() {
		defer close(wire)
		for {
			data := make([]byte, chunkBytes)
			k, err := from.Read(data)
			if k > 0 {
				select {
				case wire <- chunk{data[:k], g.due()}:
				case <-over:
					return
				}
			}
			if err != nil {
				return
			}
		}
	})
	defer close(over)
	defer c.close() // the end of one direction is the end of both, and wakes the reader
	for next := range wire {
		if !n.pause(next.due) || !g.await(n.end) {
			return
		}
		if _, err := to.Write(next.data); err != nil {
			return
		}
	}
	g.await(n.end)
}

// pause waits until a time; false if the network ends before.
func (n *proxies) pause(until time.Time) bool {
	wait := time.Until(until)
	if wait <= 0 {
		return true
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-n.end:
		return false
	}
}
