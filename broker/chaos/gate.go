package main

import (
	"sync"
	"time"
)

// gate is one direction between two nodes. What comes while it is shut waits, as
// packets of TCP do that are sent again and again; what comes while it is slow
// arrives later.
type gate struct {
	mu     sync.Mutex
	opened chan struct{} // nil: open; else closed when it opens
	delay  time.Duration
}

func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.opened == nil {
		g.opened = make(chan struct{})
	}
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.opened != nil {
		close(g.opened)
		g.opened = nil
	}
}

func (g *gate) slow(delay time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.delay = delay
}

// due is when what comes now may go on, if the gate is open then.
func (g *gate) due() time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	return time.Now().Add(g.delay)
}

// await returns true when the gate is open; false when end is closed before.
func (g *gate) await(end <-chan struct{}) bool {
	for {
		g.mu.Lock()
		opened := g.opened
		g.mu.Unlock()
		if opened == nil {
			return true
		}
		select {
		case <-opened:
		case <-end:
			return false
		}
	}
}
