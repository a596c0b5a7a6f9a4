package queue

import (
	"fmt"
	"slices"

	"github.com/stretchr/testify/require"
)

// world is everything around a Dispatcher, as a naive twin would write it: a
// store, a log that proposals go into, facts on their way, loads on their way,
// connections. It lets each of them be late, and knows what must hold.
type world struct {
	t   require.TestingT
	m   *Machine
	d   *Dispatcher
	now int64
	q   ID

	bodies  map[Seq]*body // what was ever enqueued in q
	before  Seq           // up to here an earlier leader may have delivered
	high    Seq           // the highest that was delivered since
	facts   []func()      // applied, not yet told
	told    int           // how many facts have been told
	props   []proposal    // proposed, not yet applied
	answers []func()      // to proposals, not yet told
	open    int           // Modifies of q without an answer
	loads   []*loadInWork
	recalls []Effect // not answered
	conns   map[ConsumerID]*conn
	failed  []again // to be told again
	nextC   ConsumerID
	lastRef uint64
	tail    Seq // as far as the dispatcher knows
}

// body is one message and where it stands by the outside's books.
type body struct {
	msg      Message // DeliveryCount and Annotations: as stored
	holder   ConsumerID
	acquired bool    // some consumer had it
	base     uint32  // what its last consumer was told, but for what is implied
	count    uint32  // failed deliveries, as consumers have told
	notes    []byte  // the last annotations that a consumer gave it
	sure     uint32  // count, as far as Modifies are told to be applied
	unsure   bool    // a Modify was lost: count and notes may be those of before
	modifies []*wait // of it, not proposed
	spent    bool    // it was told late to have failed too often, while it was out
	reject   bool    // it was told late to have failed too often
	deciding bool    // its removal is proposed for an outcome, neither fact nor failure is told
	settled  bool    // accepted or rejected, and not failed
	late     bool    // settled late while it was out, and not failed
	wasLate  bool    // settled late at some time: an earlier leader's consumer had it
	shown    bool    // its holder's client has it, as was told
	final    bool    // a late settle of it was confirmed
	toldGone bool    // the fact of its removal has been told
	came     map[ConsumerID]bool
	cool     ConsumerID // released by, and until when not to come back there
	coolTo   int64
	coolGen  int
}

type proposal struct {
	effect Effect
	wait   *wait // of a Modify
}

type loadInWork struct {
	effect Effect
	done   bool
	msgs   []Message
	next   Seq
}

type conn struct {
	id       ConsumerID
	browse   bool
	max      uint32
	router   bool
	received uint64
	limit    uint64
	renewals int
	draining bool
	out      []Seq            // received, undecided
	waits    map[uint64]*wait // decided, neither confirmed nor failed, by ref
	lastSeen Seq              // of a browser
}

// wait is an outcome whose fate its consumer wants to hear.
type wait struct {
	seq     Seq
	modify  bool // it takes a Modify
	late    bool // it settles late
	applied bool
	least   uint32  // it takes a count of so much, at least
	outcome Outcome // of a Modified: to be told again if it fails
}

// again is a Modified that is not known to be a fact.
type again struct {
	q       ID
	seq     Seq
	outcome Outcome
}

const worldMaxDeliveries = 4

func newWorld(t require.TestingT, backlog, delivered int) *world {
	w := &world{t: t, m: NewMachine(), now: 1000, nextC: 1, conns: map[ConsumerID]*conn{}}
	w.q = 1
	w.declare()
	w.enqueue(backlog, 0)
	w.m.Apply(&Record{Kind: KindMark, Queue: w.q, Seq: Seq(delivered), Epoch: 1}, w.now)
	w.facts, w.before = nil, w.state().DeliveredUpTo
	w.d = NewDispatcher(DispatcherConfig{Epoch: 2, BufferMessages: 8, BufferBytes: 100, TotalBytes: 150})
	w.d.SetNow(w.now)
	return w
}

func (w *world) declare() {
	w.m.Apply(&Record{Kind: KindDeclare, Queue: w.q}, w.now)
	w.bodies = map[Seq]*body{}
	w.tail, w.before, w.high, w.open = 1, 0, 0, 0
}

