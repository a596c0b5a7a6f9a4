package queue

// Effects gives what was asked for and told since the last call, in order. The
// slice and what its Annotations and Payloads alias are valid until the next
// input.
func (d *Dispatcher) Effects() []Effect {
	d.begin()
	for _, r := range d.marks {
		d.flushMark(r)
	}
	clear(d.marks)
	d.marks = d.marks[:0]
	for _, q := range d.ended {
		if d.runtimes[q] == nil {
			d.emit(EffectIdle, q)
		}
	}
	d.ended = d.ended[:0]
	d.taken = true
	return d.effects
}

// begin is the start of every input: effects that were given out are forgotten,
// and with them the store's memory that they hold.
func (d *Dispatcher) begin() {
	if !d.taken {
		return
	}
	const keep = 4096
	if cap(d.effects) > keep {
		d.effects = nil
	} else {
		clear(d.effects)
		d.effects = d.effects[:0]
	}
	d.lastRemove = -1
	d.taken = false
}

// emit adds an effect, to be filled in by the caller at once.
func (d *Dispatcher) emit(kind EffectKind, q ID) *Effect {
	n := len(d.effects)
	if n < cap(d.effects) {
		d.effects = d.effects[:n+1] // cleared by begin
	} else {
		d.effects = append(d.effects, Effect{})
	}
	e := &d.effects[n]
	e.Kind, e.Queue = kind, q
	return e
}

// emitOutcome tells an entry's holder what became of its outcome.
func (d *Dispatcher) emitOutcome(kind EffectKind, e *entry) {
	f := d.emit(kind, e.holder.runtime.q)
	f.Consumer, f.Seq, f.Outcome, f.Ref = e.holder.id, e.seq, e.outcome, e.ref
}

// emitRemove proposes the removal of one message; neighbours that are decided
// one after the other, as they usually are, become one run.
func (d *Dispatcher) emitRemove(q ID, reason Reason, seq Seq, size int, awaited bool) {
	if d.lastRemove >= 0 {
		last := &d.effects[d.lastRemove]
		if last.Queue == q && last.Reason == reason && last.Run.End() == seq && last.Run.Count < 1<<32-1 {
			last.Run.Count++
			last.Run.Bytes += uint64(size)
			last.Awaited = last.Awaited || awaited
			return
		}
	}
	d.lastRemove = len(d.effects)
	f := d.emit(EffectRemove, q)
	f.Reason, f.Run, f.Awaited = reason, Run{First: seq, Count: 1, Bytes: uint64(size)}, awaited
}
