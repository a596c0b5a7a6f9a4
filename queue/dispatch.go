package queue

// dispatch hands out what can be handed out, asks for more, and answers those
// who drain. Every input that changes one of the three ends with it.
func (d *Dispatcher) dispatch(r *runtime) {
	if r.stalledUntil != 0 {
		return
	}
	var stub *entry
	for r.hungry.first != nil {
		e, c := d.pick(r)
		if e == nil {
			break
		}
		if e.expired(d.now) {
			d.expire(r, e)
			continue
		}
		if !e.loaded {
			stub = e // whatever comes behind it must wait, for the order's sake
			break
		}
		d.deliver(r, c, e)
	}
	d.feed(r, stub)
	d.feedUnknown(r)
	if len(r.browsers) > 0 {
		d.feedBrowsers(r)
	}
	if r.draining > 0 {
		d.answerDrains(r, stub != nil)
	}
}

// pick gives the first message that a hungry consumer may have, and the first
// consumer in turn that may have it. REQUIRES: somebody is hungry.
func (d *Dispatcher) pick(r *runtime) (*entry, *consumer) {
	best, taker, bound := r.ready.first, r.hungry.first, noSeq
	if best != nil {
		bound = best.seq
	}
	if r.restricted.first == nil || r.restricted.first.seq > bound {
		return best, taker
	}
	for c := r.hungry.first; c != nil; c = c.next {
		if c.clearBelow >= bound {
			continue
		}
		if e := d.firstFor(r, c); e != nil && e.seq < bound {
			best, taker, bound = e, c, e.seq
		}
	}
	return best, taker
}

// firstFor is the first restricted message that c may have. What it learns it
// keeps in c.clearBelow, so that a consumer which refused thousands does not
// pay for them with every message.
func (d *Dispatcher) firstFor(r *runtime, c *consumer) *entry {
	for e := r.restricted.first; e != nil; e = e.next {
		if e.only.admits(c, d.now) {
			c.clearBelow = e.seq
			return e
		}
	}
	c.clearBelow = noSeq
	return nil
}

// deliver gives the waiting message e to c.
func (d *Dispatcher) deliver(r *runtime, c *consumer, e *entry) {
	payload, annotations := e.payload, e.annotate
	d.takeOut(r, e)
	if e.only != nil {
		e.only.cool = 0
		if len(e.only.excluded) == 0 {
			e.only = nil
		}
	}
	d.hand(r, c, e, payload, annotations)
}

// hand makes e, which is in no list, c's.
func (d *Dispatcher) hand(r *runtime, c *consumer, e *entry, payload, annotations []byte) {
	f := d.emit(EffectDeliver, r.q)
	f.Consumer = c.id
	f.Message = Message{
		Queue:          r.q,
		Flags:          e.flags,
		FirstAcquirer:  r.firstAcquirer(e),
		DeliveryCount:  r.attempts(e),
		Seq:            e.seq,
		DeadlineMillis: e.deadline,
		Annotations:    annotations,
		Payload:        payload,
		Implied:        e.seq <= r.suspect,
	}
	e.state, e.holder, e.touched = acquired, c, true
	e.recall = notRecalled
	d.stats.Acquired++
	c.out.push(e)
	c.sent++
	c.unsettled++
	if c.hungry { // to the end of the ring: others first
		r.hungry.remove(c)
	}
	c.refresh()
	if e.seq > r.high {
		r.high = e.seq
		d.queueMark(r)
	}
}

// firstAcquirer tells whether nobody had the message before. When in doubt,
// somebody had: "If this value is true, then this message has not been acquired
// by any other link. If this value is false, then this message MAY have
// previously been acquired by another link or links." [amqp-messaging 3.2.1]
func (r *runtime) firstAcquirer(e *entry) bool {
	return !e.touched && e.count == 0 && e.seq > r.deliveredBefore
}

// attempts is how many deliveries failed: those that are counted, and one more
// if an earlier leader may have delivered it and never learned how that went.
// Modify stores the count without it, so that it is not added twice.
func (r *runtime) attempts(e *entry) uint32 {
	if e.seq <= r.suspect {
		return e.count + 1
	}
	return e.count
}

// answerDrains tells those who drain and for whom there is nothing to wait for:
// their credit is used up, or they cannot take more now, or nothing is left.
func (d *Dispatcher) answerDrains(r *runtime, waiting bool) {
	waiting = waiting || r.load != 0 || r.loadPos < r.tail
	for _, c := range r.consumers {
		if c.draining && !(c.hungry && waiting) {
			d.drained(c)
		}
	}
	for _, b := range r.browsers {
		if b.draining && (!b.hasCredit() || b.load == 0 && b.pos >= r.tail) {
			d.drained(b)
		}
	}
}

// drained answers a drain. What the peer's credit was is used up by that; so
// nothing more may go out until it grants anew.
func (d *Dispatcher) drained(c *consumer) {
	c.setDraining(false)
	c.setLimit(min(c.limit, c.sent))
	d.emit(EffectDrained, c.runtime.q).Consumer = c.id
}

// unbuffer takes e out of the buffer's account.
func (d *Dispatcher) unbuffer(r *runtime, e *entry) {
	if !e.loaded {
		return
	}
	r.bufMessages--
	r.bufBytes -= e.size
	d.stats.BufferedMessages--
	d.stats.BufferedBytes -= e.size
}

// fill gives the waiting message e what the store has of it.
func (d *Dispatcher) fill(r *runtime, e *entry, m *Message) {
	e.payload, e.size, e.count = m.Payload, len(m.Payload), max(e.count, m.DeliveryCount)
	e.deadline, e.flags = m.DeadlineMillis, m.Flags // see unloaded
	if !e.ours {
		e.annotate = m.Annotations
	}
	e.loaded = true
	r.bufMessages++
	r.bufBytes += e.size
	d.stats.BufferedMessages++
	d.stats.BufferedBytes += e.size
}

// takeOut takes the waiting message e out of its list, without its payload.
func (d *Dispatcher) takeOut(r *runtime, e *entry) {
	r.list(e).remove(e)
	d.unbuffer(r, e)
	e.loaded, e.payload = false, nil
	if !e.ours {
		e.annotate = nil
	}
}

// forget ends what is known of e, wherever it stands.
func (d *Dispatcher) forget(r *runtime, e *entry) {
	switch {
	case e.state == ready:
		d.takeOut(r, e)
	case e.holder != nil:
		e.holder.out.remove(e)
	}
	if e.state != ready {
		d.stats.Acquired--
	}
	r.notLate(e)
	d.final(r, e, EffectConfirmed)
	if e.only != nil {
		for _, id := range e.only.excluded {
			if c := d.consumers[id]; c != nil {
				c.excluded--
				c.refresh()
			}
		}
	}
	r.table.remove(e.seq)
	d.pool.put(e)
}