func (w *world) state() State { s, _ := w.m.Queue(w.q); return s }

// enqueue applies n messages; the fact is told later.
func (w *world) enqueue(n int, ttl int64) {
	var msgs []Message
	for range n {
		m := Message{Queue: w.q}
		if ttl > 0 {
			m.DeadlineMillis = w.now + ttl
		}
		m.Payload = fmt.Appendf(nil, "message %d of %d", w.state().Tail, w.q)
		r := w.m.Apply(&Record{Kind: KindEnqueue, Queue: w.q, Payload: m.Payload}, w.now)
		m.Seq = r.Seq
		w.bodies[m.Seq] = &body{msg: m, came: map[ConsumerID]bool{}}
		msgs = append(msgs, m)
	}
	w.facts = append(w.facts, func() {
		w.d.Enqueued(w.q, msgs)
		if n > 0 && w.d.runtimes[w.q] != nil {
			w.tail = max(w.tail, msgs[n-1].Seq+1)
		}
	})
}

// tellFact lets the dispatcher hear the oldest fact.
func (w *world) tellFact() {
	if len(w.facts) == 0 {
		return
	}
	f := w.facts[0]
	w.facts = w.facts[1:]
	w.told++
	f()
	w.effects()
}

// applyProposal makes the oldest proposal a fact.
func (w *world) applyProposal() {
	if len(w.props) == 0 {
		return
	}
	p := w.props[0]
	w.props = w.props[1:]
	w.apply(p)
	switch e := p.effect; e.Kind {
	case EffectRemove:
		w.tellRemoved([]Run{e.Run})
	case EffectModify:
		b := w.bodies[e.Seq]
		w.answerModify(func() {
			b.sure = max(b.sure, e.Count)
			w.d.Modified(e.Queue, e.Seq)
		})
	case EffectMark:
		w.answer(func() { w.d.Marked(e.Queue, e.Seq) })
	}
}

// answer has a proposal be answered later. Answers are told in order, and after the
// facts of earlier entries of the log; earlier or later than those of later ones.
func (w *world) answer(tell func()) {
	after := w.told + len(w.facts)
	w.answers = append(w.answers, func() {
		for w.told < after {
			w.tellFact()
		}
		tell()
	})
}

func (w *world) answerModify(tell func()) {
	q := w.q
	w.answer(func() {
		if q == w.q {
			w.open--
		}
		tell()
	})
}

func (w *world) tellAnswer() {
	if len(w.answers) == 0 {
		return
	}
	f := w.answers[0]
	w.answers = w.answers[1:]
	f()
	w.effects()
}

func (w *world) apply(p proposal) {
	e := p.effect
	switch e.Kind {
	case EffectRemove:
		w.m.Apply(&Record{Kind: KindRemove, Queue: e.Queue, Reason: e.Reason, Runs: []Run{e.Run}}, w.now)
	case EffectModify:
		b := w.bodies[e.Seq]
		if r := w.m.Apply(&Record{Kind: KindModify, Queue: e.Queue, Seq: e.Seq, Count: e.Count}, w.now); r.Status == OK {
			b.msg.DeliveryCount = e.Count
			if len(e.Annotations) > 0 {
				b.msg.Annotations = e.Annotations
			}
		}
		p.wait.applied = true
	case EffectMark:
		w.m.Apply(&Record{Kind: KindMark, Queue: e.Queue, Seq: e.Seq, Epoch: e.Epoch}, w.now)
	}
}

// decided ends the proposal about s in the books.
func (w *world) decided(s Seq) {
	if b := w.bodies[s]; b != nil && b.deciding {
		b.deciding = false
		b.holder = 0
	}
}

func (w *world) tellRemoved(runs []Run) {
	q := w.q
	w.facts = append(w.facts, func() {
		for _, r := range runs {
			for s := r.First; s < r.End(); s++ {
				w.decided(s)
				if b := w.bodies[s]; b != nil {
					b.toldGone = true
				}
			}
		}
		w.d.Removed(q, runs)
	})
}

