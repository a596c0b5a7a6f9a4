package mesh

import (
	"fmt"
	"maps"
	"sync/atomic"
	"time"
)

const (
	// politeness is how long the larger id waits before it dials, so that the smaller
	// one, whose connection would be kept, may have done it by then.
	politeness               = 25 * time.Millisecond
	firstPause, longestPause = 50 * time.Millisecond, 2 * time.Second
)

// peer is what the Mesh knows of another node. All fields but the counters are under
// Mesh.mu.
type peer struct {
	id      string
	address string
	session *session      // the newest, until its down; before its up it takes no messages
	last    *session      // the newest ever, whose end the next one awaits
	since   time.Time     // of the session, or of its end
	fault   error         // why there is none
	changed chan struct{} // closed at the next change of what dialling depends on
	running bool          // there is a dialler
	moved   bool          // the address has changed since the last attempt
	calling bool          // our own dial is connected and shakes hands
	called  int           // accepted handshakes that wait for the peer's ready

	bytesIn, bytesOut atomic.Uint64
}

// peer finds or makes a peer. It is called under mu.
func (m *Mesh) peer(id string) *peer {
	p := m.peers[id]
	if p == nil {
		p = &peer{id: id, changed: make(chan struct{})}
		m.peers[id] = p
	}
	return p
}

// forget removes a peer of which there is nothing to know. It is called under mu.
func (m *Mesh) forget(p *peer) {
	if p.address == "" && p.session == nil && !p.running && p.called == 0 {
		delete(m.peers, p.id)
	}
}

// wake lets everyone look again who waits for the peer. It is called under mu.
func (p *peer) wake() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// status is called under mu.
func (p *peer) status() PeerStatus {
	st := PeerStatus{ID: p.id, Address: p.address, Since: p.since, BytesIn: p.bytesIn.Load(), BytesOut: p.bytesOut.Load()}
	if p.fault != nil {
		st.LastError = p.fault.Error()
	}
	if s := p.session; s != nil && s.up {
		st.Connected, st.LastError = true, ""
		st.Session, st.Incarnation = s.id.Session, s.id.Incarnation
		st.RTT = time.Duration(s.rtt.Load())
		s.out.mu.Lock()
		st.Queued = s.out.bytes
		s.out.mu.Unlock()
	}
	return st
}

// install makes a connection that has shaken hands the peer's session. One that
// exists is ended: a peer says ready only if it has none.
func (m *Mesh) install(p *peer, l link) error {
	s := newSession(m, p, l)
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		s.cancel()
		return ErrClosed
	}
	m.sessions++
	s.id.Session = m.sessions
	before := p.last
	s.before, p.last, p.session = before, s, s
	p.wake()
	m.threads.Add(1) // so does the caller's goroutine, so Close waits still
	m.mu.Unlock()
	if before != nil {
		before.fail(errReplaced) // does nothing if that one is over
	}
	go func() {
		defer m.threads.Done()
		s.run()
	}()
	return nil
}

// up lets messages go out, and tells the watchers.
func (m *Mesh) up(s *session) {
	m.mu.Lock()
	s.up = true
	s.peer.since, s.peer.fault = time.Now(), nil
	m.setRoute(s.id.ID, s)
	m.mu.Unlock()
	m.cfg.Logger.Info("connected to a node", "peer", s.id.ID, "incarnation", s.id.Incarnation, "session", s.id.Session, "dialled", s.dialled)
	for _, f := range m.watchers {
		f(s.id, true)
	}
}

// down takes the session back, and tells the watchers.
func (m *Mesh) down(s *session) {
	p, why := s.peer, s.reason()
	m.mu.Lock()
	m.setRoute(s.id.ID, nil)
	p.since, p.fault = time.Now(), why
	if p.session == s {
		p.session = nil
		p.wake()
	}
	if p.last == s {
		p.last = nil
	}
	m.forget(p)
	m.mu.Unlock()
	m.cfg.Logger.Info("connection to a node ended", "peer", s.id.ID, "session", s.id.Session, "reason", why)
	for _, f := range m.watchers {
		f(s.id, false)
	}
}

// setRoute is called under mu.
func (m *Mesh) setRoute(id string, s *session) {
	routes := maps.Clone(*m.routes.Load())
	if s == nil {
		delete(routes, id)
	} else {
		routes[id] = s
	}
	m.routes.Store(&routes)
}

// dialOut starts the peer's dialler if there is need for one. It is called under mu.
func (m *Mesh) dialOut(p *peer) {
	if p.running || p.address == "" || !m.started || m.closed {
		return
	}
	p.running = true
	m.threads.Add(1)
	go m.dialler(p)
}

// dialler dials the peer whenever there is no connection, until its address is forgotten.
func (m *Mesh) dialler(p *peer) {
	defer m.threads.Done()
	first := time.Duration(0)
	if m.cfg.Node > p.id {
		first = politeness
	}
	for pause := first; ; pause = min(max(2*pause, firstPause), longestPause) {
		address, ok := m.untilAlone(p, &pause, first)
		if !ok {
			return
		}
		if err := m.dial(p, address); err != nil {
			m.failed(p, address, err)
		}
	}
}

// untilAlone waits until there is no connection, neither made nor in the making, and
// has not been for the pause. A new address, or a connection that lasted, begin anew
// with the first pause.
func (m *Mesh) untilAlone(p *peer, pause *time.Duration, first time.Duration) (address string, ok bool) {
	var due, began time.Time
	for {
		m.mu.Lock()
		now := time.Now()
		switch {
		case m.closed || p.address == "":
			p.running = false
			m.forget(p)
			m.mu.Unlock()
			return "", false
		case p.session != nil:
			due, began = time.Time{}, p.session.began
		case p.called > 0:
			due = time.Time{}
		case p.moved:
			p.moved = false
			*pause, due = first, now.Add(first)
		case due.IsZero():
			if !began.IsZero() && now.Sub(began) > longestPause {
				*pause = first
			}
			due = now.Add(m.jitter(*pause))
		}
		address, changed := p.address, p.changed
		m.mu.Unlock()
		if due.IsZero() {
			select {
			case <-changed:
			case <-m.ctx.Done():
			}
			continue
		}
		if !now.Before(due) {
			return address, true
		}
		timer := time.NewTimer(due.Sub(now))
		select {
		case <-changed:
		case <-m.ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
	}
}

// jitter keeps nodes that started together from dialling together. It is called under mu.
func (m *Mesh) jitter(d time.Duration) time.Duration {
	if d < firstPause {
		return d
	}
	return d*3/4 + time.Duration(m.random.Int64N(int64(d/2)))
}

// failed notes why a dial failed, and logs it when the reason is new.
func (m *Mesh) failed(p *peer, address string, err error) {
	m.mu.Lock()
	news := m.ctx.Err() == nil && p.session == nil && (p.fault == nil || p.fault.Error() != err.Error())
	if p.session == nil {
		p.fault = err
	}
	m.mu.Unlock()
	if news {
		m.cfg.Logger.Warn("can't connect to a node", "peer", p.id, "address", address, "error", fmt.Sprint(err))
	}
}
