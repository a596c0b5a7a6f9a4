package mesh

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// mostShaking bounds the accepted connections in the handshake.
const mostShaking = 64

// Both sides dial, so two connections may come about at once. The dialler decides: it
// says ready only if it has no other connection by then, and whoever hears ready
// gives up what it had. When both are in the handshake, the one that the smaller id
// dialled is kept: its acceptor answers at once; the acceptor of the other one
// waits for how its own dial ends, and answers duplicate if that has succeeded. (If
// it has answered already, its own dial waits.)
//
//	smaller                      larger
//	   │── hello ───────┐ ┌─────── hello ──│
//	   │ own dial: wait ◄─┼─┘  └► answer   │
//	   │◄──────────────── welcome ─────────│
//	   │── ready ─────────────────────────►│ up
//	up │── duplicate ─────────────────────►│

// dial makes one connection to the peer and, if it is to be, its session. Without an
// error there is a session, by this connection or another one.
func (m *Mesh) dial(p *peer, address string) error {
	ctx, cancel := context.WithTimeout(m.ctx, m.cfg.DeadAfter)
	defer cancel()
	conn, err := m.cfg.Dial(ctx, address)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(m.ctx, func() { _ = conn.Close() })
	defer stop()
	l := link{}
	if err = errDuplicate; m.beginCalling(ctx, p) {
		if l, err = m.greet(ctx, p, conn); err == nil {
			err = m.install(p, l)
		}
		m.endCalling(p)
	}
	if err != nil {
		_ = conn.Close()
	}
	if errors.Is(err, errDuplicate) {
		return nil
	}
	return err
}

// beginCalling says whether our dial may go on. At the smaller id the two handshakes
// exclude each other; the larger one's may overlap, as its acceptor may wait for ours.
func (m *Mesh) beginCalling(ctx context.Context, p *peer) bool {
	return m.await(p, ctx, func() bool {
		if p.called > 0 && m.cfg.Node < p.id {
			return false
		}
		p.calling = p.session == nil
		return true
	}) && p.calling // which is ours alone to change
}

func (m *Mesh) endCalling(p *peer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p.calling = false
	p.wake()
}

// await waits until the condition, which is asked under mu, holds or ctx ends.
func (m *Mesh) await(p *peer, ctx context.Context, holds func() bool) bool {
	for {
		m.mu.Lock()
		ok, changed := holds(), p.changed
		m.mu.Unlock()
		if ok || ctx.Err() != nil {
			return ok
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

// greet is the dialling side of the handshake.
func (m *Mesh) greet(ctx context.Context, p *peer, conn net.Conn) (link, error) {
	l := link{conn: conn, dialled: true}
	if err := conn.SetDeadline(time.Now().Add(m.cfg.DeadAfter)); err != nil {
		return l, err
	}
	var secured *tls.Conn
	if m.clientTLS != nil {
		secured, l.cork = secure(conn, m.clientTLS, true)
		l.conn = secured
	}
	if err := m.say(l.conn, preamble{word: wordHello, wanted: p.id}); err != nil {
		return l, err
	}
	w, err := readPreamble(l.conn)
	if err != nil {
		return l, err
	}
	if err := m.unwilling(w, p.id, wordWelcome); err != nil {
		return l, err
	}
	l.incarnation = w.incarnation
	if err := m.examine(w, p.id, secured, conn.RemoteAddr()); err != nil {
		_ = m.say(l.conn, preamble{word: wordRefusal, hello: []byte(err.Error())})
		return l, err
	}
	if m.better(ctx, p) {
		_ = m.say(l.conn, preamble{word: wordDuplicate})
		return l, errDuplicate
	}
	if err := m.say(l.conn, preamble{word: wordReady}); err != nil {
		return l, err
	}
	return l, conn.SetDeadline(time.Time{})
}

// better says whether the dialler has another connection now. The larger id first
// lets the smaller one's, which it has welcomed, become ready.
func (m *Mesh) better(ctx context.Context, p *peer) bool {
	if m.cfg.Node > p.id {
		ctx, cancel := context.WithTimeout(ctx, m.cfg.PingEvery)
		defer cancel()
		m.await(p, ctx, func() bool { return p.called == 0 })
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return p.session != nil
}

// say writes one record.
func (m *Mesh) say(w io.Writer, p preamble) error {
	p.node = m.cfg.Node
	if p.word == wordHello || p.word == wordWelcome {
		p.incarnation = m.cfg.Incarnation
		if m.cfg.Hello != nil {
			p.hello = m.cfg.Hello()
		}
		if len(p.hello) > mostHello {
			return fmt.Errorf("mesh: Config.Hello gives %d bytes, at most %d", len(p.hello), mostHello)
		}
	}
	p.hello = p.hello[:min(len(p.hello), mostHello)] // a refusal's text may be cut
	_, err := w.Write(p.append(nil))
	return err
}

// unwilling is the error of a record that is not the one awaited.
func (m *Mesh) unwilling(p preamble, dialled string, awaited word) error {
	switch p.word {
	case awaited:
		return nil
	case wordDuplicate:
		return errDuplicate
	case wordRefusal:
		if m.cfg.Refused != nil {
			m.cfg.Refused(dialled, string(p.hello))
		}
		return &refusal{p.node, string(p.hello)}
	}
	return fmt.Errorf("%w: word %d", errProtocol, p.word)
}

// examine decides whether we want the peer that has introduced itself. id is whom we
// expect; "": anyone.
func (m *Mesh) examine(p preamble, id string, secured *tls.Conn, remote net.Addr) error {
	switch {
	case p.node == "" || p.node == m.cfg.Node:
		return fmt.Errorf("node id %q: that is who we are", p.node)
	case id != "" && p.node != id:
		return fmt.Errorf("this is node %q, not %q", p.node, id)
	case p.wanted != "" && p.wanted != m.cfg.Node:
		return fmt.Errorf("this is node %q, not %q", m.cfg.Node, p.wanted)
	}
	if secured != nil {
		if err := namedBy(secured.ConnectionState(), p.node); err != nil {
			return err
		}
	}
	if m.cfg.Admit != nil {
		return m.cfg.Admit(p.node, p.incarnation, p.hello, remote)
	}
	return nil
}
