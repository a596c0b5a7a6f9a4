package cluster

import (
	"runtime"
	"slices"
	"unsafe"

	"entrepot/queue"
)

// This file follows packs that were sent: written, stored, committed, applied.
// What becomes of those that get stuck on the way is in resolve.go.

// same reports whether two slices are the same bytes in memory.
func same(a, b []byte) bool {
	return len(a) == len(b) && unsafe.SliceData(a) == unsafe.SliceData(b)
}

// writing is told by the LogStore, before it writes an entry, what that is.
func (b *Batcher) writing(data []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.storing != nil && same(b.storing.data, data) {
		b.storing.written = true
	}
}

// stored is told by the LogStore, after a write, that the disk is free again.
func (b *Batcher) stored() {
	b.mu.Lock()
	if b.storing != nil && b.storing.written {
		b.storing = nil
	}
	more := b.limits.outstanding > 1 && len(b.full)+b.open.Builder.Len() > 0
	b.mu.Unlock()
	if more {
		select {
		case b.wake <- struct{}{}:
		default:
		}
	}
}

// cutter sends the next pack each time the disk becomes free, in a group of
// several voters. The goroutine that calls stored does not do it itself: that is
// Raft's leader loop, which has yet to tell the replicators of what was stored.
func (b *Batcher) cutter(end <-chan struct{}) {
	for {
		select {
		case <-b.wake:
			b.Flush()
		case <-end:
			return
		}
	}
}

// A pack of at most fewRecords is one of a group that waits for its disk. Above
// that, the processor is what there is too little of: a commit costs 50-150 us of
// it, as much as some ten messages, so fewer and bigger packs are worth more
// than a disk that never rests.
const fewRecords = 8

// yields is how often the goroutine that applies steps back, before it cuts the
// next pack of a busy group, for those that have records for it.
const yields = 10

// committed is told by the FSM, before it applies an entry, which one, and
// returns the pack that the entry is; nil if it is not one of ours, or was told
// already. The pack is claimed: applied is called with it, nobody else tells it.
//
// If the group waits for its disk, the next pack is sent right here, so that it
// is written while this one is applied.
func (b *Batcher) committed(data []byte) *Pack {
	b.mu.Lock()
	p := b.find(data)
	if p != nil {
		b.claim(p)
	}
	b.holding = p != nil && p.records > fewRecords
	next := b.take()
	b.mu.Unlock()
	if next != nil {
		b.send(next)
	}
	return p
}

// applied tells the waiters of a pack from committed what the FSM answered. In a
// busy group it then lets those waiters bring their next records, before it cuts
// the next pack.
func (b *Batcher) applied(p *Pack, replies []queue.Reply) {
	busy := p.records > fewRecords
	b.observe(PackStats{Records: p.records, SizeBytes: len(p.data), Commit: p.commit})
	b.tell(p, replies, nil)
	if !busy {
		return
	}
	for range yields {
		runtime.Gosched()
	}
	b.mu.Lock()
	b.holding = false
	b.End()
}

// unapplied tells the waiters of a pack from committed that the FSM could not apply
// it. It is in the log: after a restart it may be applied.
func (b *Batcher) unapplied(p *Pack) {
	b.mu.Lock()
	b.holding = false
	b.mu.Unlock()
	b.tell(p, nil, ErrUnknownOutcome)
}

// find looks for an unclaimed sent pack by the identity of its bytes: nothing
// else can have the address while p holds it. REQUIRES: b.mu.
func (b *Batcher) find(data []byte) *Pack {
	i := slices.IndexFunc(b.sent, func(p *Pack) bool { return !p.claimed && same(p.data, data) })
	if i < 0 {
		return nil
	}
	return b.sent[i]
}

// claim takes p off the way: whoever called it tells p, nobody else.
// REQUIRES: b.mu; p is in sent and not claimed.
func (b *Batcher) claim(p *Pack) {
	p.claimed = true
	p.commit = b.now().Sub(p.takenAt)
	b.uncommitted--
	if b.storing == p {
		b.storing = nil
	}
}

// tell calls the waiters of a claimed pack and takes it out of sent.
func (b *Batcher) tell(p *Pack, replies []queue.Reply, err error) {
	b.telling.Lock()
	p.waits.tell(replies, err)
	b.telling.Unlock()

	b.mu.Lock()
	defer b.mu.Unlock()
	if i := slices.Index(b.sent, p); i >= 0 {
		b.sent = slices.Delete(b.sent, i, i+1)
	}
	if err == nil {
		b.totals.Packs++
		b.totals.Records += uint64(p.records)
		b.totals.Bytes += uint64(len(p.data))
	}
	b.recycle(p)
	b.signalIdle()
}

// appliedAt is told of packs of other leaders and of earlier runs, so that the
// leader's time does not fall behind theirs.
func (b *Batcher) appliedAt(nowMillis int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lastMillis = max(b.lastMillis, nowMillis)
}
