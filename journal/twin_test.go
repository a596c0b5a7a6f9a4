package journal

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"entrepot/queue"
)

// twin is a shard as one would write it without a disk: maps.
type twin struct {
	queues map[queue.ID]*twinQueue
	nextID queue.ID
}

type twinQueue struct {
	name, spec string
	tail       queue.Seq
	live       map[queue.Seq]twinMessage
}

type twinMessage struct {
	payload, annotations string
	count                uint32
	deadline             int64
}

func newTwin() *twin { return &twin{queues: map[queue.ID]*twinQueue{}, nextID: 1} }

// op is one record, in the words of both.
type op struct {
	kind     queue.Kind
	q        queue.ID
	text     string // payload, spec or annotations
	first    queue.Seq
	count    uint32
	deadline int64
}

func (o op) build(b *queue.PackBuilder) {
	switch o.kind {
	case queue.KindDeclare:
		b.Declare(twinName(o.q), []byte(o.text))
	case queue.KindUpdate:
		b.Update(o.q, []byte(o.text))
	case queue.KindEnqueue:
		b.Enqueue(o.q, o.deadline, 0, []byte(o.text))
	case queue.KindRemove:
		b.Remove(o.q, queue.Settled, []queue.Run{{First: o.first, Count: o.count, Bytes: uint64(o.count)}})
	case queue.KindModify:
		b.Modify(o.q, o.first, o.count, []byte(o.text))
	case queue.KindDelete:
		b.Delete(o.q)
	case queue.KindPurge:
		b.Purge(o.q)
	case queue.KindExpire:
		b.Expire(o.deadline, nil)
	}
}

// twinName gives few names, so that they come again for other queues.
func twinName(q queue.ID) string { return fmt.Sprintf("name-%d", q%7) }

func (t *twin) apply(o op) {
	x := t.queues[o.q]
	if o.kind == queue.KindDeclare {
		if t.newest()[twinName(o.q)] == 0 { // else its name is taken
			t.nextID = o.q + 1
			t.queues[o.q] = &twinQueue{name: twinName(o.q), spec: o.text, tail: 1, live: map[queue.Seq]twinMessage{}}
		}
		return
	}
	if x == nil {
		return
	}
	switch o.kind {
	case queue.KindUpdate:
		x.spec = o.text
	case queue.KindEnqueue:
		x.live[x.tail] = twinMessage{payload: o.text, deadline: o.deadline}
		x.tail++
	case queue.KindRemove:
		for i := range queue.Seq(o.count) {
			delete(x.live, o.first+i)
		}
	case queue.KindModify:
		if m, ok := x.live[o.first]; ok {
			m.count = max(m.count, o.count)
			if o.text != "" {
				m.annotations = o.text
			}
			x.live[o.first] = m
		}
	case queue.KindDelete:
		delete(t.queues, o.q)
	case queue.KindPurge:
		clear(x.live)
	}
}

// check holds a shard against the twin, through every way to look at it.
func (t *twin) check(tb testing.TB, r *rig) {
	tb.Helper()
	var count uint64
	for q, x := range t.queues {
		st, ok := r.shard.Queue(q)
		require.True(tb, ok, "q%d", q)
		require.Equal(tb, x.tail, st.Tail, "q%d: tail", q)
		require.Equal(tb, uint64(len(x.live)), st.Count, "q%d: count", q)
		got := r.all(q, 3)
		seqs := slices.Sorted(maps.Keys(x.live))
		require.Len(tb, got, len(seqs), "q%d: messages", q)
		for i, seq := range seqs {
			want, m := x.live[seq], got[i]
			have := twinMessage{string(m.Payload), string(m.Annotations), m.DeliveryCount, m.DeadlineMillis}
			require.Equal(tb, seq, m.Seq)
			require.Equal(tb, want, have, "q%d #%d", q, seq)
		}
		count += uint64(len(x.live))
	}
	require.Equal(tb, count, r.shard.Totals().Count)
	require.Equal(tb, uint64(len(t.queues)), r.shard.Totals().Queues)
	require.Equal(tb, t.nextID, r.shard.machine.NextID(), "ids")
	t.checkNames(tb, r)
	t.checkDue(tb, r)
}

