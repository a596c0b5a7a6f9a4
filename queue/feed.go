package queue

// Loads. A runtime has at most one outstanding, each browser one of its own, and there is
// one for what was modified late (late_modified.go).

// feed asks the store for the stub that keeps the others waiting, else for the
// next page when the buffer is half empty: also while nobody has credit, if
// somebody usually has, so that the messages are there when it comes.
func (d *Dispatcher) feed(r *runtime, stub *entry) {
	switch {
	case r.load != 0:
		return
	case stub != nil:
		d.askMain(r, stub.seq, d.stubSpan(stub))
		return
	case r.loadPos >= r.tail || r.window == 0 || r.late >= d.cfg.BufferMessages:
		return
	}
	// What is restricted does not count: that nobody who is hungry may have it
	// must not keep the rest from them.
	page := d.pageSize(r)
	if 2*r.ready.n > page {
		return
	}
	if r.ready.n > 0 && (2*r.bufBytes > d.cfg.BufferBytes || d.stats.BufferedBytes >= d.cfg.TotalBytes) {
		return
	}
	d.askMain(r, r.loadPos, page-r.ready.n)
}

// pageSize is how many messages to have ready: twice what the consumers grant,
// so that the next page comes in while this one goes out, but not a thousand
// for a consumer that wants one.
func (d *Dispatcher) pageSize(r *runtime) int {
	const least = 32
	return min(max(2*r.window, least), d.cfg.BufferMessages)
}

// stubSpan is how many messages to load for a stub: up to the last of the stubs
// that follow it closely, and no more, for what lies between is out or buffered.
func (d *Dispatcher) stubSpan(stub *entry) int {
	last := stub
	for e := stub.next; e != nil && !e.loaded && e.seq-last.seq <= 4; e = e.next {
		if e.seq-stub.seq >= Seq(d.cfg.BufferMessages) {
			break
		}
		last = e
	}
	return int(last.seq-stub.seq) + 1
}

func (d *Dispatcher) askMain(r *runtime, from Seq, maxMessages int) {
	r.loadFrom, r.loadStale = from, false
	r.load = d.ask(r, from, maxMessages)
}

// ask emits a Load.
func (d *Dispatcher) ask(r *runtime, from Seq, maxMessages int) LoadID {
	d.nextLoad++
	r.loads++
	f := d.emit(EffectLoad, r.q)
	f.Load, f.From = d.nextLoad, from
	f.MaxMessages, f.MaxBytes = maxMessages, d.cfg.BufferBytes
	return d.nextLoad
}

// Loaded answers a Load: msgs are the live messages of q in [From, next), in
// order, as they were at some moment after the Load was asked for. next is
// beyond From unless From is the tail. A load that is no longer wanted is
// ignored.
func (d *Dispatcher) Loaded(q ID, id LoadID, msgs []Message, next Seq) {
	d.begin()
	r := d.runtimes[q]
	if r == nil {
		return
	}
	switch {
	case id == r.load && id != 0:
		r.load = 0
		if !r.loadStale {
			d.takeLoaded(r, id, msgs, next)
		}
		r.loadEnded()
	case id == r.peek && id != 0:
		r.peek = 0
		d.takePeeked(r, id, msgs, next)
		r.loadEnded()
	default:
		b := r.browserOf(id)
		if b == nil {
			return
		}
		b.load = 0
		if !b.stale {
			d.showLoaded(r, b, msgs, next)
		}
		r.loadEnded()
	}
	d.dispatch(r)
	d.end(r)
}

// LoadFailed answers a Load that could not be made. It is asked for again
// after CoolMillis.
func (d *Dispatcher) LoadFailed(q ID, id LoadID) {
	d.begin()
	r := d.runtimes[q]
	if r == nil {
		return
	}
	if id == r.load && id != 0 {
		r.load = 0
	} else if id == r.peek && id != 0 {
		r.peek = 0
	} else if b := r.browserOf(id); b != nil {
		b.load = 0
	} else {
		return
	}
	r.loadEnded()
	d.stall(r)
}

// takeLoaded fills stubs and appends what lies behind loadPos.
func (d *Dispatcher) takeLoaded(r *runtime, id LoadID, msgs []Message, next Seq) {
	if next <= r.loadFrom {
		d.stall(r) // the store broke its promise: do not ask it without end
		return
	}
	r.sortTombs()
	cursor := 0
	for i := range msgs {
		m := &msgs[i]
		e := r.table.get(m.Seq)
		switch {
		case e != nil && e.state == ready && !e.loaded && e.fillFrom <= id:
			d.fill(r, e, m)
		case e == nil && m.Seq >= r.loadPos && !r.wasRemoved(m.Seq, &cursor):
			d.take(r, m)
		case e != nil && e.state == parked && m.Seq >= r.loadPos:
			d.unpark(r, e, m)
		}
	}
	d.dropMissing(r, id, r.loadFrom, next)
	r.loadPos = max(r.loadPos, next)
	r.tail = max(r.tail, next)
}

// dropMissing forgets the stubs in [from, next) that the load should have
// filled: they are dead, though the fact has not come yet.
func (d *Dispatcher) dropMissing(r *runtime, id LoadID, from, next Seq) {
	for _, l := range [...]*entryList{&r.ready, &r.restricted} {
		for e := l.first; e != nil && e.seq < next; {
			following := e.next
			if e.seq >= from && !e.loaded && e.fillFrom <= id {
				d.forget(r, e)
			}
			e = following
		}
	}
}
