package queue

// Outcome tells what c made of seq; ref comes back with Confirmed or
// OutcomeFailed. What needs no fact, because it is not replicated, is confirmed
// at once; so is what is said of a message that is gone. To say it twice makes
// no difference.
func (d *Dispatcher) Outcome(c ConsumerID, seq Seq, ref uint64, o Outcome) {
	d.begin()
	cons := d.consumers[c]
	if cons == nil {
		return
	}
	r := cons.runtime
	e := r.table.get(seq)
	if e != nil && e.holder != cons && r.isModifying(c, e) {
		return
	}
	if cons.opts.Browse || e == nil || e.holder != cons {
		f := d.emit(EffectConfirmed, r.q)
		f.Consumer, f.Seq, f.Outcome, f.Ref = c, seq, o.Kind, ref
		return
	}
	if e.state == settling {
		return
	}
	e.outcome, e.ref = o.Kind, ref
	switch {
	case e.state == gone:
		d.confirm(r, e)
		d.forget(r, e)
	case o.Kind == Accepted:
		d.settle(r, e, Settled)
	case o.Kind == RejectedKind:
		d.settle(r, e, Rejected)
	case o.Kind == Modified:
		d.modified(r, e, o)
	default:
		d.confirm(r, e)
		d.comeBack(r, e, cons)
	}
	d.dispatch(r)
}

// modified does what the consumer's Modified asks for.
//
// "If the delivery-failed flag is set, any messages modified MUST have their
// delivery-count incremented." "If the undeliverable-here is set, then any
// messages released MUST NOT be redelivered to the modifying link endpoint."
// [amqp-messaging 3.4.5]
func (d *Dispatcher) modified(r *runtime, e *entry, o Outcome) {
	c, needsFact := e.holder, o.Recorded()
	switch {
	case o.Failed && r.maxDeliveries != 0 && r.attempts(e)+1 >= r.maxDeliveries:
		d.settle(r, e, Rejected)
		return
	case needsFact && e.expired(d.now):
		d.settleLate(r, e)
		return
	}
	if o.Here && !c.opts.NoExclude {
		d.exclude(e, c)
	}
	if needsFact {
		d.proposeModify(r, e, o)
		d.comeBack(r, e, nil)
		return
	}
	d.confirm(r, e)
	d.comeBack(r, e, c)
}

// exclude keeps e from c for as long as c is attached.
func (d *Dispatcher) exclude(e *entry, c *consumer) {
	if e.only == nil {
		e.only = &restriction{}
	}
	e.only.excluded = append(e.only.excluded, c.id)
	c.excluded++
	c.refresh()
}

// settle proposes the removal of e; the fact ends it.
func (d *Dispatcher) settle(r *runtime, e *entry, reason Reason) {
	e.state = settling
	d.emitRemove(r.q, reason, e.seq, e.size, r.awaits(e, reason))
}

// awaits tells whether the removal of e, for reason, keeps anybody waiting: a consumer
// that is to hear of it, or that gets little more before; who has settled e late; or the
// page that is loaded behind what has expired.
func (r *runtime) awaits(e *entry, reason Reason) bool {
	c := e.holder
	return reason == Expired || e.ref != 0 || r.claimed(e) || c != nil && c.unsettled > c.opts.MaxUnsettled/2
}

// expire proposes the removal of a waiting message whose deadline has come.
func (d *Dispatcher) expire(r *runtime, e *entry) {
	d.takeOut(r, e)
	d.stats.Acquired++
	d.settleLate(r, e)
}

// settleLate proposes the removal of a message for its deadline. How many are
// under way is counted: feed loads no more of a backlog that has expired before
// the store has got rid of these.
func (d *Dispatcher) settleLate(r *runtime, e *entry) {
	e.late = true
	r.late++
	d.settle(r, e, Expired)
}

// Return gives back a delivery that the connection could not send. It is not
// counted, and c gets nothing more until its next SetLimit.
func (d *Dispatcher) Return(c ConsumerID, seq Seq) {
	d.begin()
	cons := d.consumers[c]
	if cons == nil {
		return
	}
	cons.setLimit(min(cons.limit, cons.sent))
	r := cons.runtime
	if e := r.table.get(seq); e != nil && e.holder == cons {
		switch e.state {
		case acquired:
			d.letGo(e)
			d.comeBack(r, e, nil)
		case gone:
			d.letGo(e)
			d.forget(r, e)
		}
	}
	d.dispatch(r)
}

// letGo takes e from its holder, who may take another one for it.
func (d *Dispatcher) letGo(e *entry) {
	c := e.holder
	if c == nil {
		return
	}
	c.out.remove(e)
	e.holder = nil
	c.unsettled--
	c.refresh()
}

// confirm tells e's holder, if it is still there, that its outcome holds, and
// takes e from it.
func (d *Dispatcher) confirm(r *runtime, e *entry) {
	if e.holder != nil {
		d.emitOutcome(EffectConfirmed, e)
		d.letGo(e)
	}
}

// comeBack puts e, which nobody holds any more, back in its place, unless somebody has
// settled it late, or it has failed too often by what was said late, or its deadline has
// come meanwhile. cool is the consumer that is not to get it again at once, nil for none.
func (d *Dispatcher) comeBack(r *runtime, e *entry, cool *consumer) {
	switch {
	case r.claimed(e):
		e.state = settling // as is proposed
	case e.spent:
		d.settle(r, e, Rejected)
	case e.expired(d.now):
		d.settleLate(r, e)
	default:
		d.putBack(r, e, cool)
	}
}

// putBack is comeBack without a look at what would end the message.
func (d *Dispatcher) putBack(r *runtime, e *entry, cool *consumer) {
	r.notLate(e)
	e.spent = false
	switch waits := len(r.consumers) > 0 && e.seq < r.loadPos; {
	case !waits && e.modifies > 0:
		d.park(e)
		return
	case !waits:
		// The load that comes by, if one does, will bring it. One that is under
		// way may have read it as it was before.
		r.loadStale = r.load != 0
		d.forget(r, e)
		return
	}
	e.state, e.fillFrom = ready, d.nextLoad+1
	d.stats.Acquired--
	if cool != nil {
		d.cool(r, e, cool)
	}
	r.list(e).insert(e)
	if e.only != nil {
		r.offer(e, d.now)
	}
}

// cool keeps e from the consumer that released it, for a while.
func (d *Dispatcher) cool(r *runtime, e *entry, c *consumer) {
	if e.only == nil {
		e.only = &restriction{}
	}
	e.only.cool, e.only.coolGen, e.only.coolUntil = c.id, c.gen, d.now+CoolMillis
	c.cooled = true
	d.timers.push(timer{at: e.only.coolUntil, q: r.q, seq: e.seq})
}

// unrestrict makes the waiting message e one for everybody if nothing is left
// that keeps it from someone, else tells those who may have it now.
func (d *Dispatcher) unrestrict(r *runtime, e *entry) {
	if e.only.cool != 0 || len(e.only.excluded) > 0 {
		r.offer(e, d.now)
		return
	}
	r.restricted.remove(e)
	e.only = nil
	r.ready.insert(e)
}