// newest is, by name, the queue that was declared last.
func (t *twin) newest() map[string]queue.ID {
	out := map[string]queue.ID{}
	for q, x := range t.queues {
		out[x.name] = max(out[x.name], q)
	}
	return out
}

func (t *twin) checkNames(tb testing.TB, r *rig) {
	tb.Helper()
	newest := t.newest()
	for q := queue.ID(0); q < 7; q++ {
		name := twinName(q)
		got, spec, ok, err := r.shard.Lookup(name)
		require.NoError(tb, err)
		want, exists := newest[name]
		require.Equal(tb, exists, ok, "%s exists", name)
		if exists {
			require.Equal(tb, want, got, "%s: id", name)
			require.Equal(tb, t.queues[want].spec, string(spec), "%s: spec", name)
		}
	}
	list, err := r.shard.List("", "", 100)
	require.NoError(tb, err)
	require.Len(tb, list, len(newest))
	for _, d := range list {
		require.Equal(tb, newest[d.Name], d.Queue)
		require.Equal(tb, t.queues[d.Queue].spec, string(d.Spec))
	}
}

// checkDue: every live message with a deadline is found, and no other.
func (t *twin) checkDue(tb testing.TB, r *rig) {
	tb.Helper()
	r.shard.RestartDue()
	runs, _, err := r.shard.Due(1<<40, 1<<30, nil)
	require.NoError(tb, err)
	got := map[queue.Ref]bool{}
	for _, run := range runs {
		for s := run.First; s < run.End(); s++ {
			got[queue.Ref{Queue: run.Queue, Seq: s}] = true
		}
	}
	for q, x := range t.queues {
		for seq, m := range x.live {
			at := queue.Ref{Queue: q, Seq: seq}
			require.Equal(tb, m.deadline > 0, got[at], "%v due", at)
			delete(got, at)
		}
	}
	require.Empty(tb, got, "due, but not alive")
}

// randomOps makes the records of one pack against the state t will have.
func randomOps(rng *rand.Rand, t *twin) []op {
	var ops []op
	add := func(o op) { ops = append(ops, o); t.apply(o) }
	for range 1 + rng.IntN(6) {
		q := queue.ID(1 + rng.IntN(int(t.nextID)))
		x := t.queues[q]
		var first queue.Seq = 1
		if x != nil {
			first = 1 + queue.Seq(rng.Uint64N(uint64(x.tail)))
		}
		switch k := rng.IntN(100); {
		case k < 45:
			o := op{kind: queue.KindEnqueue, q: q, text: fmt.Sprintf("%d-%d", q, rng.Uint32())}
			if rng.IntN(4) == 0 {
				o.text += string(make([]byte, rng.IntN(20_000)))
			}
			if rng.IntN(3) == 0 {
				o.deadline = 1000 + rng.Int64N(1000)
			}
			add(o)
		case k < 65:
			add(op{kind: queue.KindRemove, q: q, first: first, count: 1 + uint32(rng.IntN(5))})
		case k < 75: // in order, as most are
			for seq := range slices.Values(slices.Sorted(maps.Keys(liveOf(x)))[:min(2, len(liveOf(x)))]) {
				add(op{kind: queue.KindRemove, q: q, first: seq, count: 1})
			}
		case k < 83:
			o := op{kind: queue.KindModify, q: q, first: first, count: uint32(rng.IntN(9))}
			if rng.IntN(2) == 0 {
				o.text = fmt.Sprintf("annotations-%d", rng.IntN(100))
			}
			add(o)
		case k < 91:
			if x := t.newest()[twinName(t.nextID)]; x != 0 && rng.IntN(4) > 0 {
				add(op{kind: queue.KindDelete, q: x})
			}
			add(op{kind: queue.KindDeclare, q: t.nextID, text: fmt.Sprintf("spec-%d", rng.IntN(100))})
		case k < 94:
			add(op{kind: queue.KindUpdate, q: q, text: fmt.Sprintf("spec-%d", rng.IntN(100))})
		case k < 96:
			add(op{kind: queue.KindDelete, q: q})
		case k < 98:
			add(op{kind: queue.KindPurge, q: q})
		default:
			add(op{kind: queue.KindExpire, deadline: 500}) // nothing has one that early
		}
	}
	return ops
}

func liveOf(x *twinQueue) map[queue.Seq]twinMessage {
	if x == nil {
		return nil
	}
	return x.live
}
