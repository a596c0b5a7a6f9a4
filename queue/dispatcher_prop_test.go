package queue

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// effects plays the part of everyone whom the dispatcher speaks to, and holds
// what it says against the books.
func (w *world) effects() {
	for _, e := range slices.Clone(w.d.Effects()) {
		switch e.Kind {
		case EffectDeliver:
			w.onDeliver(e)
		case EffectLoad:
			require.Positive(w.t, e.MaxMessages)
			require.Positive(w.t, e.MaxBytes)
			w.loads = append(w.loads, &loadInWork{effect: e})
		case EffectRemove:
			w.onRemove(e)
		case EffectModify, EffectMark:
			p := proposal{effect: e}
			if e.Kind == EffectModify {
				b := w.bodies[e.Seq]
				require.NotEmpty(w.t, b.modifies, "nobody asked for a Modify of %d", e.Seq)
				p.wait, b.modifies = b.modifies[0], b.modifies[1:]
				w.open++
			}
			w.props = append(w.props, p)
		case EffectDrained:
			w.onDrained(e)
		case EffectConfirmed:
			w.onConfirmed(e)
		case EffectOutcomeFailed:
			c := w.conns[e.Consumer]
			require.NotNil(w.t, c)
			require.Contains(w.t, c.waits, e.Ref)
			if wt := c.waits[e.Ref]; wt.modify {
				w.failed = append(w.failed, again{e.Queue, wt.seq, wt.outcome})
			}
			delete(c.waits, e.Ref)
		case EffectRecall:
			w.recalls = append(w.recalls, e)
		case EffectGone:
			delete(w.conns, e.Consumer)
		case EffectIdle:
			require.Empty(w.t, w.conns, "idle with somebody attached")
			if _, exists := w.m.Queue(w.q); e.Queue == w.q && exists {
				require.Zero(w.t, w.open, "idle with a Modify open")
				require.GreaterOrEqual(w.t, w.state().DeliveredUpTo, w.high, "idle with a Mark open")
			}
		}
	}
	checkDispatcher(w.t, w.d)
}

func (w *world) onDeliver(e Effect) {
	c, s := w.conns[e.Consumer], e.Message.Seq
	b := w.bodies[s]
	require.NotNil(w.t, c, "delivered to a consumer that has left")
	require.NotNil(w.t, b, "delivered a message that never was")
	require.Equal(w.t, b.msg.Payload, e.Message.Payload)
	require.False(w.t, b.msg.DeadlineMillis != 0 && b.msg.DeadlineMillis <= w.now, "delivered an expired message")
	require.Less(w.t, c.received, c.limit, "delivered beyond the limit")
	require.False(w.t, b.toldGone, "seq %d is known to be removed", s)
	require.False(w.t, b.final, "the settle of %d was confirmed", s)
	require.False(w.t, b.settled, "seq %d is settled, or its settle is proposed", s)
	c.received++
	st := w.state()
	if e.Message.FirstAcquirer {
		require.False(w.t, b.acquired, "the first acquirer of %d was another one", s)
		require.Greater(w.t, s, w.before, "an earlier leader's consumer may have had %d", s)
	}
	if c.browse {
		require.Greater(w.t, s, c.lastSeen, "a browser goes forward only")
		require.Zero(w.t, b.holder, "a browser is shown what is out")
		c.lastSeen = s
		return
	}
	require.Zero(w.t, b.holder, "seq %d is out with %d", s, b.holder)
	require.False(w.t, b.deciding)
	require.False(w.t, b.came[c.id], "seq %d comes back to one who refused it", s)
	require.False(w.t, w.cooling(b, c), "seq %d comes back at once to its releaser", s)
	got := e.Message.DeliveryCount
	require.Equal(w.t, s <= st.Suspect(2), e.Message.Implied)
	if e.Message.Implied {
		got--
	}
	if b.unsure {
		require.LessOrEqual(w.t, b.sure, got, "delivery count of %d", s)
		require.GreaterOrEqual(w.t, b.count, got, "delivery count of %d", s)
	} else {
		require.Equal(w.t, b.count, got, "delivery count of %d", s)
		require.Equal(w.t, b.notes, e.Message.Annotations, "annotations of %d", s)
	}
	if s > max(w.high, w.before) {
		require.True(w.t, b.wasLate || e.Message.FirstAcquirer, "nobody had %d", s)
		w.high = s
	}
	b.acquired, b.base = true, got
	for t := w.state().Head; t < s; t++ {
		require.False(w.t, w.available(t, c), "seq %d goes out before %d", s, t)
	}
	b.holder, b.cool, b.shown = c.id, 0, false
	c.out = append(c.out, s)
	require.LessOrEqual(w.t, len(c.out), int(c.max))
}

