package queue

import "slices"

// What connections do in the world.

func (w *world) attach(browse bool, maxUnsettled uint32, router bool) *conn {
	c := &conn{id: w.nextC, browse: browse, max: maxUnsettled, router: router, waits: map[uint64]*wait{}}
	w.nextC++
	w.conns[c.id] = c
	s := w.state()
	w.tail = max(w.tail, s.Tail)
	w.d.Attach(c.id, w.q, AttachOptions{Browse: browse, MaxUnsettled: maxUnsettled, NoExclude: router},
		Snapshot{State: s, MaxDeliveries: worldMaxDeliveries})
	w.effects()
	return c
}

func (w *world) detach(c *conn) {
	delete(w.conns, c.id)
	for _, s := range c.out {
		w.bodies[s].holder = 0
		w.bodies[s].cool = 0
	}
	w.d.Detach(c.id)
	w.effects()
}

func (w *world) credit(c *conn, n uint64, drain bool) {
	if c.received+n > c.limit {
		c.renewals++
	}
	c.limit = c.received + n
	c.draining = drain
	if drain {
		w.d.Drain(c.id, c.limit)
	} else {
		w.d.SetLimit(c.id, c.limit)
	}
	w.effects()
}

// outcome decides one of the deliveries that c has.
func (w *world) outcome(c *conn, i int, o Outcome) {
	if c.browse || len(c.out) == 0 {
		return
	}
	i %= len(c.out)
	s := c.out[i]
	c.out = slices.Delete(c.out, i, i+1)
	b := w.bodies[s]
	w.lastRef++
	ref, wt := w.lastRef, &wait{seq: s}
	c.waits[ref] = wt
	b.settled = o.Kind == Accepted || o.Kind == RejectedKind
	gone := b.gone(w, s)
	switch {
	case gone:
	case b.settled || o.Failed && b.attempts+1 >= worldMaxDeliveries:
		b.deciding = true
	case o.Kind == Released || !o.Failed && len(o.Annotations) == 0:
		b.holder, b.cool, b.coolTo, b.coolGen = 0, c.id, w.now+CoolMillis, c.renewals
	case b.msg.DeadlineMillis != 0 && b.msg.DeadlineMillis <= w.now:
		b.deciding = true
	default:
		b.holder, wt.modify = 0, true
		b.modifies = append(b.modifies, wt)
		if o.Failed {
			b.count++
		}
		if len(o.Annotations) > 0 {
			b.notes = o.Annotations
		}
	}
	if o.Here && !c.router && !b.deciding {
		b.came[c.id] = true
	}
	w.d.Outcome(c.id, s, ref, o)
	w.effects()
	if wt.modify && b.holder != c.id { // said twice it makes no difference
		w.d.Outcome(c.id, s, ref, o)
		w.effects()
	}
}

func (b *body) gone(w *world, s Seq) bool {
	r := w.d.runtimes[w.q]
	return r == nil || r.table.get(s) == nil || r.table.get(s).state == gone
}

func (w *world) giveBack(c *conn, i int) {
	if c.browse || len(c.out) == 0 {
		return
	}
	i %= len(c.out)
	s := c.out[i]
	c.out = slices.Delete(c.out, i, i+1)
	w.bodies[s].holder = 0
	c.limit = min(c.limit, c.received)
	w.d.Return(c.id, s)
	w.effects()
}
