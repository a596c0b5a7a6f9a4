package broker

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// A connection that says nothing must cost next to nothing (an idle MQTT or AMQP
// device is the common case), so no buffer belongs to a connection: one is taken
// from the pool when the kernel has bytes for it, and goes back when they are
// handled.

// readBufferBytes is what one read may bring in. It holds the largest frame that we
// announce by default, so that a frame is seldom split over two reads.
const readBufferBytes = 64 << 10

var readBuffers = sync.Pool{New: func() any { b := make([]byte, readBufferBytes); return &b }}

// chunk is a filled read buffer on its way from the reader to the owner.
type chunk struct {
	buf *[]byte
	n   int
}

func (k chunk) bytes() []byte { return (*k.buf)[:k.n] }
func (k chunk) free()         { readBuffers.Put(k.buf) }

// socket reads and writes one network connection.
//
// Owner: read belongs to the reader goroutine, tryWrite and write to whoever holds
// the output (the owner, or the writer while an output is handed to it).
type socket struct {
	conn net.Conn
	raw  syscall.RawConn // nil where the connection is not a plain socket
}

func newSocket(c net.Conn) *socket {
	s := &socket{conn: c}
	if sc, ok := c.(syscall.Conn); ok {
		if raw, err := sc.SyscallConn(); err == nil {
			s.raw = raw
		}
	}
	return s
}

// read waits until bytes are there and returns them in a pooled buffer.
// It returns io.EOF when the peer has finished.
func (s *socket) read() (chunk, error) {
	if s.raw == nil {
		buf := readBuffers.Get().(*[]byte)
		n, err := s.conn.Read(*buf)
		if n == 0 && err != nil {
			readBuffers.Put(buf)
			return chunk{}, err
		}
		return chunk{buf, n}, nil
	}
	var (
		buf   *[]byte
		n     int
		fault error
	)
	err := s.raw.Read(func(fd uintptr) bool {
		buf = readBuffers.Get().(*[]byte)
		for {
			n, fault = syscall.Read(int(fd), *buf)
			if fault != syscall.EINTR {
				break
			}
		}
		if fault == syscall.EAGAIN {
			readBuffers.Put(buf)
			buf, fault = nil, nil
			return false // wait without a buffer
		}
		return true
	})
	if err == nil {
		err = fault
	}
	if err == nil && n == 0 {
		err = io.EOF
	}
	if err != nil {
		if buf != nil {
			readBuffers.Put(buf)
		}
		return chunk{}, err
	}
	return chunk{buf, n}, nil
}

// tryWrite writes what the kernel takes at once and returns how much that was. It
// never waits; a caller with bytes left hands them to the writer goroutine.
func (s *socket) tryWrite(p []byte) (int, error) {
	if s.raw == nil {
		return 0, nil
	}
	var (
		n     int
		fault error
	)
	err := s.raw.Write(func(fd uintptr) bool {
		for {
			n, fault = syscall.Write(int(fd), p)
			if fault != syscall.EINTR {
				return true
			}
		}
	})
	switch {
	case err != nil:
		return 0, err
	case fault == syscall.EAGAIN:
		return 0, nil
	case fault != nil:
		return 0, os.NewSyscallError("write", fault)
	}
	return n, nil
}

// write writes all of p, and gives up when the peer takes nothing for stall.
func (s *socket) write(p []byte, stall time.Duration) error {
	const step = 256 << 10 // progress is judged per step, so a slow peer is not a dead one
	for len(p) > 0 {
		part := p[:min(len(p), step)]
		if err := s.conn.SetWriteDeadline(time.Now().Add(stall)); err != nil {
			return err
		}
		n, err := s.conn.Write(part)
		p = p[n:]
		if err != nil && !(errors.Is(err, os.ErrDeadlineExceeded) && n > 0) {
			return err
		}
	}
	return s.conn.SetWriteDeadline(time.Time{}) // tryWrite is under no deadline
}

func (s *socket) close() { _ = s.conn.Close() }
