package cluster

import (
	"context"
	"slices"
)

// This file is about records that can't go their way, because the group stops.

// close refuses what comes from now on with ErrStopped. What was gathered is told by
// abandon.
func (b *Batcher) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.role = stopped
}

// abandon is called when Raft has ended and nobody tells us of anything any more: it
// tells everything that is left. What was never handed over was certainly not
// applied. Of the rest nothing can be known.
func (b *Batcher) abandon() {
	b.mu.Lock()
	b.role = stopped
	b.route = route{}
	b.rewind()
	var left []*Pack
	for _, p := range slices.Clone(b.line) {
		if !p.claimed {
			b.claim(p)
			left = append(left, p)
		}
	}
	b.mu.Unlock()
	for _, p := range left {
		err := ErrStopped
		if p.handed {
			err = ErrUnknownOutcome
		}
		b.tell(p, nil, err)
	}
	b.refuse()
}

// refuseLater sees to it that records which will not be sent are told so, by another
// goroutine: the caller is in the middle of its own work and may hold what Done
// needs. REQUIRES: b.mu; the role is not gathering.
func (b *Batcher) refuseLater() {
	if b.refusing || b.open.Builder.Len() == 0 {
		return
	}
	b.refusing = true
	go func() {
		b.refuse()
		b.mu.Lock()
		b.refusing = false
		b.refuseLater() // for what came in between
		b.mu.Unlock()
	}()
}

// refuse tells the waiters of every pack that waits and will not be sent.
func (b *Batcher) refuse() {
	for {
		b.mu.Lock()
		p := b.takeRefused()
		b.mu.Unlock()
		if p == nil {
			return
		}
		b.tell(p, nil, ErrStopped)
	}
}

// takeRefused takes the oldest pack that will not be sent. REQUIRES: b.mu.
func (b *Batcher) takeRefused() *Pack {
	var p *Pack
	switch {
	case b.role == stopped && len(b.full) > 0:
		p = b.takeFull()
	case b.open.Builder.Len() > 0:
		p = b.open
		b.open = b.freshPack()
	default:
		return nil
	}
	b.untold++
	return p
}

// drain lets what was gathered so far go its way, refuses the rest, and returns
// when all waiters are told, or the group can't go on, or ctx ends.
func (b *Batcher) drain(ctx context.Context) error {
	b.mu.Lock()
	if b.role != gathering {
		b.mu.Unlock()
		return nil
	}
	if b.open.Builder.Len() > 0 {
		b.closeOpen()
	}
	b.role = draining
	b.idle = make(chan struct{})
	idle := b.idle
	b.signalIdle()
	b.mu.Unlock()
	b.Flush()

	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		if closed(idle) {
			return nil // there was nothing to wait for
		}
		return ctx.Err()
	}
}

// signalIdle wakes drain when there is nothing left to wait for. REQUIRES: b.mu.
func (b *Batcher) signalIdle() {
	if b.idle != nil && len(b.line)+len(b.full)+b.untold == 0 {
		close(b.idle)
		b.idle = nil
	}
}
