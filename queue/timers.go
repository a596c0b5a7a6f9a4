package queue

// timer is something that becomes due: the end of a message's cooling, or of a
// queue's stall (seq 0). What it is about may have changed or gone meanwhile.
type timer struct {
	at  int64 // Unix milliseconds
	q   ID
	seq Seq
}

// timerQueue holds timers in the order in which they become due, which is the
// order in which they are made: all run for CoolMillis, and now never goes
// back. (Redelivery delays by policy will need a heap here.)
type timerQueue struct{ fifo[timer] }

// next is when the next timer becomes due, 0: there is none.
func (t *timerQueue) next() int64 {
	if t.len() == 0 {
		return 0
	}
	return t.all()[0].at
}

// due takes out the next timer that is due.
func (t *timerQueue) due(nowMillis int64) (timer, bool) {
	if t.len() == 0 || t.next() > nowMillis {
		return timer{}, false
	}
	return t.pop(), true
}

// SetNow tells the time, Unix milliseconds. It never goes back: an earlier
// time is ignored. Call it before a batch of inputs.
func (d *Dispatcher) SetNow(nowMillis int64) { d.now = max(d.now, nowMillis) }

// NextTick is when Tick wants to be called, Unix milliseconds; 0: never.
func (d *Dispatcher) NextTick() int64 { return d.timers.next() }

// Tick is SetNow, and does what has become due. NextTick says when to call it;
// to call it at other times does no harm.
func (d *Dispatcher) Tick(nowMillis int64) {
	d.begin()
	d.SetNow(nowMillis)
	for {
		t, ok := d.timers.due(d.now)
		if !ok {
			return
		}
		r := d.runtimes[t.q]
		if r == nil {
			continue
		}
		if t.seq == 0 {
			if r.stalledUntil > d.now {
				continue
			}
			r.stalledUntil = 0
		} else if e := r.table.get(t.seq); e != nil && e.state == ready && e.only != nil &&
			e.only.cool != 0 && e.only.coolUntil <= d.now {
			e.only.cool = 0
			d.unrestrict(r, e)
		}
		d.dispatch(r)
	}
}

// stall keeps r from proposing and loading for CoolMillis.
func (d *Dispatcher) stall(r *runtime) {
	r.stalledUntil = d.now + CoolMillis
	d.timers.push(timer{at: r.stalledUntil, q: r.q})
}