func (w *world) cooling(b *body, c *conn) bool {
	return b.cool == c.id && w.now < b.coolTo && c.renewals == b.coolGen
}

// available tells whether c may have message s.
func (w *world) available(s Seq, c *conn) bool {
	b := w.bodies[s]
	if b == nil || !w.m.Alive(w.q, s) || b.holder != 0 || b.deciding || b.came[c.id] || w.cooling(b, c) {
		return false
	}
	if e := w.known(s); e != nil && e.late {
		return false
	}
	return b.msg.DeadlineMillis == 0 || b.msg.DeadlineMillis > w.now
}

func (w *world) known(s Seq) *entry {
	if r := w.d.runtimes[w.q]; r != nil {
		return r.table.get(s)
	}
	return nil
}

func (w *world) onRemove(e Effect) {
	require.Equal(w.t, w.q, e.Queue)
	for s := e.Run.First; s < e.Run.End(); s++ {
		b := w.bodies[s]
		if e.Reason == Expired {
			require.LessOrEqual(w.t, b.msg.DeadlineMillis, w.now)
			require.NotZero(w.t, b.msg.DeadlineMillis)
		} else {
			require.True(w.t, b.deciding || b.late || b.reject, "nobody asked for the removal of %d", s)
			b.settled, b.deciding = true, b.deciding || !b.late
		}
		if len(b.modifies) > 0 { // they wait for this instead: without it they are not counted
			b.unsure, b.modifies = true, nil
		}
	}
	w.props = append(w.props, proposal{effect: e})
}

func (w *world) onDrained(e Effect) {
	c := w.conns[e.Consumer]
	require.NotNil(w.t, c)
	require.True(w.t, c.draining, "nobody asked")
	c.draining = false
	if c.received < c.limit && !c.browse && len(c.out)+len(c.waits) < int(c.max) {
		for s := w.state().Head; s < w.tail; s++ {
			require.False(w.t, w.available(s, c), "drained, but %d waits", s)
		}
	}
	c.limit = min(c.limit, c.received)
}

func (w *world) onConfirmed(e Effect) {
	c := w.conns[e.Consumer]
	require.NotNil(w.t, c, "confirmed to one who has left")
	wt := c.waits[e.Ref]
	require.NotNil(w.t, wt, "confirmed what was not asked: %d", e.Seq)
	require.Equal(w.t, wt.seq, e.Seq)
	if e.Outcome == Accepted || e.Outcome == RejectedKind || wt.modify && !wt.applied {
		require.False(w.t, w.m.Alive(e.Queue, e.Seq), "confirmed before it was a fact")
	}
	if b := w.bodies[e.Seq]; wt.late && e.Queue == w.q && w.state().Tail > e.Seq {
		require.True(w.t, b.holder == 0 || b.deciding || b.shown, "confirmed, and %d is on its way to a client", e.Seq)
		b.final = true
	}
	if b := w.bodies[e.Seq]; wt.modify && e.Queue == w.q {
		b.unsure = b.unsure || !wt.applied // it is dead, though not all who have it know
		if w.m.Alive(e.Queue, e.Seq) {
			require.GreaterOrEqual(w.t, b.msg.DeliveryCount, wt.least, "confirmed, and not counted")
		}
	}
	delete(c.waits, e.Ref)
}

