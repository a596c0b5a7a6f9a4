package mesh

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// session is one connection after its handshake. It has three goroutines: a reader,
// which also tells Watch and hands messages over, a writer and a pinger.
type session struct {
	mesh    *Mesh
	peer    *peer
	id      Peer
	dialled bool // by us
	began   time.Time
	before  *session // of the same peer; its end is awaited. nil once that is so
	up      bool     // under mesh.mu: messages go out

	socket  *socket
	reader  *frameReader
	out     outbox
	rest    []segment     // owned by who writes: the batch; after a tryWrite, what it left
	wake    chan struct{} // to the writer, which then holds out.writing
	ctx     context.Context
	cancel  context.CancelFunc // ends pinger, writer, handlers
	done    chan struct{}      // closed behind Watch's down
	threads sync.WaitGroup     // writer and pinger

	heard    atomic.Uint64 // bytes read
	answered atomic.Int64  // when the last ping that was answered went out, in nanoseconds since began
	rtt      atomic.Int64  // of that ping, in nanoseconds

	mu      sync.Mutex
	err     error               // why it ended; nil: it has not
	nextID  uint64              // of our calls and streams
	asked   map[uint64]*request // ours
	serving map[uint64]*served  // the peer's
}

func newSession(m *Mesh, p *peer, l link) *session {
	s := &session{
		mesh: m, peer: p, dialled: l.dialled, began: time.Now(),
		socket: newSocket(l.conn, l.cork), reader: newFrameReader(l.conn),
		wake: make(chan struct{}, 1), done: make(chan struct{}),
		asked: map[uint64]*request{}, serving: map[uint64]*served{},
	}
	s.id = Peer{ID: p.id, Incarnation: l.incarnation}
	s.ctx, s.cancel = context.WithCancel(m.ctx)
	s.reader.received = func(n int) {
		s.heard.Add(uint64(n))
		p.bytesIn.Add(uint64(n))
	}
	return s
}

// run is the reader: it lives as long as the session.
func (s *session) run() {
	if s.before != nil {
		<-s.before.done
		s.before = nil
	}
	s.threads.Add(2)
	go s.write()
	go s.ping()
	s.mesh.up(s)
	err := s.read()
	s.fail(err)
	s.threads.Wait()
	s.mesh.down(s)
	close(s.done)
}

// fail ends the session. Only the first reason counts.
func (s *session) fail(err error) {
	s.mu.Lock()
	if s.err != nil {
		s.mu.Unlock()
		return
	}
	s.err = err
	asked, serving := s.asked, s.serving
	s.asked, s.serving = nil, nil
	s.mu.Unlock()

	s.cancel()
	_ = s.socket.Close()
	s.out.mu.Lock()
	s.out.drop()
	s.out.mu.Unlock()
	lost := fmt.Errorf("%w: %w", ErrLost, err)
	for _, r := range asked {
		r.answer <- answer{err: lost}
	}
	for _, v := range serving {
		v.abort(lost)
	}
}

// reason is why the session ended.
func (s *session) reason() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

var errProtocol = errors.New("the peer breaks the protocol")

// read hands over what comes until the connection ends.
func (s *session) read() error {
	for {
		m, err := s.reader.next()
		if err != nil {
			return err
		}
		if m.kind == kindMessage {
			if f := s.mesh.handlers[m.channel]; f != nil {
				f(s.id, m.data)
			}
			continue
		}
		if err := s.control(m); err != nil {
			return err
		}
	}
}

// send queues a message. Messages and calls obey the limit; everything else is an
// answer to something, and bounded with it.
func (s *session) send(h header, parts [][]byte) error {
	for _, p := range parts {
		h.total += len(p)
		if h.total > MaxMessage { // in the loop: a sum may overflow
			return ErrTooBig
		}
	}
	var few [8]uint32
	checks := checksOf(few[:0], h.class, parts)
	o := &s.out
	o.mu.Lock()
	switch {
	case o.failed:
		o.mu.Unlock()
		return ErrNotConnected
	case o.full(h):
		o.mu.Unlock()
		return ErrCongested
	}
	o.push(h, checks, parts)
	s.goOut()
	return nil
}

// directBytes is what a sender writes itself; more is the writer's work.
const directBytes = 16 << 10

// goOut sees to it that what was queued is written: by whoever writes already, by the
// caller itself if that needs no waiting and the line was quiet, else by the writer.
// It is called under out.mu and releases it.
func (s *session) goOut() {
	o := &s.out
	if o.writing {
		o.mu.Unlock()
		return
	}
	o.writing = true
	if s.socket.raw == nil || o.bytes > directBytes || time.Since(o.wrote) < quietFor {
		o.mu.Unlock()
		s.wake <- struct{}{}
		return
	}
	s.rest = o.take(s.rest[:0])
	if len(s.rest) != 1 {
		o.mu.Unlock()
		s.wake <- struct{}{}
		return
	}
	o.mu.Unlock()
	n, err := s.socket.tryWrite(s.rest[0].b)
	s.peer.bytesOut.Add(uint64(n))
	if err != nil {
		s.fail(err)
	}
	left := s.socket.left()
	o.mu.Lock()
	o.wrote = time.Now()
	if s.rest[0].b = s.rest[0].b[n:]; len(s.rest[0].b) == 0 {
		o.written(s.rest)
		s.rest = s.rest[:0]
	}
	more := left || len(s.rest) > 0 || o.bytes > 0
	o.writing = more
	o.mu.Unlock()
	if more {
		s.wake <- struct{}{}
	}
}

// write is the writer: it sleeps until out.writing is handed to it.
func (s *session) write() {
	defer s.threads.Done()
	for {
		select {
		case <-s.wake:
		case <-s.ctx.Done():
			return
		}
		runtime.Gosched() // whoever is about to send comes along
		if err := s.writeAll(); err != nil {
			s.fail(err)
			return
		}
	}
}

// writeAll writes until nothing is queued, and gives out.writing back.
func (s *session) writeAll() error {
	o := &s.out
	if s.socket.left() {
		if err := s.socket.flush(); err != nil {
			return err
		}
	}
	for {
		o.mu.Lock()
		if len(s.rest) == 0 {
			s.rest = o.take(s.rest)
		}
		if len(s.rest) == 0 {
			o.writing, o.wrote = false, time.Now()
			o.mu.Unlock()
			return nil
		}
		o.mu.Unlock()
		size := 0
		for i := range s.rest {
			size += len(s.rest[i].b)
		}
		if err := s.socket.write(s.rest); err != nil {
			return err
		}
		s.peer.bytesOut.Add(uint64(size))
		o.mu.Lock()
		o.written(s.rest)
		s.rest = s.rest[:0]
		o.mu.Unlock()
	}
}

// link is a connection that has shaken hands.
type link struct {
	conn        net.Conn
	cork        *corked // under TLS
	dialled     bool    // by us
	incarnation uint64
}
