package queue

import (
	"cmp"
	"slices"
)

// A Modified that is told late counts as if it had been told in time:
//
//   - The count of a message that waits, or that nobody waits for, goes up, and a Modify
//     of it is proposed. That it is a fact is told when that is applied.
//   - So it does if the message is out. Its holder was told the count of before, and what
//     it says counts on top. If the message comes back, though it has failed too often by
//     now, it goes.
//   - If its removal is proposed, nothing is counted, and the claim waits for that.
//   - If it was not loaded yet, its count is not known. It is read from the store by a load
//     of its own, since those for consumers may not come by for long. One of them may be
//     first, or the message may go: then that load finds nothing to do.
//
// One that is told Again, because the dispatcher before was gone before it had confirmed
// it, may have been counted by that one: its Modify was applied, or will be. What tells it
// from others is what its consumer knew: it is failure number Failures+1 of the message, so
// the count becomes that at least, and is not raised further. Else one failure would be two
// after most changes of leaders. Two deliveries that were out at once, which takes a change
// of leaders between them, may have the same number; then one of them is not counted.
// What attempts adds for the change makes up for that.
//
// UndeliverableHere is not kept: the message may come to the same consumer once more.

// modifyClaim is a claim that is to be counted.
type modifyClaim struct {
	claim
	outcome Outcome
}

// unknown is a message that was modified late and is not in the table.
type unknown struct {
	readFrom LoadID // it is told by loads from this one on: see entry.fillFrom
	claims   []modifyClaim
}

// count is the stored count of a message after m, if it is now before.
func (m *modifyClaim) count(now uint32) uint32 {
	switch {
	case !m.outcome.Failed:
		return now
	case m.outcome.Again:
		return max(now, m.outcome.Failures+1)
	default:
		return max(now, m.outcome.Failures) + 1
	}
}

// lateModified counts m, at once if the message is known.
func (d *Dispatcher) lateModified(r *runtime, e *entry, seq Seq, m modifyClaim) {
	if e != nil {
		d.countLate(r, e, m)
		return
	}
	u := r.unknown[seq]
	if u == nil {
		if r.unknown == nil {
			r.unknown = map[Seq]*unknown{}
		}
		u = &unknown{readFrom: d.nextLoad + 1}
		r.unknown[seq] = u
	}
	u.claims = append(u.claims, m)
}

// countLate does what m asks for to a message that is in the table.
func (d *Dispatcher) countLate(r *runtime, e *entry, m modifyClaim) {
	e.touched = true
	count := m.count(e.count)
	spent := m.outcome.Failed && r.maxDeliveries != 0 && count >= r.maxDeliveries
	switch {
	case e.state == gone && !r.claimed(e):
		d.emitClaim(EffectConfirmed, r, e.seq, m.claim)
	case e.state == settling || r.claimed(e):
		r.claim(e, m.claim)
	case e.state != acquired && (spent || e.expired(d.now)):
		if e.state == ready {
			d.takeOut(r, e)
			d.stats.Acquired++
		}
		r.claim(e, m.claim)
		if spent {
			d.settle(r, e, Rejected)
		} else {
			d.settleLate(r, e)
		}
	default:
		e.count, e.spent = count, e.spent || spent
		d.writeModify(r, e, m.outcome.Annotations, openModify{e.seq, m.consumer, m.ref, true})
	}
}

// known: e has come into the table.
func (d *Dispatcher) known(r *runtime, e *entry) {
	if u := r.unknown[e.seq]; u != nil {
		delete(r.unknown, e.seq)
		for _, m := range u.claims {
			d.countLate(r, e, m)
		}
	}
}

// neverKnown: the message is dead.
func (d *Dispatcher) neverKnown(r *runtime, seq Seq) {
	for _, m := range r.unknown[seq].claims {
		d.emitClaim(EffectConfirmed, r, seq, m.claim)
	}
	delete(r.unknown, seq)
}

// removeUnknown is for a removal of messages that may be unknown.
func (d *Dispatcher) removeUnknown(r *runtime, run Run) {
	if uint64(run.Count) > uint64(len(r.unknown)) {
		for _, seq := range r.unknownIn(run.First, run.End()) {
			d.neverKnown(r, seq)
		}
		return
	}
	for seq := run.First; seq < run.End(); seq++ {
		if r.unknown[seq] != nil {
			d.neverKnown(r, seq)
		}
	}
}

// unknownIn are the unknown messages in [from, to) in order.
func (r *runtime) unknownIn(from, to Seq) (seqs []Seq) {
	for seq := range r.unknown {
		if seq >= from && seq < to {
			seqs = append(seqs, seq)
		}
	}
	slices.Sort(seqs)
	return seqs
}

// feedUnknown asks the store for the first of the unknown messages, and for those behind.
func (d *Dispatcher) feedUnknown(r *runtime) {
	if len(r.unknown) == 0 || r.peek != 0 {
		return
	}
	first, last := noSeq, Seq(0)
	for seq := range r.unknown {
		first, last = min(first, seq), max(last, seq)
	}
	r.peekFrom = first
	r.peek = d.ask(r, first, int(min(last-first+1, Seq(d.cfg.BufferMessages))))
}

// takePeeked takes what feedUnknown has asked for. What is found is kept as if it had come
// back while nobody was there, until the store has its count.
func (d *Dispatcher) takePeeked(r *runtime, id LoadID, msgs []Message, next Seq) {
	next = max(next, r.peekFrom+1) // at the tail there is nothing
	for _, seq := range r.unknownIn(r.peekFrom, next) {
		if r.unknown[seq].readFrom > id {
			continue
		}
		i, alive := slices.BinarySearchFunc(msgs, seq, func(m Message, s Seq) int { return cmp.Compare(m.Seq, s) })
		if !alive || len(r.consumers) > 0 && seq < r.loadPos {
			d.neverKnown(r, seq)
			continue
		}
		m := &msgs[i]
		e := d.unloaded(r, seq)
		e.size, e.flags, e.deadline, e.count = len(m.Payload), m.Flags, m.DeadlineMillis, m.DeliveryCount
		d.known(r, e)
	}
}
