package cluster

import (
	"slices"
	"sync"
	"time"
)

// Batcher gathers the records of many callers into packs and sends the packs
// off, one after the other.
//
// The rule: whatever gathered while the last pack was being written is the next
// pack. Nothing waits for a timer. A pack is cut by whoever makes it possible:
// by End, if nothing is in flight (so a single record pays no hand-over), else
// by the goroutine that applies the log, when it learns that the pack before is
// committed: before it applies that one if packs are small, after it has told
// the waiters and stepped back for them if packs are big (see fewRecords).
//
// With one voter one pack is outstanding at a time. A second one would be taken
// by Raft's leader loop in a random order with the commit of the first (a Go
// select over both), and half of the time the first would wait for the fsync of
// the second. With more voters two are outstanding, one being written here while
// one replicates; still only one is between us and our disk, and the next is cut
// when that is done.
//
// The zero-allocation path per record is Begin, Builder.X, Wait, End. The
// batcher has no goroutine of its own.
type Batcher struct {
	limits  limits
	propose func(data []byte) proposal // hands a pack to Raft; must not block
	now     func() time.Time
	observe func(PackStats)
	wake    chan struct{} // cap 1: the disk is free and packs may wait; see cutter

	mu   sync.Mutex // guards all that follows
	role role
	open *Pack
	// full packs wait for their turn, oldest first.
	full      []*Pack
	fullBytes int
	// sent are handed to Raft and not told yet, oldest first.
	sent []*Pack
	// storing is the one of sent that our LogStore has not finished, if any.
	storing *Pack
	// uncommitted counts those of sent that the FSM has not seen.
	// Invariant: uncommitted <= limits.outstanding.
	uncommitted int
	// holding: the FSM's goroutine, between committed and the end of applied,
	// keeps the cutting of the next pack for itself.
	holding    bool
	free       []*Pack
	refusing   bool          // a goroutine runs refuse
	idle       chan struct{} // not nil: close it when full and sent are empty
	lastMillis int64         // the newest time in any pack, ours or applied
	totals     Totals

	telling sync.Mutex // held while waiters are called
}

// proposal is what Raft promises about a proposed pack: Error returns when Raft
// has decided. After a shutdown it may never return.
type proposal interface{ Error() error }

// role is what the batcher may do with records.
type role uint8

const (
	following role = iota // refuse with ErrNotLeader
	leading               // gather and send
	draining              // send what was gathered, refuse the rest with ErrStopped
	stopped               // refuse with ErrStopped
)

type limits struct {
	packBytes, packRecords int
	outstanding            int // guarded by Batcher.mu: it follows the number of voters
}

// Totals count what this node proposed and the group applied since the start.
type Totals struct {
	Packs, Records, Bytes uint64
}

func newBatcher(l limits, propose func([]byte) proposal, now func() time.Time, observe func(PackStats)) *Batcher {
	b := &Batcher{limits: l, propose: propose, now: now, observe: observe, wake: make(chan struct{}, 1)}
	if observe == nil {
		b.observe = func(PackStats) {}
	}
	b.open = b.freshPack()
	return b
}

// Begin locks the batcher and returns the pack to append one record to.
// sizeBytes is about what the record will take, 0 if it is small: a record that
// does not fit beside what is there opens a new pack, so one bigger than
// MaxPackBytes has a pack of its own. Every Begin is followed by End or EndMore,
// soon and without calling the Batcher in between.
//
// Begin always returns a pack. If this node does not lead, or is stopping, the
// waiters are told so from another goroutine.
func (b *Batcher) Begin(sizeBytes int) *Pack {
	b.mu.Lock()
	if n := b.open.Builder.Len(); n > 0 &&
		(n >= b.limits.packRecords || b.open.Builder.Size()+sizeBytes > b.limits.packBytes) {
		b.closeOpen()
	}
	return b.open
}

// End unlocks the batcher, and sends the pack off if the way is free.
func (b *Batcher) End() {
	p := b.take()
	if p == nil {
		b.refuseUnlessLeading()
	}
	b.mu.Unlock()
	if p != nil {
		b.send(p)
	}
}

