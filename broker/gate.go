package broker

import (
	"sync"
	"sync/atomic"
)

// A gate is shut while there is no room: in a queue, on the node, or for more work
// of the log. A producer that finds it shut is remembered and told when it opens. A
// gate does not say how much room there is; whoever comes back looks again.
//
// Whoever closes a gate looks once more whether there is room, for what made room
// may have looked before it was closed.
type gate struct {
	shut    atomic.Bool
	mu      sync.Mutex
	waiting map[*producer]struct{}
}

// wait registers p if the gate is shut, and reports whether it is.
func (g *gate) wait(p *producer) bool {
	if !g.shut.Load() {
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.shut.Load() { // it opened meanwhile, and has told all it knew of
		return false
	}
	if g.waiting == nil {
		g.waiting = map[*producer]struct{}{}
	}
	g.waiting[p] = struct{}{}
	return true
}

// forget takes p off the list.
func (g *gate) forget(p *producer) {
	g.mu.Lock()
	delete(g.waiting, p)
	g.mu.Unlock()
}

// close reports whether it was this call that shut the gate.
func (g *gate) close() bool { return g.shut.CompareAndSwap(false, true) }

// open lets everybody in who waits.
func (g *gate) open() {
	if !g.shut.Load() {
		return
	}
	g.mu.Lock()
	g.shut.Store(false)
	waiting := g.waiting
	g.waiting = nil
	g.mu.Unlock()
	for p := range waiting {
		p.conn.post(func() { p.conn.schedule(p) })
	}
}
