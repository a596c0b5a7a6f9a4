package queue

import (
	"cmp"
	"slices"
)

// Enqueued tells that messages were appended to q, in order.
//
// If everything before is known already, they are taken from here and need no
// load; one for a consumer with credit goes straight out. Else, or if the
// buffer is full, they are left to the store.
func (d *Dispatcher) Enqueued(q ID, msgs []Message) {
	d.begin()
	r := d.runtimes[q]
	if r == nil {
		return
	}
	for i := range msgs {
		m := &msgs[i]
		r.tail = max(r.tail, m.Seq+1)
		if len(r.browsers) > 0 {
			d.showNew(r, m)
		}
		if m.Seq == r.loadPos && len(r.consumers) > 0 && d.hasRoom(r, len(m.Payload)) {
			r.loadPos++
			d.take(r, m)
		}
	}
	d.dispatch(r)
}

// hasRoom tells whether the buffer takes one more message from the tail.
func (d *Dispatcher) hasRoom(r *runtime, size int) bool {
	if r.bufMessages == 0 && r.hungry.first != nil {
		return true
	}
	return r.bufMessages < d.cfg.BufferMessages &&
		r.bufBytes+size <= d.cfg.BufferBytes &&
		d.stats.BufferedBytes+size <= d.cfg.TotalBytes
}

// take makes an entry of a message behind all that are known, and hands it out
// at once if nothing waits before it.
func (d *Dispatcher) take(r *runtime, m *Message) {
	e := d.pool.get()
	e.seq, e.deadline, e.size, e.flags, e.count = m.Seq, m.DeadlineMillis, len(m.Payload), m.Flags, m.DeliveryCount
	if !r.table.put(e) {
		d.pool.put(e)
		if e = r.table.get(m.Seq); e.state == parked {
			d.unpark(r, e, m)
		}
		return
	}
	if c := r.hungry.first; c != nil && r.ready.first == nil && r.restricted.first == nil &&
		r.stalledUntil == 0 && !e.expired(d.now) && r.unknown[e.seq] == nil {
		d.hand(r, c, e, m.Payload, m.Annotations)
		return
	}
	d.fill(r, e, m)
	r.ready.push(e)
	d.known(r, e)
}

// Removed tells that a removal was applied, whoever proposed it. For a Purge:
// the run from the old head to the tail.
func (d *Dispatcher) Removed(q ID, runs []Run) {
	d.begin()
	r := d.runtimes[q]
	if r == nil {
		return
	}
	for _, run := range runs {
		r.noteRemoved(run)
		d.removeUnknown(r, run)
		if uint64(run.Count) > uint64(2*r.table.n) {
			d.removeKnown(r, run)
			continue
		}
		for seq := run.First; seq < run.End(); seq++ {
			if e := r.table.get(seq); e != nil {
				d.removeEntry(r, e)
			}
		}
	}
	d.dispatch(r)
	d.end(r)
}

// removeKnown is for a run that is longer than the list of what is known.
func (d *Dispatcher) removeKnown(r *runtime, run Run) {
	d.scratch = r.table.appendAll(d.scratch[:0])
	slices.SortFunc(d.scratch, func(a, b *entry) int { return cmp.Compare(a.seq, b.seq) })
	for _, e := range d.scratch {
		if run.Contains(e.seq) {
			d.removeEntry(r, e)
		}
	}
	clear(d.scratch)
}

// removeEntry does what a removal means for e.
func (d *Dispatcher) removeEntry(r *runtime, e *entry) {
	if e.state == acquired || e.state == gone {
		e.state = gone // its consumer is still to tell, and is not to wait then
		if e.recall == withClient {
			d.final(r, e, EffectConfirmed)
		}
		return
	}
	if e.state != ready {
		d.confirm(r, e)
	}
	d.forget(r, e)
}

// RemoveFailed tells that Remove effects for these messages will not be
// applied, or that nobody knows. The messages are ready again; whoever had told
// an outcome, late or not, hears OutcomeFailed. The queue stands still for CoolMillis, for
// what has failed would fail again at once; that is also why a deadline that
// has come is left to the next look at the message.
func (d *Dispatcher) RemoveFailed(q ID, runs []Run) {
	d.begin()
	r := d.runtimes[q]
	if r == nil {
		return
	}
	d.stall(r)
	for _, run := range runs {
		for seq := run.First; seq < run.End(); seq++ {
			e := r.table.get(seq)
			if e == nil {
				continue
			}
			d.final(r, e, EffectOutcomeFailed)
			if e.state != settling {
				continue
			}
			if e.holder != nil {
				d.emitOutcome(EffectOutcomeFailed, e)
				d.letGo(e)
			}
			d.putBack(r, e, nil)
		}
	}
	d.end(r)
}
