package queue

import "slices"

// Attach adds consumer c to queue q. It has no credit yet.
// REQUIRES: c is not attached.
func (d *Dispatcher) Attach(c ConsumerID, q ID, opts AttachOptions, snap Snapshot) {
	d.begin()
	if opts.MaxUnsettled == 0 {
		opts.MaxUnsettled = DefaultMaxUnsettled
	}
	r := d.runtimes[q]
	if r == nil {
		r = &runtime{q: q}
		d.runtimes[q] = r
	}
	r.tail = max(r.tail, snap.State.Tail)
	r.maxDeliveries = snap.MaxDeliveries
	r.marked = max(r.marked, snap.State.DeliveredUpTo)
	if n := snap.State.Count; n > 0 {
		r.mean = int(snap.State.Bytes / n)
	}
	if len(r.consumers) == 0 {
		r.suspect = snap.State.Suspect(d.cfg.Epoch)
		r.high = max(r.high, snap.State.DeliveredUpTo)
		r.deliveredBefore = r.high
	}
	cons := &consumer{id: c, runtime: r, opts: opts}
	d.consumers[c] = cons
	if opts.Browse {
		cons.pos = snap.State.Head
		r.browsers = append(r.browsers, cons)
		return
	}
	if len(r.consumers) == 0 {
		r.loadPos = snap.State.Head
	}
	r.consumers = append(r.consumers, cons)
}

// Detach removes c: what it held and had not decided is released. Nothing more
// comes for c. An unknown consumer is ignored.
func (d *Dispatcher) Detach(c ConsumerID) {
	d.begin()
	cons := d.consumers[c]
	if cons == nil {
		return
	}
	delete(d.consumers, c)
	cons.setDraining(false)
	r := cons.runtime
	if cons.opts.Browse {
		r.browsers = drop(r.browsers, cons)
		if cons.load != 0 {
			r.loadEnded()
		}
	} else {
		d.detachTaker(r, cons)
	}
	d.dispatch(r)
	d.end(r)
}

// detachTaker removes a consumer that is not a browser.
func (d *Dispatcher) detachTaker(r *runtime, c *consumer) {
	r.consumers = drop(r.consumers, c)
	r.window -= c.window
	if c.hungry {
		r.hungry.remove(c)
	}
	d.freeOf(r, c)
	for e := c.out.first; e != nil; e = c.out.first {
		c.out.remove(e)
		e.holder = nil
		switch e.state {
		case acquired:
			d.comeBack(r, e, nil)
		case gone:
			d.forget(r, e)
		}
	}
	if len(r.consumers) == 0 {
		d.dropReady(r)
	}
}

// freeOf lifts c's restrictions from what waits.
func (d *Dispatcher) freeOf(r *runtime, c *consumer) {
	for e := r.restricted.first; e != nil; {
		next := e.next
		if e.only.cool == c.id {
			e.only.cool = 0
		}
		e.only.excluded = drop(e.only.excluded, c.id)
		d.unrestrict(r, e)
		e = next
	}
}

// dropReady forgets what waits: without consumers it is the store's alone.
func (d *Dispatcher) dropReady(r *runtime) {
	for _, l := range [...]*entryList{&r.ready, &r.restricted} {
		for e := l.first; e != nil; e = l.first {
			if e.modifies > 0 {
				d.takeOut(r, e)
				d.stats.Acquired++
				d.park(e)
			} else {
				d.forget(r, e)
			}
		}
	}
	if r.load != 0 {
		r.load = 0
		r.loadEnded()
	}
	r.loadStale = false
}

// drop takes x out of a list, keeping the order.
func drop[T comparable](list []T, x T) []T {
	if i := slices.Index(list, x); i >= 0 {
		return slices.Delete(list, i, i+1)
	}
	return list
}
