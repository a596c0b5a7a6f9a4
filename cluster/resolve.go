package cluster

import (
	"context"
	"slices"
)

// This file is about records that can't go their way: refused because this node
// does not lead, or stuck in flight when leadership, the disk or the group went.

// lead opens the way.
func (b *Batcher) lead() {
	b.mu.Lock()
	if b.role == following {
		b.role = leading
	}
	b.mu.Unlock()
	b.Flush()
}

// close refuses what comes from now on with ErrStopped, what was gathered too.
func (b *Batcher) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.role = stopped
}

// lost is called when this node no longer leads, or Raft has ended. It refuses
// what waits, and tells every pack in flight as soon as its fate is sealed.
// ended is closed when Raft has ended.
//
// A pack's fate is sealed when Raft has answered its future, or has ended: from
// then on nobody hands it to the LogStore any more. Then, if the FSM did not
// claim it, what counts is whether the LogStore ever saw it. Raft's own error
// says less: after a shutdown some futures are never answered, and
// ErrLeadershipLost does not tell written from unwritten.
func (b *Batcher) lost(ended <-chan struct{}) {
	b.mu.Lock()
	switch b.role {
	case leading:
		b.role = following
	case draining:
		b.role = stopped
	}
	var stuck []stuckPack
	for _, p := range b.sent {
		if p.proposal != nil { // else it is on its way into send, which refuses it
			stuck = append(stuck, stuckPack{p, p.proposal})
		}
	}
	b.mu.Unlock()

	for _, s := range stuck {
		await(s.proposal, ended)
		b.resolve(s)
	}
	b.refuse()
}

// stuckPack is a pack with the proposal it had when it was seen: a pack that is
// told meanwhile may already be on its way again with another one.
type stuckPack struct {
	pack     *Pack
	proposal proposal
}

// resolve tells a pack whose fate is sealed, unless the FSM does.
func (b *Batcher) resolve(s stuckPack) {
	b.mu.Lock()
	p := s.pack
	if !slices.Contains(b.sent, p) || p.proposal != s.proposal || p.claimed {
		b.mu.Unlock()
		return
	}
	b.claim(p)
	err := b.refusal()
	if p.written {
		err = ErrUnknownOutcome
	}
	b.mu.Unlock()
	b.tell(p, nil, err)
}

// await returns when Raft has answered for pr, or has ended. Raft may end without
// an answer; then the goroutine that listens for it stays behind, one for each
// proposal that was in flight at that moment.
func await(pr proposal, ended <-chan struct{}) {
	if closed(ended) {
		return
	}
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		_ = pr.Error() // which error does not matter, see lost
	}()
	select {
	case <-answered:
	case <-ended:
	}
}

// refusal is the error for records that are not sent. REQUIRES: b.mu.
func (b *Batcher) refusal() error {
	if b.role == following {
		return ErrNotLeader
	}
	return ErrStopped
}

// refuseUnlessLeading sees to it that records which will not be sent are told
// so, by another goroutine: the caller is in the middle of its own work and may
// hold what Done needs. REQUIRES: b.mu.
func (b *Batcher) refuseUnlessLeading() {
	if b.role == leading || b.refusing || b.open.Builder.Len() == 0 {
		return
	}
	b.refusing = true
	go func() {
		b.refuse()
		b.mu.Lock()
		b.refusing = false
		b.refuseUnlessLeading() // for what came in between
		b.mu.Unlock()
	}()
}

// refuse tells the waiters of every pack that waits and will not be sent.
func (b *Batcher) refuse() {
	for {
		b.mu.Lock()
		p := b.takeRefused()
		err := b.refusal()
		b.mu.Unlock()
		if p == nil {
			return
		}
		b.tell(p, nil, err)
	}
}

// takeRefused takes the oldest pack that will not be sent. REQUIRES: b.mu.
func (b *Batcher) takeRefused() *Pack {
	switch {
	case b.role == leading:
		return nil
	case b.role != draining && len(b.full) > 0:
		return b.takeFull()
	case b.open.Builder.Len() > 0:
		p := b.open
		b.open = b.freshPack()
		return p
	}
	return nil
}

// drain lets what was gathered so far go its way, refuses the rest, and returns
// when all waiters are told, or the group can't go on, or ctx ends.
func (b *Batcher) drain(ctx context.Context) error {
	b.mu.Lock()
	if b.role != leading {
		b.role = stopped
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
	if b.idle != nil && len(b.sent)+len(b.full) == 0 {
		close(b.idle)
		b.idle = nil
	}
}
