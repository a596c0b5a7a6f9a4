package cluster

import (
	"math/rand/v2"
	"slices"
	"time"

	"entrepot/queue"
)

// The line: what has been sealed and is not told yet, and how it gets to whoever
// leads.
//
//	        numbers without a gap, oldest first
//	line    [ 7 ][ 8 ][ 9 ][ 10 ]            <- the next pack that is taken is 11
//	          sent      |  still to be sent
//	                  next
//
// Every pack has a number of this process (queue.Origin), and the Machine applies
// each number once and in order, whatever reaches it and how often. So sending is
// never wrong, and the line needs to know little: a pack stays in it until
// somebody says that it was applied. That is either this replica, when it applies
// an entry with the pack's number, or the leader's answer, whichever is first.
//
// When the route changes (another leader, the same on a new connection, none), or
// the leader answers that it did not take a pack or that one before it is missing,
// all that was sent may have been lost: rewind sets next back to the beginning,
// and everything is sent again, in order, before anything newer. The epoch tells
// answers to a sending before the rewind from those after it: what they say about
// order is void, what they say about being applied always holds.
//
// Bytes that were handed over never change: Raft, the journal's window or the
// mesh may hold them. A pack that is proposed again gets its new stamp in a copy.
//
// Two things need the number that the Machine knows. A replica that is filled
// from a stream skips entries, ours among them: restored asks the new state how
// far it goes. And the Machine forgets an origin after 1024 newer ones: then every
// pack of ours is a gap to it. We go on under a new origin with all that is in the
// line, for it is certain that none of it was applied: this replica applies in
// order, is past all that was told to be applied, has found the origin unknown, and
// would have told each pack that it had applied before; and what is still on its way under the old numbers can only be a
// gap. (But for number 1, which makes an origin known: a copy of it would have to be
// under way while 1024 others come up.)

// route is where packs go.
type route struct {
	local  bool
	leader string // if not local; "": nobody
}

func (r route) open() bool { return r.local || r.leader != "" }

// remoteWindow is how many packs may be on their way to another node. Only full
// ones use all of it: two are enough to have one on the way while one is being
// committed, and what is not sent yet can still grow.
const (
	remoteWindow = 4
	remoteSmall  = 2
)

// stallTime is how long the line waits after a leader did not take a pack.
const stallTime = 50 * time.Millisecond

// setRoute says who takes packs from now on.
func (b *Batcher) setRoute(r route) {
	b.mu.Lock()
	if b.route == r || b.role == stopped {
		b.mu.Unlock()
		return
	}
	b.route = r
	b.rewind()
	b.mu.Unlock()
	b.Flush()
}

// reconnected is told of every new connection to a node: what was sent to it on
// the one before may be lost.
func (b *Batcher) reconnected(peer string) {
	b.mu.Lock()
	if b.route.leader != peer {
		b.mu.Unlock()
		return
	}
	b.rewind()
	b.mu.Unlock()
	b.wakeCutter()
}

// rewind begins to send all over again. REQUIRES: b.mu.
func (b *Batcher) rewind() {
	for _, p := range b.line[:b.next] {
		p.flying = false
	}
	b.epoch++
	b.next, b.flying = 0, 0
	b.storing, b.holding, b.stalled, b.probing = nil, false, false, false
}

// stall rewinds and lets the line rest before it sends again. REQUIRES: b.mu.
func (b *Batcher) stall() {
	b.rewind()
	b.stalled, b.probing = true, true
	epoch := b.epoch
	b.later(stallTime, func() {
		b.mu.Lock()
		if b.epoch == epoch {
			b.stalled = false
		}
		b.mu.Unlock()
		b.Flush()
	})
}

// pause keeps what is not sent yet, or lets it go again. What rests (see EndLater) is sent
// before: it is as old as what is in flight, for which the lead is not handed over yet.
func (b *Batcher) pause(on bool) {
	if on {
		b.Hurry()
	}
	b.mu.Lock()
	b.paused = on
	b.mu.Unlock()
	if !on {
		b.Flush()
	}
}

