package memnet

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// socketBytes is what one direction of a connection holds, under way and unread,
// before a writer must wait.
const socketBytes = 512 << 10

// pair makes both ends of a connection. It is called under mu.
func (n *Network) pair(host, address, there, thereAddress string) (near, far *conn) {
	to, from := newPipe(n, host, there), newPipe(n, there, host)
	near = &conn{net: n, host: host, peerHost: there, local: addr(address), remote: addr(thereAddress), in: from, out: to}
	far = &conn{net: n, host: there, peerHost: host, local: addr(thereAddress), remote: addr(address), in: to, out: from}
	n.conns[near], n.conns[far] = struct{}{}, struct{}{}
	return near, far
}

// conn is one end of a connection.
type conn struct {
	net             *Network
	host, peerHost  string
	local, remote   addr
	in, out         *pipe
	closed          bool
	closedBy        error // what the owner of this end gets: net.ErrClosed, or a crash
	readBy, writeBy deadline
}

// pipe is one direction. All fields are under net.mu.
type pipe struct {
	net        *Network
	from, to   string
	wake       *sync.Cond
	parts      []part
	held       int   // bytes in parts
	readerGone bool  // the reading end is closed
	err        error // both ends: the connection is broken
	last       time.Time
}

// part is a piece under way. One without bytes is the end.
type part struct {
	data []byte
	at   time.Time
	end  error // io.EOF, or a reset
}

func newPipe(n *Network, from, to string) *pipe {
	return &pipe{net: n, from: from, to: to, wake: sync.NewCond(&n.mu)}
}

// reset breaks the pipe for both ends. It is called under mu.
func (p *pipe) reset(err error) {
	p.err = err
	p.parts, p.held = nil, 0
	p.wake.Broadcast()
}

// push sends a piece on its way, behind those before it. It is called under mu.
func (p *pipe) push(data []byte, end error) {
	at := p.net.arrival(p.from, p.to, len(data))
	if at.Before(p.last) {
		at = p.last
	}
	p.last = at
	p.parts = append(p.parts, part{data, at, end})
	p.held += len(data)
	p.wake.Broadcast()
}

// Read waits for the first bytes to arrive.
func (c *conn) Read(b []byte) (int, error) {
	c.net.mu.Lock()
	defer c.net.mu.Unlock()
	p := c.in
	for {
		switch {
		case c.closed:
			return 0, c.fault("read", c.closedBy)
		case p.err != nil:
			return 0, c.fault("read", p.err)
		case c.readBy.passed():
			return 0, c.fault("read", os.ErrDeadlineExceeded)
		case len(b) == 0:
			return 0, nil
		}
		if len(p.parts) == 0 || p.net.isBlocked(p.from, p.to) {
			p.wake.Wait()
			continue
		}
		first := &p.parts[0]
		if wait := time.Until(first.at); wait > 0 {
			p.waitFor(wait)
			continue
		}
		if first.end == io.EOF {
			return 0, io.EOF
		} else if first.end != nil {
			return 0, c.fault("read", first.end)
		}
		return p.take(b), nil
	}
}

// take copies what has arrived into b. It is called under mu.
func (p *pipe) take(b []byte) (n int) {
	now := time.Now()
	for n < len(b) && len(p.parts) > 0 && p.parts[0].end == nil && !p.parts[0].at.After(now) {
		k := copy(b[n:], p.parts[0].data)
		n += k
		if p.parts[0].data = p.parts[0].data[k:]; len(p.parts[0].data) == 0 {
			p.parts = p.parts[1:]
		}
	}
	p.held -= n
	p.wake.Broadcast()
	return n
}

// waitFor waits for a change, or so long. It is called under mu.
func (p *pipe) waitFor(d time.Duration) {
	timer := time.AfterFunc(d, p.broadcast)
	p.wake.Wait()
	timer.Stop()
}

func (p *pipe) broadcast() {
	p.net.mu.Lock()
	defer p.net.mu.Unlock()
	p.wake.Broadcast()
}

// Write waits while too much is under way or unread.
func (c *conn) Write(b []byte) (n int, err error) {
	c.net.mu.Lock()
	defer c.net.mu.Unlock()
	p := c.out
	for {
		switch {
		case c.closed:
			return n, c.fault("write", c.closedBy)
		case p.err != nil:
			return n, c.fault("write", p.err)
		case c.writeBy.passed():
			return n, c.fault("write", os.ErrDeadlineExceeded)
		case p.readerGone && !p.net.isBlocked(p.from, p.to) && !p.net.isBlocked(p.to, p.from):
			return n, c.fault("write", syscall.EPIPE)
		case n == len(b):
			return n, nil
		case p.held >= socketBytes:
			p.wake.Wait()
		default:
			k := min(len(b)-n, socketBytes-p.held)
			p.push(append([]byte(nil), b[n:n+k]...), nil)
			n += k
		}
		if n == len(b) {
			return n, nil
		}
	}
}

// Close sends the end behind what was written.
func (c *conn) Close() error {
	c.net.mu.Lock()
	defer c.net.mu.Unlock()
	if c.closed {
		return c.fault("close", net.ErrClosed)
	}
	c.shut(net.ErrClosed)
	return nil
}

// shut ends this end: the other one gets the end of the stream, or a reset after a
// crash. It is called under mu.
func (c *conn) shut(by error) {
	if c.closed {
		return
	}
	c.closed, c.closedBy = true, by
	delete(c.net.conns, c)
	end := io.EOF
	if by != net.ErrClosed {
		end = by
	}
	c.out.push(nil, end)
	c.in.readerGone = true
	c.in.parts, c.in.held = nil, 0
	c.in.wake.Broadcast()
	c.readBy.stop()
	c.writeBy.stop()
}

func (c *conn) fault(op string, err error) error {
	return &net.OpError{Op: op, Net: "memnet", Source: c.local, Addr: c.remote, Err: err}
}

func (c *conn) LocalAddr() net.Addr  { return c.local }
func (c *conn) RemoteAddr() net.Addr { return c.remote }

// SetDeadline sets both deadlines.
func (c *conn) SetDeadline(t time.Time) error {
	_ = c.SetReadDeadline(t)
	return c.SetWriteDeadline(t)
}

// SetReadDeadline wakes a reader that waits already.
func (c *conn) SetReadDeadline(t time.Time) error { return c.set(&c.readBy, c.in, t) }

// SetWriteDeadline wakes a writer that waits already.
func (c *conn) SetWriteDeadline(t time.Time) error { return c.set(&c.writeBy, c.out, t) }

func (c *conn) set(d *deadline, p *pipe, t time.Time) error {
	c.net.mu.Lock()
	defer c.net.mu.Unlock()
	if c.closed {
		return c.fault("set", net.ErrClosed)
	}
	d.stop()
	d.at = t
	if !t.IsZero() {
		d.timer = time.AfterFunc(max(time.Until(t), 0), p.broadcast)
	}
	p.wake.Broadcast()
	return nil
}

// deadline is when an operation gives up.
type deadline struct {
	at    time.Time
	timer *time.Timer
}

func (d *deadline) passed() bool { return !d.at.IsZero() && !time.Now().Before(d.at) }

func (d *deadline) stop() {
	if d.timer != nil {
		d.timer.Stop()
	}
}
