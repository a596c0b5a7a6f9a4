package queue

import (
	"slices"

	"github.com/stretchr/testify/require"
)

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
		w.bodies[s].deciding = w.bodies[s].late
	}
	w.d.Detach(c.id)
	w.effects()
	for _, s := range c.out {
		w.cameBack(s)
	}
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
	settles := o.Kind == Accepted || o.Kind == RejectedKind
	b.settled, b.shown = settles || b.late, true
	gone := b.gone(w, s)
	switch {
	case gone:
	case settles || o.Failed && w.attempts(s)+1 >= worldMaxDeliveries:
		b.deciding = true
	case o.Kind == Released || !o.Failed && len(o.Annotations) == 0:
		b.holder, b.cool, b.coolTo, b.coolGen = 0, c.id, w.now+CoolMillis, c.renewals
		b.deciding = b.late
	case b.msg.DeadlineMillis != 0 && b.msg.DeadlineMillis <= w.now:
		b.deciding = true
	default:
		b.holder, wt.modify, b.deciding = 0, true, b.late
		wt.outcome = o
		wt.outcome.Failures = b.base
		b.modifies = append(b.modifies, wt)
		if o.Failed {
			b.count++
			wt.least = b.base + 1
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
	w.cameBack(s)
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
	w.bodies[s].holder, w.bodies[s].deciding = 0, w.bodies[s].late
	c.limit = min(c.limit, c.received)
	w.d.Return(c.id, s)
	w.effects()
	w.cameBack(s)
}

// cameBack: what has failed too often while it was out goes when it comes back.
func (w *world) cameBack(s Seq) {
	if b := w.bodies[s]; b.spent && !b.unsure && !b.gone(w, s) {
		require.True(w.t, b.deciding, "%d has failed too often", s)
	}
}

// late settles what c had from an earlier leader's dispatcher.
func (w *world) late(c *conn, s Seq, kind OutcomeKind) {
	b := w.bodies[s]
	if c.browse || b == nil {
		return
	}
	w.lastRef++
	c.waits[w.lastRef] = &wait{seq: s, late: true}
	b.settled, b.wasLate = true, true
	if b.holder != 0 && !b.deciding {
		b.late = true
	} else {
		b.deciding = true
	}
	w.d.Late(c.id, s, w.lastRef, Outcome{Kind: kind})
	w.effects()
}

// lateModified tells of what c had from an earlier leader's dispatcher, when its stored
// count was o.Failures; or once more of what could not be made a fact.
func (w *world) lateModified(c *conn, s Seq, o Outcome) {
	b := w.bodies[s]
	if c.browse || b == nil {
		return
	}
	w.lastRef++
	wt := &wait{seq: s, modify: true, outcome: o}
	c.waits[w.lastRef] = wt
	b.wasLate = true
	waits := w.known(s) != nil && b.holder == 0 && !b.unsure
	spent := w.bookLate(s, b, wt)
	w.d.Late(c.id, s, w.lastRef, o)
	w.effects()
	if spent && waits {
		require.True(w.t, b.deciding, "%d has failed too often", s)
	}
}

// bookLate is what a late Modified makes of the books, and whether it was one too many.
func (w *world) bookLate(s Seq, b *body, wt *wait) (spent bool) {
	e, o, count := w.known(s), &wt.outcome, b.count
	if o.Failed {
		wt.least = o.Failures + 1
		count = max(b.count, wt.least)
		if !o.Again {
			count = max(b.count, o.Failures) + 1
		}
	}
	out := e != nil && e.state == acquired
	switch {
	case b.deciding || b.late || e != nil && (e.state == settling || e.state == gone):
		return false // its end is proposed, or known
	case e == nil && s < w.d.runtimes[w.q].loadPos:
		return false // it is dead
	}
	spent = o.Failed && count >= worldMaxDeliveries
	b.modifies = append(b.modifies, wt)
	b.reject = b.reject || spent
	if !b.unsure && !out && (spent || b.msg.DeadlineMillis != 0 && b.msg.DeadlineMillis <= w.now) {
		return spent // it goes at once
	}
	b.spent = b.spent || out && spent
	b.count = count
	if len(o.Annotations) > 0 {
		b.notes = o.Annotations
	}
	return spent
}

// tellAgain tells of what was not known to be a fact.
func (w *world) tellAgain(c *conn) {
	if len(w.failed) == 0 {
		return
	}
	f := w.failed[0]
	w.failed = w.failed[1:]
	if f.q == w.q {
		f.outcome.Again = true
		w.lateModified(c, f.seq, f.outcome)
	}
}

// attempts is how often a message was tried, as the dispatcher takes it.
func (w *world) attempts(s Seq) uint32 {
	if e := w.known(s); e != nil {
		return w.d.runtimes[w.q].attempts(e)
	}
	return 0
}

// answerRecall gives a message back that was not sent yet, or tells that it was.
func (w *world) answerRecall(i int, returns bool) {
	if len(w.recalls) == 0 {
		return
	}
	i %= len(w.recalls)
	e := w.recalls[i]
	w.recalls = slices.Delete(w.recalls, i, i+1)
	c := w.conns[e.Consumer]
	if c == nil {
		return
	}
	at := slices.Index(c.out, e.Seq)
	if at >= 0 && returns {
		w.giveBack(c, at)
		return
	}
	w.bodies[e.Seq].shown = true
	w.d.Sent(c.id, e.Seq)
	w.effects()
}