// failProposal loses the oldest proposal: never applied, or applied without
// anybody knowing, before or after the failure is told.
func (w *world) failProposal(how int) {
	if len(w.props) == 0 {
		return
	}
	p := w.props[0]
	w.props = w.props[1:]
	switch p.effect.Kind {
	case EffectMark:
		w.answer(func() { w.d.MarkFailed(p.effect.Queue) })
	case EffectModify:
		w.failModify(p, how)
	case EffectRemove:
		w.failRemove(p, how)
	}
}

func (w *world) failModify(p proposal, how int) {
	e, b := p.effect, w.bodies[p.effect.Seq]
	b.unsure = true
	if how > 0 {
		w.apply(p)
	}
	w.answerModify(func() { w.d.ModifyFailed(e.Queue, e.Seq) })
}

func (w *world) failRemove(p proposal, how int) {
	run := p.effect.Run
	if how == 1 {
		w.apply(p)
	}
	for s := run.First; s < run.End(); s++ {
		b := w.bodies[s]
		if b.settled, b.late = false, false; b.deciding {
			b.deciding, b.spent, b.holder = false, false, 0
		}
	}
	w.d.RemoveFailed(w.q, []Run{run})
	w.effects()
	if how == 2 {
		w.apply(p)
	}
	if how > 0 {
		w.tellRemoved([]Run{run})
	}
}

// readLoad reads the store for an outstanding load; the answer is given later.
func (w *world) readLoad(i int) {
	if len(w.loads) == 0 {
		return
	}
	l := w.loads[i%len(w.loads)]
	if l.done {
		return
	}
	l.done = true
	l.next = max(l.effect.From, w.state().Tail)
	for s, ok := w.m.NextAlive(l.effect.Queue, l.effect.From); ok; s, ok = w.m.NextAlive(l.effect.Queue, s+1) {
		if len(l.msgs) == l.effect.MaxMessages {
			l.next = l.msgs[len(l.msgs)-1].Seq + 1
			break
		}
		l.msgs = append(l.msgs, w.bodies[s].msg)
	}
}

// answerLoad gives the answer of a load that has been read, or that it failed.
func (w *world) answerLoad(i int, fail bool) {
	if len(w.loads) == 0 {
		return
	}
	i %= len(w.loads)
	l := w.loads[i]
	if !l.done {
		return
	}
	w.loads = slices.Delete(w.loads, i, i+1)
	if fail {
		w.d.LoadFailed(l.effect.Queue, l.effect.Load)
	} else {
		w.d.Loaded(l.effect.Queue, l.effect.Load, l.msgs, l.next)
	}
	w.effects()
}

// removeOne is an administrator's removal, or a sweep's, of a live message.
func (w *world) removeOne(s Seq) {
	if !w.m.Alive(w.q, s) {
		return
	}
	run := Run{First: s, Count: 1}
	w.m.Apply(&Record{Kind: KindRemove, Queue: w.q, Reason: Expired, Runs: []Run{run}}, w.now)
	w.tellRemoved([]Run{run})
}

func (w *world) purge() {
	r := w.m.Apply(&Record{Kind: KindPurge, Queue: w.q}, w.now)
	if r.Next > r.Seq {
		w.tellRemoved([]Run{{First: r.Seq, Count: uint32(r.Next - r.Seq)}})
	}
}

// deleteQueue deletes the queue, and tells it at once: facts about it that are
// still on their way are older, so they come first.
func (w *world) deleteQueue() {
	for len(w.facts) > 0 {
		w.tellFact()
	}
	w.m.Apply(&Record{Kind: KindDelete, Queue: w.q}, w.now)
	w.d.DeletedQueue(w.q)
	w.effects()
	require.Empty(w.t, w.conns, "everybody was told that the queue is gone")
	w.props, w.loads, w.recalls = nil, nil, nil // of these nothing more is heard; answers may come
	w.q++
	w.declare()
}

func (w *world) tick(ms int64) {
	w.now += ms
	w.d.Tick(w.now)
	w.effects()
}
