package mesh

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"time"
)

// accept takes connections until the listener is closed.
func (m *Mesh) accept() {
	defer m.threads.Done()
	pause := time.Duration(0)
	for {
		conn, err := m.cfg.Listener.Accept()
		switch {
		case m.ctx.Err() != nil || errors.Is(err, net.ErrClosed):
			if err == nil {
				_ = conn.Close()
			}
			return
		case err != nil: // too many files, most likely: it may get better
			pause = min(max(2*pause, 10*time.Millisecond), time.Second)
			m.cfg.Logger.Warn("can't accept connections of nodes", "error", err)
			m.sleep(pause)
			continue
		}
		pause = 0
		if !m.begin(conn) {
			_ = conn.Close()
		}
	}
}

func (m *Mesh) sleep(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-m.ctx.Done():
	}
}

// begin starts the handshake of an accepted connection, unless there are too many.
func (m *Mesh) begin(conn net.Conn) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed || len(m.shaking) >= mostShaking {
		return false
	}
	m.shaking[conn] = struct{}{}
	m.threads.Add(1)
	go func() {
		defer m.threads.Done()
		err := m.welcome(conn)
		m.mu.Lock()
		delete(m.shaking, conn)
		m.mu.Unlock()
		if err == nil {
			return
		}
		_ = conn.Close()
		if m.ctx.Err() == nil && !errors.Is(err, errDuplicate) {
			m.turnedAway(conn.RemoteAddr(), err)
		}
	}()
	return true
}

// turnedAway logs a connection that came to nothing: once a minute if it is always
// for the same reason, as a node that is refused tries again and again. One that is
// closed without a word is a probe.
func (m *Mesh) turnedAway(remote net.Addr, err error) {
	m.mu.Lock()
	last, now := m.lastAway, time.Now()
	again := last.reason == err.Error() && now.Sub(last.at) < time.Minute
	if !again {
		m.lastAway.reason, m.lastAway.at = err.Error(), now
	}
	m.mu.Unlock()
	level := slog.LevelWarn
	if again || err == io.EOF {
		level = slog.LevelDebug
	}
	m.cfg.Logger.Log(m.ctx, level, "a connection is no node's, or not wanted", "remote", remote.String(), "error", err)
}

// welcome is the accepting side of the handshake.
func (m *Mesh) welcome(conn net.Conn) error {
	ctx, cancel := context.WithTimeout(m.ctx, m.cfg.DeadAfter)
	defer cancel()
	if err := conn.SetDeadline(time.Now().Add(m.cfg.DeadAfter)); err != nil {
		return err
	}
	l := link{conn: conn}
	var secured *tls.Conn
	if m.serverTLS != nil {
		secured, l.cork = secure(conn, m.serverTLS, false)
		l.conn = secured
	}
	h, err := readPreamble(l.conn)
	if errors.Is(err, errVersion) {
		_ = m.say(l.conn, preamble{word: wordRefusal, hello: []byte(err.Error())})
	}
	if err != nil {
		return err
	}
	if h.word != wordHello {
		return fmt.Errorf("%w: word %d", errProtocol, h.word)
	}
	l.incarnation = h.incarnation
	if err := m.examine(h, "", secured, conn.RemoteAddr()); err != nil {
		_ = m.say(l.conn, preamble{word: wordRefusal, hello: []byte(err.Error())})
		return fmt.Errorf("node %q: %w", h.node, err)
	}
	p, wanted := m.called(ctx, h.node)
	if !wanted {
		_ = m.say(l.conn, preamble{word: wordDuplicate})
		return errDuplicate
	}
	err = m.untilReady(l, h.node)
	if err == nil {
		err = conn.SetDeadline(time.Time{})
	}
	if err == nil {
		err = m.install(p, l)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	p.called--
	p.wake()
	m.forget(p)
	return err
}

func (m *Mesh) untilReady(l link, node string) error {
	if err := m.say(l.conn, preamble{word: wordWelcome, wanted: node}); err != nil {
		return err
	}
	r, err := readPreamble(l.conn)
	if err != nil {
		return err
	}
	return m.unwilling(r, node, wordReady)
}

// called notes that the peer shakes hands with us, unless our own dial, which is the
// one to be kept, is so far too and succeeds.
func (m *Mesh) called(ctx context.Context, id string) (p *peer, wanted bool) {
	m.mu.Lock()
	p = m.peer(id)
	p.called++
	wait := p.calling && m.cfg.Node < id
	m.mu.Unlock()
	if !wait {
		return p, true
	}
	m.await(p, ctx, func() bool { return !p.calling })
	m.mu.Lock()
	defer m.mu.Unlock()
	if p.session == nil {
		return p, true
	}
	p.called--
	p.wake()
	m.forget(p)
	return p, false
}
