package queue

// A client may settle what it got from an earlier leader's dispatcher. Here the message
// is back in its place, or on its way to somebody else, or with somebody else. What the
// client says is made a fact all the same. That it is one may be told only when no
// delivery of the message can begin any more:
//
//   - One that waits is taken out at once, as if its outcome had come from a holder.
//   - One of which nothing is known, because the store has yet to be asked for it, is
//     known from now on; the load that brings it finds that.
//   - One that is out is asked back (EffectRecall). Either it was not sent yet and is
//     returned, or its holder's client has it, which Sent tells. That is nobody's fault,
//     and the last delivery of it: whatever becomes of that, the message goes.

// claim is a late outcome whose consumer waits to hear that it is final.
type claim struct {
	consumer ConsumerID // may have left
	ref      uint64
	outcome  OutcomeKind
}

// Late tells what c, which is not its holder here, made of seq: Accepted, RejectedKind,
// or a Modified that is Recorded. ref comes back with Confirmed or OutcomeFailed; after
// the latter it may be told again.
func (d *Dispatcher) Late(c ConsumerID, seq Seq, ref uint64, o Outcome) {
	d.begin()
	cons := d.consumers[c]
	if cons == nil {
		return
	}
	r, late := cons.runtime, claim{c, ref, o.Kind}
	e := r.table.get(seq)
	switch {
	case e == nil && seq < r.loadPos:
		d.emitClaim(EffectConfirmed, r, seq, late) // it is dead
		return
	case o.Kind == Modified:
		d.lateModified(r, e, seq, modifyClaim{late, o})
	default:
		if e == nil {
			e = d.unloaded(r, seq)
		}
		d.lateSettled(r, e, late)
	}
	d.dispatch(r)
}

// lateSettled has e go, wherever it is.
func (d *Dispatcher) lateSettled(r *runtime, e *entry, late claim) {
	proposed := r.claimed(e)
	r.claim(e, late)
	reason := Settled
	if late.outcome == RejectedKind {
		reason = Rejected
	}
	switch e.state {
	case ready:
		d.takeOut(r, e)
		d.stats.Acquired++
		d.settle(r, e, reason)
	case parked:
		d.settle(r, e, reason)
	case acquired:
		if !proposed {
			d.emitRemove(r.q, reason, e.seq, e.size, true)
		}
		d.recall(r, e)
	case gone:
		d.recall(r, e)
	}
	d.known(r, e)
}

// unloaded makes an entry of a message that is in the store, as if it was out with
// nobody. Its size is not known: it is taken for an average one.
func (d *Dispatcher) unloaded(r *runtime, seq Seq) *entry {
	e := d.pool.get()
	e.seq, e.state, e.size, e.touched = seq, parked, r.mean, true
	for _, m := range r.modifies.all() { // it was known, and removed, before it is told here
		if m.seq == seq {
			e.modifies++
		}
	}
	r.table.put(e)
	d.stats.Acquired++
	return e
}

// recall asks for e back, once for each of its holders.
func (d *Dispatcher) recall(r *runtime, e *entry) {
	switch {
	case e.recall == withClient && e.state == gone:
		d.final(r, e, EffectConfirmed)
	case e.recall == notRecalled:
		e.recall = recalled
		f := d.emit(EffectRecall, r.q)
		f.Consumer, f.Seq = e.holder.id, e.seq
	}
}

// Sent answers an EffectRecall: c's client has the message.
func (d *Dispatcher) Sent(c ConsumerID, seq Seq) {
	d.begin()
	cons := d.consumers[c]
	if cons == nil {
		return
	}
	r := cons.runtime
	if e := r.table.get(seq); e != nil && e.holder == cons && e.recall == recalled {
		e.recall = withClient
		if e.state == gone {
			d.final(r, e, EffectConfirmed)
		}
	}
}

// claim notes who waits to hear that e is gone.
func (r *runtime) claim(e *entry, late claim) {
	if r.claims == nil {
		r.claims = map[Seq][]claim{}
	}
	r.claims[e.seq] = append(r.claims[e.seq], late)
}

// claimed tells whether the end of e is proposed whatever its holder says.
func (r *runtime) claimed(e *entry) bool {
	return len(r.claims) > 0 && len(r.claims[e.seq]) > 0
}

// final tells those who settled e late what became of it.
func (d *Dispatcher) final(r *runtime, e *entry, kind EffectKind) {
	if !r.claimed(e) {
		return
	}
	for _, late := range r.claims[e.seq] {
		d.emitClaim(kind, r, e.seq, late)
	}
	delete(r.claims, e.seq)
}

// emitClaim tells one consumer, if it is still there.
func (d *Dispatcher) emitClaim(kind EffectKind, r *runtime, seq Seq, late claim) {
	if d.consumers[late.consumer] != nil {
		f := d.emit(kind, r.q)
		f.Consumer, f.Seq, f.Outcome, f.Ref = late.consumer, seq, late.outcome, late.ref
	}
}
