package memnet

import (
	"context"
	"fmt"
	"net"
	"syscall"
	"time"
)

// backlog is how many connections wait to be accepted; further ones wait outside.
const backlog = 128

type listener struct {
	net     *Network
	address string
	waiting []*conn
	closed  bool
}

// Listen opens a host's listener; its address is "host:port". One that was closed
// may be opened again.
func (n *Network) Listen(address string) (net.Listener, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.listeners[address] != nil {
		return nil, &net.OpError{Op: "listen", Net: "memnet", Addr: addr(address), Err: syscall.EADDRINUSE}
	}
	l := &listener{net: n, address: address}
	n.listeners[address] = l
	n.changed.Broadcast()
	return l, nil
}

// Accept waits for the next connection.
func (l *listener) Accept() (net.Conn, error) {
	l.net.mu.Lock()
	defer l.net.mu.Unlock()
	for !l.closed && len(l.waiting) == 0 {
		l.net.changed.Wait()
	}
	if l.closed {
		return nil, &net.OpError{Op: "accept", Net: "memnet", Addr: addr(l.address), Err: net.ErrClosed}
	}
	c := l.waiting[0]
	l.waiting = l.waiting[1:]
	l.net.changed.Broadcast()
	return c, nil
}

// Close resets what was not accepted yet.
func (l *listener) Close() error {
	l.net.mu.Lock()
	defer l.net.mu.Unlock()
	l.shut()
	return nil
}

// shut is called under mu.
func (l *listener) shut() {
	if l.closed {
		return
	}
	l.closed = true
	delete(l.net.listeners, l.address)
	for _, c := range l.waiting {
		c.shut(syscall.ECONNRESET)
	}
	l.net.changed.Broadcast()
}

func (l *listener) Addr() net.Addr { return addr(l.address) }

// Dialer gives the host's way to connect to others: for mesh.Config.Dial. It takes
// one round trip, needs both ways, and fails when nobody listens there.
func (n *Network) Dialer(host string) func(ctx context.Context, address string) (net.Conn, error) {
	return func(ctx context.Context, address string) (net.Conn, error) {
		c, err := n.dial(ctx, host, address)
		if err != nil {
			return nil, &net.OpError{Op: "dial", Net: "memnet", Addr: addr(address), Err: err}
		}
		return c, nil
	}
}

func (n *Network) dial(ctx context.Context, host, address string) (net.Conn, error) {
	stop := context.AfterFunc(ctx, func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.changed.Broadcast()
	})
	defer stop()
	n.mu.Lock()
	defer n.mu.Unlock()
	there := hostOf(address)
	trip := n.link(host, there).Latency + n.link(there, host).Latency
	n.waitUntil(ctx, time.Now().Add(trip))
	for ctx.Err() == nil {
		l := n.listeners[address]
		switch {
		case n.isBlocked(host, there) || n.isBlocked(there, host) || l != nil && len(l.waiting) >= backlog:
			n.changed.Wait()
		case l == nil:
			return nil, syscall.ECONNREFUSED
		default:
			n.ports++
			near, far := n.pair(host, fmt.Sprintf("%s:%d", host, 40000+n.ports), there, address)
			l.waiting = append(l.waiting, far)
			n.changed.Broadcast()
			return near, nil
		}
	}
	return nil, ctx.Err()
}

// waitUntil is called under mu.
func (n *Network) waitUntil(ctx context.Context, at time.Time) {
	wait := time.Until(at)
	if wait <= 0 {
		return
	}
	timer := time.AfterFunc(wait, func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.changed.Broadcast()
	})
	defer timer.Stop()
	for ctx.Err() == nil && time.Now().Before(at) {
		n.changed.Wait()
	}
}
