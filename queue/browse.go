package queue

// Browsers. Each has a cursor and a load of its own, and no buffer: what it has
// no credit for is read again later. It is shown what waits: not what is out
// with a consumer, which is not AVAILABLE [amqp-messaging 3.3].

// feedBrowsers asks for what browsers with credit have not seen.
func (d *Dispatcher) feedBrowsers(r *runtime) {
	for _, b := range r.browsers {
		if b.load != 0 || !b.hasCredit() || b.pos >= r.tail {
			continue
		}
		b.stale = false
		b.load = d.ask(r, b.pos, int(min(b.limit-b.sent, uint64(d.cfg.BufferMessages))))
	}
}

// browserOf is the browser that waits for a load, nil if none does.
func (r *runtime) browserOf(id LoadID) *consumer {
	for _, b := range r.browsers {
		if b.load == id && id != 0 {
			return b
		}
	}
	return nil
}

// showLoaded shows b what a load of its own brought, as far as its credit goes.
func (d *Dispatcher) showLoaded(r *runtime, b *consumer, msgs []Message, next Seq) {
	r.sortTombs()
	cursor := 0
	for i := range msgs {
		if !b.hasCredit() {
			return
		}
		m := &msgs[i]
		if !r.wasRemoved(m.Seq, &cursor) {
			d.show(r, b, m)
		}
		b.pos = m.Seq + 1
	}
	b.pos = max(b.pos, next)
	r.tail = max(r.tail, next)
}

// showNew shows a new message to the browsers that have seen all before it.
func (d *Dispatcher) showNew(r *runtime, m *Message) {
	for _, b := range r.browsers {
		if b.pos == m.Seq && b.load == 0 && b.hasCredit() {
			d.show(r, b, m)
			b.pos++
		}
	}
}

// show gives b a copy of m if m waits.
func (d *Dispatcher) show(r *runtime, b *consumer, m *Message) {
	e := r.table.get(m.Seq)
	if e != nil && e.state != ready && e.state != parked || m.DeadlineMillis != 0 && m.DeadlineMillis <= d.now {
		return
	}
	b.sent++
	f := d.emit(EffectDeliver, r.q)
	f.Consumer, f.Message = b.id, *m
	f.Message.Queue = r.q
	if e == nil {
		e = &entry{seq: m.Seq, count: m.DeliveryCount, touched: m.Seq <= r.high}
	}
	if e.ours {
		f.Message.Annotations = e.annotate
	}
	f.Message.FirstAcquirer, f.Message.DeliveryCount = r.firstAcquirer(e), r.attempts(e)
}