// settle lets everything arrive, and time pass, until nothing happens any more.
func (w *world) settleDown() {
	for range 200 {
		for len(w.facts) > 0 {
			w.tellFact()
		}
		for len(w.props) > 0 {
			w.applyProposal()
		}
		for len(w.answers) > 0 {
			w.tellAnswer()
		}
		for len(w.loads) > 0 {
			w.readLoad(0)
			w.answerLoad(0, false)
		}
		for len(w.recalls) > 0 {
			w.answerRecall(0, false)
		}
		if len(w.recalls)+len(w.facts)+len(w.props)+len(w.answers)+len(w.loads) == 0 {
			if w.d.NextTick() == 0 {
				return
			}
			w.tick(CoolMillis)
		}
	}
	require.Fail(w.t, "it never comes to rest")
}

// checkRest is liveness: at rest nothing waits for a consumer that could have
// it, every outcome has been answered, and so has every drain.
func (w *world) checkRest() {
	for _, c := range w.conns {
		require.Empty(w.t, c.waits, "outcomes without an answer")
		require.False(w.t, c.draining, "a drain without an answer")
		if c.received >= c.limit {
			continue
		}
		if c.browse {
			for s := max(c.lastSeen+1, w.state().Head); s < w.state().Tail; s++ {
				require.False(w.t, w.available(s, &conn{}) && s > w.d.consumers[c.id].pos, "browser did not get %d", s)
			}
			continue
		}
		if len(c.out) < int(c.max) {
			for s := w.state().Head; s < w.state().Tail; s++ {
				require.False(w.t, w.available(s, c), "seq %d waits, %d has credit", s, c.id)
			}
		}
	}
}

