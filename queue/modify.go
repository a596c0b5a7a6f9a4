package queue

import "slices"

// A message that a consumer has modified is back in its place at once, or the
// ones behind it would overtake it while the Modify is on its way to the log.
// Its new count and annotations are known here before the store knows them:
//
//   - The count only grows, and only this Dispatcher makes it grow. So what is
//     known is the highest that was proposed or loaded.
//   - Annotations that came with an outcome are ours: no load replaces them
//     until the Modify has been applied. A Modify carries all that are ours, so
//     the last one makes good for those before it that were lost.
//   - A Modify that failed, or of which nobody knows, takes neither back. If
//     the store does not get it by a later one, it ends with the entry.
//   - The entry stays while a Modify of it is not answered, parked if nobody is
//     attached; else a load for a new consumer would bring the old count.
//
// Who modified it hears Confirmed when the Modify is applied. Until then that
// counts as one of the consumer's unsettled deliveries, which bounds how many
// there are. By then the message may be out again, with the same consumer even,
// or removed, which is proposed, and so applied, after the Modify.

// openModify is a Modify that is not answered.
type openModify struct {
	seq      Seq
	consumer ConsumerID // may have left
	ref      uint64
	late     bool // of a delivery that is none of this dispatcher's
}

// proposeModify takes e from its holder and proposes what the outcome asks for.
func (d *Dispatcher) proposeModify(r *runtime, e *entry, o Outcome) {
	if o.Failed {
		e.count++
	}
	d.writeModify(r, e, o.Annotations, openModify{seq: e.seq, consumer: e.holder.id, ref: e.ref})
	e.holder.out.remove(e)
	e.holder = nil
}

// writeModify proposes the count of e, and its annotations: those that are given, else
// those that are ours.
func (d *Dispatcher) writeModify(r *runtime, e *entry, annotations []byte, m openModify) {
	if len(annotations) > 0 {
		e.annotate, e.ours = annotations, true
	}
	d.lastRemove = -1 // no removal from behind it may join one before it
	f := d.emit(EffectModify, r.q)
	f.Seq, f.Count = e.seq, e.count
	if e.ours {
		f.Annotations = e.annotate
	}
	r.modifies.push(m)
	e.modifies++
}

// isModifying tells whether a Modify of e by c, which had it, is not answered.
func (r *runtime) isModifying(c ConsumerID, e *entry) bool {
	return e.modifies > 0 && slices.ContainsFunc(r.modifies.all(), func(m openModify) bool {
		return m.consumer == c && m.seq == e.seq && !m.late
	})
}

// Modified tells that the oldest EffectModify of seq which is not answered was
// applied, or had nothing to change any more.
func (d *Dispatcher) Modified(q ID, seq Seq) {
	d.begin()
	r := d.runtimes[q]
	if r == nil {
		return
	}
	if e := d.answerModify(r, seq, EffectConfirmed); e != nil && e.modifies == 0 {
		d.stored(r, e)
	}
	d.dispatch(r)
	d.end(r)
}

// ModifyFailed tells that it will not be applied, or that nobody knows. Its
// consumer hears OutcomeFailed, and the queue stands still as in RemoveFailed;
// what is known of the message stays.
func (d *Dispatcher) ModifyFailed(q ID, seq Seq) {
	d.begin()
	r := d.runtimes[q]
	if r == nil {
		return
	}
	d.stall(r)
	if e := d.answerModify(r, seq, EffectOutcomeFailed); e != nil && e.modifies == 0 && e.state == parked {
		d.putBack(r, e, nil)
	}
	d.end(r)
}

// answerModify tells the consumer of the oldest open Modify of seq what became
// of it, and gives the message's entry, if there is one.
func (d *Dispatcher) answerModify(r *runtime, seq Seq, kind EffectKind) *entry {
	m, ok := r.modifies.takeFirst(func(m *openModify) bool { return m.seq == seq })
	if !ok {
		return nil
	}
	d.emitModify(kind, r.q, m)
	if c := d.consumers[m.consumer]; c != nil && !m.late {
		c.unsettled--
		c.refresh()
	}
	e := r.table.get(seq)
	if e != nil {
		e.modifies--
	}
	return e
}

// emitModify tells the consumer of m, if it is still there, what became of it.
func (d *Dispatcher) emitModify(kind EffectKind, q ID, m openModify) {
	if d.consumers[m.consumer] != nil {
		f := d.emit(kind, q)
		f.Consumer, f.Seq, f.Outcome, f.Ref = m.consumer, m.seq, Modified, m.ref
	}
}

// stored: the store knows all that is known here of e. A stub keeps what is
// ours, for a load that began before may be on its way.
func (d *Dispatcher) stored(r *runtime, e *entry) {
	switch {
	case e.state == parked:
		d.putBack(r, e, nil)
	case e.state != ready:
		e.annotate, e.ours = nil, false
	case e.loaded:
		e.ours = false
	}
}

// park keeps e, which came back or waited, until the store knows all of it.
// REQUIRES: no consumer is attached, or the load that brings e is to come.
func (d *Dispatcher) park(e *entry) {
	e.state, e.only = parked, nil
}

// unpark makes the parked e wait for the consumers that have come. m is what
// the store has of it. REQUIRES: nothing waits behind it.
func (d *Dispatcher) unpark(r *runtime, e *entry, m *Message) {
	e.state = ready
	d.stats.Acquired--
	d.fill(r, e, m)
	r.ready.push(e)
}