// take returns the pack whose turn it is, to be given to send once the lock is
// released; nil if there is none or the way is not free. REQUIRES: b.mu.
func (b *Batcher) take() *Pack {
	if b.role == stopped || b.paused || b.stalled || b.handing != nil || !b.route.open() {
		return nil
	}
	for b.next < len(b.line) && (b.line[b.next].claimed || b.line[b.next].landed) {
		b.next++ // known to be applied: the leader needs no copy
	}
	fresh := b.next == len(b.line)
	if !b.mayFly(fresh) {
		return nil
	}
	var p *Pack
	switch {
	case !fresh:
		p = b.line[b.next]
	case len(b.full) > 0:
		p = b.takeFull()
		b.append(p)
	case b.role == gathering && b.open.due && b.open.Builder.Len() > 0:
		p = b.open
		b.open = b.freshPack()
		b.append(p)
	default:
		return nil
	}
	b.next++
	b.flying++
	p.flying, p.sentIn, p.written = true, b.epoch, false
	b.handing = p
	if b.route.local {
		b.storing = p
	}
	return p
}

// mayFly tells whether the way is free for another pack: one that is sent again, or
// a fresh one. REQUIRES: b.mu.
func (b *Batcher) mayFly(fresh bool) bool {
	switch {
	case b.route.local:
		return !b.holding && b.storing == nil && b.flying < b.limits.outstanding
	case b.probing: // the leader took none: see whether it takes one
		return b.flying == 0
	case fresh && len(b.full) == 0:
		return b.flying < remoteSmall
	}
	return b.flying < remoteWindow
}

// append numbers a pack and puts it at the end of the line. REQUIRES: b.mu.
func (b *Batcher) append(p *Pack) {
	b.seq++
	p.seq, p.carries = b.seq, queue.Origin{Node: b.origin, Seq: b.seq}
	p.records = p.Builder.Len()
	p.takenAt = b.now()
	b.line = append(b.line, p)
}

// send seals a pack that take returned and hands it over, and so on with those
// that may follow. Sealing copies up to a pack, so it happens outside the lock;
// the order is safe because take gives out no other one meanwhile.
//
// REQUIRES: b.mu is not held.
func (b *Batcher) send(p *Pack) {
	for p != nil {
		data := p.data // only we write it
		if data == nil {
			data = b.sealer.seal(p, p.carries)
		}
		b.mu.Lock()
		p.data = data
		b.handing = nil
		if p.sentIn == b.epoch && p.flying {
			b.handOver(p)
		}
		p = b.take()
		b.mu.Unlock()
	}
}

// handOver gives a sealed pack to Raft or to the mesh. REQUIRES: b.mu; p is flying.
func (b *Batcher) handOver(p *Pack) {
	o := queue.Origin{Node: b.origin, Seq: p.seq}
	switch {
	case p.carries != o:
		p.data, p.carries = renumbered(p.data, o), o
	case p.handed && b.route.local:
		p.data = slices.Clone(p.data)
	}
	p.handed = true
	if b.route.local {
		queue.StampTime(p.data, b.clock.stamp(b.now()))
		b.propose(p.data)
		return
	}
	if !b.forward(b.route.leader, b.epoch, o, p.data) {
		b.stall() // no connection, which will be told of, or too much is queued
	}
}

// proposeFor hands another node's pack to our Raft, stamped. False: this node does
// not lead any more. data is the callee's.
func (b *Batcher) proposeFor(data []byte) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.route.local || b.role == stopped {
		return false
	}
	queue.StampTime(data, b.clock.stamp(b.now()))
	b.propose(data)
	return true
}