// EndMore unlocks the batcher. The caller has more records at hand and promises
// End or Flush before it waits for anything, so that a burst that came in one
// read travels in one pack instead of being torn after its first record.
func (b *Batcher) EndMore() { b.mu.Unlock() }

// Flush does what End does, after a row of EndMore.
func (b *Batcher) Flush() {
	b.mu.Lock()
	b.End()
}

// Backlog is how many bytes wait for their turn to be handed to Raft. It grows
// when records come faster than the disk or the followers take them: the time
// to hold back credit.
func (b *Batcher) Backlog() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.fullBytes + b.openBytes()
}

// openBytes is the size of the open pack, 0 when it has no record.
func (b *Batcher) openBytes() int {
	if b.open.Builder.Len() == 0 {
		return 0
	}
	return b.open.Builder.Size()
}

// closeOpen moves the open pack behind the full ones. REQUIRES: b.mu.
func (b *Batcher) closeOpen() {
	b.full = append(b.full, b.open)
	b.fullBytes += b.open.Builder.Size()
	b.open = b.freshPack()
}

// take returns the pack whose turn it is, to be given to send once the lock is
// released; nil if there is none or the way is not free. REQUIRES: b.mu.
func (b *Batcher) take() *Pack {
	if !b.maySend() || b.holding || b.storing != nil || b.uncommitted >= b.limits.outstanding {
		return nil
	}
	var p *Pack
	switch {
	case len(b.full) > 0:
		p = b.takeFull()
	case b.role == leading && b.open.Builder.Len() > 0:
		p = b.open
		b.open = b.freshPack()
	default:
		return nil
	}
	p.records = p.Builder.Len()
	// A clock set back must not make a deadline that passed lie ahead again.
	p.takenAt = b.now()
	b.lastMillis = max(b.lastMillis, p.takenAt.UnixMilli())
	p.leaderMillis = b.lastMillis
	b.storing = p
	b.uncommitted++
	b.sent = append(b.sent, p)
	return p
}

// takeFull takes the oldest full pack. REQUIRES: b.mu; there is one.
func (b *Batcher) takeFull() *Pack {
	p := b.full[0]
	b.full = slices.Delete(b.full, 0, 1)
	b.fullBytes -= p.Builder.Size()
	return p
}

// send seals a pack that take returned and hands it to Raft. Sealing copies up
// to a pack, so it happens outside the lock; the order of packs is safe because
// take gives out no other one while this is storing.
//
// REQUIRES: b.mu is not held.
func (b *Batcher) send(p *Pack) {
	data := p.seal(b.limits.packBytes)
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.maySend() { // lost since take
		b.claim(p)
		go b.tell(p, nil, b.refusal())
		return
	}
	p.data = data
	p.proposal = b.propose(data)
}

// maySend: packs may be handed to Raft. REQUIRES: b.mu.
func (b *Batcher) maySend() bool { return b.role == leading || b.role == draining }

// freshPack takes a used pack or makes one.
func (b *Batcher) freshPack() *Pack {
	if n := len(b.free); n > 0 {
		p := b.free[n-1]
		b.free[n-1] = nil
		b.free = b.free[:n-1]
		return p
	}
	return newPack()
}

// maxFree bounds the packs kept for use again, and so their buffers.
const maxFree = 4

// recycle keeps p for use again. REQUIRES: b.mu, and everyone in p was told.
func (b *Batcher) recycle(p *Pack) {
	if len(b.free) < maxFree {
		p.reset()
		b.free = append(b.free, p)
	}
}

// setOutstanding sets how many packs may be uncommitted at a time.
func (b *Batcher) setOutstanding(n int) {
	b.mu.Lock()
	b.limits.outstanding = n
	b.mu.Unlock()
}

func (b *Batcher) addStats(s *Stats) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s.BacklogBytes = b.fullBytes + b.openBytes()
	s.InFlight = len(b.sent)
	s.Totals = b.totals
}