// TestDispatcherAgainstWorld: random inputs, late facts, lost proposals; after
// every step the invariants, after every run rest, liveness and a clean end.
func TestDispatcherAgainstWorld(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t, rapid.IntRange(0, 30).Draw(t, "backlog"), rapid.IntRange(0, 10).Draw(t, "delivered"))
		someone := func(t *rapid.T) *conn {
			if len(w.conns) == 0 {
				t.Skip("nobody is there")
			}
			ids := slices.Sorted(maps.Keys(w.conns))
			return w.conns[rapid.SampledFrom(ids).Draw(t, "consumer")]
		}
		any := rapid.IntRange(0, 1000)
		outcomes := []Outcome{
			{Kind: Accepted}, {Kind: Accepted}, {Kind: RejectedKind}, {Kind: Released}, {Kind: Released},
			{Kind: Modified, Failed: true}, {Kind: Modified, Here: true},
			{Kind: Modified, Failed: true, Here: true}, {Kind: Modified, Annotations: []byte("note")},
		}
		decide := func(t *rapid.T) {
			w.outcome(someone(t), any.Draw(t, "which"), rapid.SampledFrom(outcomes).Draw(t, "outcome"))
		}
		tell := func(t *rapid.T) { w.tellFact() }
		t.Repeat(map[string]func(*rapid.T){
			"enqueue":    func(t *rapid.T) { w.enqueue(rapid.IntRange(1, 6).Draw(t, "n"), 0) },
			"enqueueTTL": func(t *rapid.T) { w.enqueue(1, rapid.Int64Range(1, 300).Draw(t, "ttl")) },
			"tellFact":   tell,
			"tellFact2":  tell,
			"applyProp":  func(t *rapid.T) { w.applyProposal() },
			"applyProp2": func(t *rapid.T) { w.applyProposal() },
			"answer":     func(t *rapid.T) { w.tellAnswer() },
			"answer2":    func(t *rapid.T) { w.tellAnswer() },
			"failProp":   func(t *rapid.T) { w.failProposal(rapid.IntRange(0, 2).Draw(t, "how")) },
			"readLoad":   func(t *rapid.T) { w.readLoad(any.Draw(t, "i")) },
			"answerLoad": func(t *rapid.T) { w.answerLoad(any.Draw(t, "i"), rapid.IntRange(0, 9).Draw(t, "f") == 0) },
			"outcome":    decide,
			"outcome2":   decide,
			"nack": func(t *rapid.T) { // of all that one has, so that much is open when it leaves
				c := someone(t)
				for range len(c.out) {
					w.outcome(c, 0, Outcome{Kind: Modified, Failed: true, Annotations: fmt.Append(nil, "note ", w.lastRef)})
				}
			},
			"relieve": func(t *rapid.T) { // all leave; one comes, perhaps to what is open
				for _, id := range slices.Sorted(maps.Keys(w.conns)) {
					w.detach(w.conns[id])
				}
				if c := w.attach(false, 10, false); rapid.Bool().Draw(t, "wants") {
					w.credit(c, 8, false)
				}
			},
			"credit": func(t *rapid.T) { w.credit(someone(t), rapid.Uint64Range(0, 12).Draw(t, "n"), false) },
			"drain":  func(t *rapid.T) { w.credit(someone(t), rapid.Uint64Range(0, 12).Draw(t, "n"), true) },
			"return": func(t *rapid.T) { w.giveBack(someone(t), any.Draw(t, "which")) },
			"detach": func(t *rapid.T) { w.detach(someone(t)) },
			"late": func(t *rapid.T) {
				kind := rapid.SampledFrom([]OutcomeKind{Accepted, RejectedKind}).Draw(t, "outcome")
				c, s := someone(t), 1+Seq(any.Draw(t, "s"))%max(1, w.state().Tail-1)
				if other := someone(t); len(other.out) > 0 { // more often what is out
					s = other.out[int(s)%len(other.out)]
				}
				w.late(c, s, kind)
			},
			"lateModified": func(t *rapid.T) {
				c, s := someone(t), 1+Seq(any.Draw(t, "s"))%max(1, w.state().Tail-1)
				if other := someone(t); len(other.out) > 0 && rapid.Bool().Draw(t, "out") {
					s = other.out[int(s)%len(other.out)]
				}
				o := rapid.SampledFrom([]Outcome{
					{Kind: Modified, Failed: true}, {Kind: Modified, Failed: true, Here: true},
					{Kind: Modified, Failed: true, Annotations: []byte("late")}, {Kind: Modified, Annotations: []byte("late note")},
				}).Draw(t, "outcome")
				o.Failures = rapid.Uint32Range(0, worldMaxDeliveries-1).Draw(t, "failures")
				w.lateModified(c, s, o)
			},
			"again":  func(t *rapid.T) { w.tellAgain(someone(t)) },
			"recall": func(t *rapid.T) { w.answerRecall(any.Draw(t, "i"), rapid.Bool().Draw(t, "returns")) },
			"tick":   func(t *rapid.T) { w.tick(rapid.Int64Range(0, 150).Draw(t, "ms")) },
			"purge": func(t *rapid.T) {
				if any.Draw(t, "really") < 100 {
					w.purge()
				}
			},
			"delete": func(t *rapid.T) {
				if any.Draw(t, "really") < 50 {
					w.deleteQueue()
				}
			},
			"removeOne": func(t *rapid.T) {
				st := w.state()
				w.removeOne(st.Head + Seq(any.Draw(t, "s"))%max(1, st.Tail-st.Head))
			},
			"attach": func(t *rapid.T) {
				if len(w.conns) < 4 {
					kind := rapid.IntRange(0, 5).Draw(t, "kind")
					w.attach(kind == 0, rapid.Uint32Range(1, 10).Draw(t, "max"), kind == 1)
				}
			},
		})
		w.settleDown()
		w.checkRest()
		for _, id := range slices.Sorted(maps.Keys(w.conns)) {
			w.detach(w.conns[id])
		}
		w.settleDown()
		require.Zero(t, w.d.Stats(), "something is left with nobody there")
	})
}
