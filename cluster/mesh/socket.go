package mesh

import (
	"bytes"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"syscall"
)

// socket writes batches to one connection.
//
// Owner of write and tryWrite: whoever holds outbox.writing.
type socket struct {
	net.Conn
	raw  syscall.RawConn // nil: not a TCP socket, no tryWrite
	cork *corked         // under TLS; else nil
	vec  net.Buffers
	try  struct { // tryWrite's, so that it need not allocate
		attempt func(fd uintptr) bool
		b       []byte
		n       int
		err     error
	}
}

func newSocket(c net.Conn, cork *corked) *socket {
	s := &socket{Conn: c, cork: cork}
	if cork != nil {
		c = cork.Conn
	}
	if tcp, is := c.(*net.TCPConn); is {
		if raw, err := tcp.SyscallConn(); err == nil {
			s.raw, s.try.attempt = raw, s.attempt
			limitUnsent(raw)
		}
	}
	return s
}

// Close closes the connection at once: TLS would say goodbye first, and wait for a
// peer that takes nothing.
func (s *socket) Close() error {
	if s.cork != nil {
		return s.cork.Conn.Close()
	}
	return s.Conn.Close()
}

// tryWrite writes what the kernel takes at once of b, and never waits. Under TLS all of
// b is taken; what the kernel has not taken is left: see left.
func (s *socket) tryWrite(b []byte) (n int, err error) {
	if s.cork == nil {
		return s.tryRaw(b)
	}
	s.cork.hold()
	if _, err := s.Conn.Write(b); err != nil {
		return 0, err
	}
	return len(b), s.cork.tryFlush(s.tryRaw)
}

// left says that tryWrite has left encrypted bytes for flush or the next write.
func (s *socket) left() bool { return s.cork != nil && s.cork.left() }

func (s *socket) flush() error { return s.cork.flush() }

func (s *socket) tryRaw(b []byte) (n int, err error) {
	s.try.b, s.try.n, s.try.err = b, 0, nil
	if err := s.raw.Write(s.try.attempt); err != nil {
		return 0, err
	}
	s.try.b = nil
	return s.try.n, s.try.err
}

func (s *socket) attempt(fd uintptr) bool {
	for {
		n, err := syscall.Write(int(fd), s.try.b)
		switch err {
		case syscall.EINTR:
			continue
		case nil:
			s.try.n = n
		case syscall.EAGAIN: // nothing, for now
		default:
			s.try.err = err
		}
		return true
	}
}

// write writes a batch: one system call for a plain socket, one for each 256 KiB
// under TLS.
func (s *socket) write(batch []segment) error {
	if s.cork != nil {
		s.cork.hold()
		for i := range batch {
			if _, err := s.Conn.Write(batch[i].b); err != nil {
				return err
			}
		}
		return s.cork.flush()
	}
	s.vec = s.vec[:0]
	for i := range batch {
		s.vec = append(s.vec, batch[i].b)
	}
	vec := s.vec // WriteTo consumes its receiver
	_, err := vec.WriteTo(s.Conn)
	clear(s.vec)
	return err
}

// corked lies between TLS and the socket: it gathers the records of a batch, which
// TLS would write one by one.
type corked struct {
	net.Conn
	mu      sync.Mutex // the reader writes too, when TLS itself has something to say
	held    bytes.Buffer
	holding bool
}

const corkBytes = 256 << 10

func (c *corked) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.holding {
		return c.Conn.Write(b)
	}
	c.held.Write(b)
	if c.held.Len() < corkBytes {
		return len(b), nil
	}
	return len(b), c.out()
}

// hold gathers from here to flush.
func (c *corked) hold() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.holding = true
}

func (c *corked) flush() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.holding = false
	return c.out()
}

// tryFlush is flush with a write that need not take everything.
func (c *corked) tryFlush(write func(b []byte) (int, error)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, err := write(c.held.Bytes())
	c.held.Next(n)
	c.holding = c.held.Len() > 0 // what TLS itself has to say must not pass it
	return err
}

func (c *corked) left() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.held.Len() > 0
}

func (c *corked) out() error {
	_, err := c.Conn.Write(c.held.Bytes())
	c.held.Reset()
	if c.held.Cap() > 2*corkBytes {
		c.held = bytes.Buffer{}
	}
	return err
}

// secure puts TLS over a connection.
func secure(c net.Conn, cfg *tls.Config, dialled bool) (*tls.Conn, *corked) {
	cork := &corked{Conn: c}
	if dialled {
		return tls.Client(cork, cfg), cork
	}
	return tls.Server(cork, cfg), cork
}

var errNoRoots = errors.New("mesh: TLS without RootCAs: any certificate would do")
