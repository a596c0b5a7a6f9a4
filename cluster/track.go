package cluster

import (
	"runtime"
	"time"
	"unsafe"

	"entrepot/queue"
)

// This file follows packs that were sent: written, stored, committed, applied.

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
	more := b.limits.outstanding > 1 && len(b.full)+b.open.Builder.Len()+len(b.line)-b.next > 0
	b.mu.Unlock()
	if more {
		b.wakeCutter()
	}
}

func (b *Batcher) wakeCutter() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// overdue is how long nothing is heard of a pack before it is sent to its leader again.
// Nothing but a disk that takes so long should come to that: what gets lost is noticed
// otherwise. What our own Raft was handed is never handed to it again for that: its
// queue must not fill, see applyRoom.
const overdue = 10 * time.Second

// cutter sends the next pack each time the way becomes free, in a group of
// several voters. The goroutines that know do not do it themselves: Raft's leader
// loop has yet to tell the replicators of what was stored, and the one that reads a
// connection has the next message waiting. It returns when end is closed.
func (b *Batcher) cutter(end <-chan struct{}) {
	look := time.NewTicker(overdue / 2)
	defer look.Stop()
	for {
		select {
		case <-b.wake:
			b.stepBack()
			b.Flush()
		case <-look.C:
			b.sendOverdue()
		case <-end:
			return
		}
	}
}

// stepBack lets the waiters of a big pack bring their next records.
func (b *Batcher) stepBack() {
	b.mu.Lock()
	busy := b.busy
	b.busy = false
	b.mu.Unlock()
	if busy {
		for range yields {
			runtime.Gosched()
		}
	}
}

func (b *Batcher) sendOverdue() {
	b.mu.Lock()
	if !b.route.local && len(b.line) > 0 && b.line[0].flying && b.now().Sub(b.line[0].takenAt) > overdue {
		b.rewind()
	}
	b.mu.Unlock()
	b.Flush()
}

// A pack of at most fewRecords is one of a group that waits for its disk. Above
// that, the processor is what there is too little of: a commit costs 50-150 us of
// it, as much as some ten messages, so fewer and bigger packs are worth more
// than a disk that never rests.
const fewRecords = 8

// yields is how often the goroutine that applies steps back, before it cuts the
// next pack of a busy group, for those that have records for it.
const yields = 10

// committed is told by the FSM, before it applies an entry, which one; applied
// follows. If it is our own pack and the group waits for its disk, the next pack is
// sent right here, so that it is written while this one is applied.
func (b *Batcher) committed(o queue.Origin, data []byte) {
	b.mu.Lock()
	p := b.find(o)
	if p == nil || !b.route.local || !same(p.data, data) {
		b.mu.Unlock()
		return
	}
	b.land(p)
	b.holding = p.records > fewRecords
	next := b.take()
	b.mu.Unlock()
	if next != nil {
		b.send(next)
	}
}

// applied is told by the FSM what it answered, and tells the waiters if the pack is
// ours. In a busy group it then lets those waiters bring their next records, before
// it cuts the next pack.
func (b *Batcher) applied(o queue.Origin, index uint64, data []byte, r Result, failed bool) {
	b.mu.Lock()
	p := b.find(o)
	if p == nil {
		b.holding = false // the leader before us has told of it meanwhile
		b.release()
		return
	}
	var err error
	switch {
	case failed || r.Verdict == queue.PackDuplicate:
		// It is in the log: after a restart it may be applied. Or it was, by an entry
		// whose replies this replica never saw.
		err = ErrUnknownOutcome
	case r.Verdict == queue.PackGap:
		b.holding = false
		b.gap(p, index, data)
		b.release()
		return
	}
	b.claim(p)
	busy, local := p.records > fewRecords, b.route.local
	b.mu.Unlock()
	b.tell(p, r.Replies, err)
	if busy {
		for range yields {
			runtime.Gosched()
		}
	} else if local {
		return // committed has sent the next
	}
	b.mu.Lock()
	b.holding = false
	b.release()
}

// putOff is told instead of applied when the entry was put off: what became of a pack
// of ours in it, the leader says.
func (b *Batcher) putOff() {
	b.mu.Lock()
	b.holding = false
	b.release()
}

// tell calls the waiters of a pack that was claimed or refused.
func (b *Batcher) tell(p *Pack, replies []queue.Reply, err error) {
	b.telling.Lock()
	if err == nil {
		b.observe(PackStats{Records: p.records, SizeBytes: len(p.data), Commit: p.commit})
	}
	p.waits.tell(replies, err)
	b.telling.Unlock()

	b.mu.Lock()
	defer b.mu.Unlock()
	b.untold--
	if err == nil {
		b.totals.Packs++
		b.totals.Records += uint64(p.records)
		b.totals.Bytes += uint64(len(p.data))
	}
	b.recycle(p)
	b.signalIdle()
}