// find gives the pack of the line with an origin, nil if it is not ours or not in
// the line any more. REQUIRES: b.mu.
func (b *Batcher) find(o queue.Origin) *Pack {
	if o.Node != b.origin || len(b.line) == 0 || o.Seq < b.line[0].seq || o.Seq-b.line[0].seq >= uint64(len(b.line)) {
		return nil
	}
	if p := b.line[o.Seq-b.line[0].seq]; !p.claimed {
		return p
	}
	return nil
}

// land notes that a pack is not on its way any more. REQUIRES: b.mu.
func (b *Batcher) land(p *Pack) {
	if p.flying {
		p.flying = false
		b.flying--
	}
	if b.storing == p {
		b.storing = nil
	}
}

// claim takes p off the line: whoever called it tells p, nobody else.
// REQUIRES: b.mu; p is in the line and not claimed.
func (b *Batcher) claim(p *Pack) {
	b.land(p)
	p.claimed = true
	p.commit = b.now().Sub(p.takenAt)
	b.untold++
	if p != b.line[0] { // its place is kept until those before it are gone; p is used again
		b.line[p.seq-b.line[0].seq] = &Pack{seq: p.seq, claimed: true}
	}
	n := 0
	for n < len(b.line) && b.line[n].claimed {
		n++
	}
	b.line = slices.Delete(b.line, 0, n)
	b.next = max(b.next-n, 0)
}

// answered is told what the leader says about a pack that was sent to it.
func (b *Batcher) answered(a answer) {
	if a.status != answerNotTaken { // else it is not the leader's time
		b.clock.heard(a.nowMillis)
	}
	b.mu.Lock()
	p := b.find(a.origin)
	switch {
	case p == nil:
	case a.status == answerFresh:
		b.probing = false
		b.claim(p)
		b.toldAt = max(b.toldAt, a.index)
		b.busy = p.records > fewRecords
		b.mu.Unlock()
		b.tell(p, a.replies, nil)
		b.wakeCutter()
		return
	case a.status == answerDuplicate:
		b.probing = false
		b.land(p)
		p.landed = true
	case a.epoch == b.epoch: // not taken, or a gap before it
		b.stall()
	}
	b.mu.Unlock()
	b.wakeCutter()
}

// gap decides what follows from this replica having found our pack p to be a gap, in
// the entry at index. REQUIRES: b.mu.
func (b *Batcher) gap(p *Pack, index uint64, data []byte) {
	_, known := b.seqOf(b.origin)
	switch {
	case !known && p.seq > 1 && p == b.line[0] && index > b.toldAt:
		b.renew()
	case b.route.local && same(p.data, data):
		b.stall() // Raft refused one before it
	}
	// Else an old copy of it: the one that counts is on its way.
}

// renew goes on under a new origin. REQUIRES: b.mu; nothing in the line was applied
// or ever will be under the old one.
func (b *Batcher) renew() {
	b.origin = newOrigin()
	b.seq = 0
	for _, p := range b.line {
		b.seq++
		p.seq = b.seq
	}
	b.rewind()
}

func newOrigin() uint64 {
	for {
		if o := rand.Uint64(); o != 0 {
			return o
		}
	}
}

// restored is told that this replica's state has been replaced by that of a later
// index. What of ours it has was applied, with replies that nobody will tell.
func (b *Batcher) restored(index uint64) {
	b.mu.Lock()
	last, known := b.seqOf(b.origin)
	// One of ours was applied before that index, so the Machine knew us.
	begun := b.seq > uint64(len(b.line)) && index >= b.toldAt
	var lost []*Pack
	for _, p := range slices.Clone(b.line) {
		if p.handed && !p.claimed && (known && p.seq <= last || !known && begun) {
			b.claim(p)
			lost = append(lost, p)
		}
	}
	if !known && begun {
		b.renew()
	}
	b.mu.Unlock()
	for _, p := range lost {
		b.tell(p, nil, ErrUnknownOutcome)
	}
	b.wakeCutter()
}
