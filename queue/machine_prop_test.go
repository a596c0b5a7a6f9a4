package queue

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// twin is the Machine as a naive author would write it: a map of messages.
type twin struct {
	queues map[ID]*twinQueue
	nextID ID
	totals Totals

	settings map[string]string
}

type twinQueue struct {
	tail  Seq
	alive map[Seq]bool
	bytes uint64
	marks State // DeliveredUpTo, SuspectUpTo and MarkEpoch only
}

func newTwin() *twin {
	return &twin{queues: map[ID]*twinQueue{}, nextID: 1, settings: map[string]string{}}
}

func (w *twin) apply(rec *Record) {
	q := w.queues[rec.Queue]
	switch rec.Kind {
	case KindDeclare:
		id := rec.Queue
		if rec.NewID {
			id = w.nextID
		}
		if w.queues[id] == nil && id >= w.nextID {
			w.queues[id] = &twinQueue{tail: 1, alive: map[Seq]bool{}}
			w.nextID = id + 1
		}
		return
	case KindSetting:
		w.settings[string(rec.Name)] = string(rec.Spec)
		if len(rec.Spec) == 0 {
			delete(w.settings, string(rec.Name))
		}
		return
	}
	if q == nil {
		return
	}
	switch rec.Kind {
	case KindEnqueue:
		q.alive[q.tail] = true
		q.tail++
		q.bytes += uint64(len(rec.Payload))
		w.totals.Enqueued++
		w.totals.EnqueuedBytes += uint64(len(rec.Payload))
	case KindRemove:
		for _, run := range rec.Runs {
			w.totals.Removed[rec.Reason] += q.remove(run)
		}
	case KindPurge, KindDelete:
		reason := Purged
		if rec.Kind == KindDelete {
			reason = Deleted
			delete(w.queues, rec.Queue)
		}
		w.totals.Removed[reason] += uint64(len(q.alive))
		q.alive, q.bytes = map[Seq]bool{}, 0
	case KindMark:
		upTo := min(rec.Seq, q.tail-1)
		if rec.Epoch < q.marks.MarkEpoch || upTo <= q.marks.DeliveredUpTo {
			return
		}
		if rec.Epoch > q.marks.MarkEpoch {
			q.marks.SuspectUpTo, q.marks.MarkEpoch = q.marks.DeliveredUpTo, rec.Epoch
		}
		q.marks.DeliveredUpTo = upTo
	}
}

func (q *twinQueue) remove(run Run) (n uint64) {
	for s := range q.alive {
		if run.Contains(s) {
			delete(q.alive, s)
			n++
		}
	}
	took := min(run.Bytes*n/uint64(run.Count), q.bytes)
	if len(q.alive) == 0 {
		took = q.bytes
	}
	q.bytes -= took
	return n
}

// requireSame holds every answer of the machine against the twin's.
func (w *twin) requireSame(t require.TestingT, m *Machine) {
	require.NoError(t, m.Check())
	totals := w.totals
	var ids []ID
	m.Queues(func(q ID, s *State) bool {
		ids = append(ids, q)
		tq := w.queues[q]
		require.NotNil(t, tq, "queue %d", q)
		alive := slices.Sorted(maps.Keys(tq.alive))
		head := tq.tail
		if len(alive) > 0 {
			head = alive[0]
		}
		require.Equal(t, []any{head, tq.tail, uint64(len(alive)), tq.bytes}, []any{s.Head, s.Tail, s.Count, s.Bytes}, "queue %d", q)
		require.Equal(t, []any{tq.marks.DeliveredUpTo, tq.marks.SuspectUpTo, tq.marks.MarkEpoch}, []any{s.DeliveredUpTo, s.SuspectUpTo, s.MarkEpoch})
		requireSameAlive(t, m, q, alive, tq.tail)
		totals.Queues++
		totals.Count += s.Count
		totals.Bytes += s.Bytes
		return true
	})
	require.Equal(t, slices.Sorted(maps.Keys(w.queues)), ids)
	require.Equal(t, totals, m.Totals())
	require.Equal(t, w.nextID, m.NextID())
	got := map[string]string{}
	last := ""
	m.EachSetting(func(key string, value []byte) bool {
		require.Less(t, last, key, "in order")
		last, got[key] = key, string(value)
		require.Equal(t, value, m.Setting(key))
		return true
	})
	require.Equal(t, w.settings, got)
}

func requireSameAlive(t require.TestingT, m *Machine, q ID, alive []Seq, tail Seq) {
	var got []Seq
	for first, end, ok := m.NextAliveRun(q, 0); ok; first, end, ok = m.NextAliveRun(q, end) {
		require.Equal(t, uint64(end-first), m.CountAlive(q, first, end))
		for s := first; s < end; s++ {
			got = append(got, s)
		}
		require.False(t, m.Alive(q, first-1), "the run begins earlier")
		require.False(t, m.Alive(q, end), "the run goes on")
		require.True(t, m.Alive(q, first) && m.Alive(q, end-1))
	}
	require.Equal(t, alive, got)
	require.Equal(t, uint64(len(alive)), m.CountAlive(q, 0, tail+100))
}

// drawCommand draws a record that may make sense. Numbers cluster around page
// borders, because that is where live sets go wrong.
func drawCommand(t *rapid.T, m *Machine) []*Record {
	q := ID(rapid.IntRange(0, 4).Draw(t, "queue"))
	tail := Seq(10)
	if s, ok := m.Queue(q); ok {
		tail = s.Tail
	}
	seq := func(name string) Seq {
		border := rapid.SampledFrom([]Seq{0, 1, PageSize, 2 * PageSize, tail, tail / 2}).Draw(t, name)
		return max(1, border+Seq(rapid.IntRange(0, 6).Draw(t, name+"+"))-min(3, border))
	}
	switch rapid.SampledFrom([]string{"declare", "enqueue", "bulk", "remove", "remove", "remove", "mark", "purge", "delete", "modify", "setting", "check"}).Draw(t, "command") {
	case "declare":
		if rapid.Bool().Draw(t, "by name") {
			return []*Record{{Kind: KindDeclare, NewID: true}}
		}
		return []*Record{{Kind: KindDeclare, Queue: ID(rapid.IntRange(0, int(m.NextID())).Draw(t, "id"))}}
	case "enqueue":
		return []*Record{{Kind: KindEnqueue, Queue: q, Payload: make([]byte, rapid.IntRange(0, 9).Draw(t, "size"))}}
	case "bulk":
		return slices.Repeat([]*Record{{Kind: KindEnqueue, Queue: q, Payload: []byte("12345")}}, rapid.SampledFrom([]int{10, 500, 5000}).Draw(t, "n"))
	case "remove":
		rec := &Record{Kind: KindRemove, Queue: q, Reason: rapid.SampledFrom([]Reason{Settled, Rejected, Expired}).Draw(t, "reason")}
		for range rapid.IntRange(1, 3).Draw(t, "runs") {
			n := rapid.SampledFrom([]uint32{1, 2, 7, 100, PageSize, 2 * PageSize}).Draw(t, "count")
			rec.Runs = append(rec.Runs, Run{First: seq("first"), Count: n, Bytes: 5 * uint64(n)})
		}
		return []*Record{rec}
	case "mark":
		return []*Record{{Kind: KindMark, Queue: q, Seq: seq("upTo"), Epoch: rapid.Uint64Range(0, 3).Draw(t, "epoch")}}
	case "modify":
		return []*Record{{Kind: KindModify, Queue: q, Seq: seq("seq"), Count: 1}}
	case "setting":
		key := rapid.SampledFrom([]string{"a", "node/1", "node/2", "z"}).Draw(t, "key")
		return []*Record{{Kind: KindSetting, Name: []byte(key), Spec: rapid.SliceOfN(rapid.Byte(), 0, 3).Draw(t, "value")}}
	case "check":
		return []*Record{{Kind: KindCheck}}
	case "purge":
		return []*Record{{Kind: KindPurge, Queue: q}}
	}
	if rapid.IntRange(0, 3).Draw(t, "really") > 0 {
		return nil
	}
	return []*Record{{Kind: KindDelete, Queue: q}}
}

// rows is a store as the Machine's hooks see it.
type rows struct {
	meta   []byte
	states map[ID][]byte
	pages  map[ID]map[PageNo][]byte
}

func newRows() *rows { return &rows{states: map[ID][]byte{}, pages: map[ID]map[PageNo][]byte{}} }

// save writes what is dirty, as a spill does.
func (r *rows) save(t require.TestingT, m *Machine) {
	r.meta = m.AppendMeta(nil)
	m.TakeDirty(func(q ID, s *State, pages []PageNo) {
		if s == nil {
			require.Empty(t, pages)
			delete(r.states, q)
			delete(r.pages, q)
			return
		}
		r.states[q] = AppendState(nil, s)
		require.True(t, slices.IsSorted(pages))
		for _, n := range pages {
			if v, ok := m.AppendPage(nil, q, n); !ok {
				delete(r.pages[q], n)
			} else if r.pages[q] == nil {
				r.pages[q] = map[PageNo][]byte{n: v}
			} else {
				r.pages[q][n] = v
			}
		}
	})
	m.TakeDirty(func(q ID, _ *State, _ []PageNo) { require.Fail(t, "still dirty", "queue %d", q) })
}

// load makes the machine that a restart would have.
func (r *rows) load(t require.TestingT) *Machine {
	m := NewMachine()
	if r.meta == nil {
		return m
	}
	require.NoError(t, m.LoadMeta(r.meta))
	for q, v := range r.states {
		require.NoError(t, m.LoadState(q, v))
		for n, p := range r.pages[q] {
			require.NoError(t, m.LoadPage(q, n, p))
		}
	}
	require.NoError(t, m.Check())
	return m
}

// TestMachineAgainstTwin: random logs; the machine answers as the twin does
// after every command, and what was stored at some point K, with the rest of
// the log, is the whole log.
func TestMachineAgainstTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, w, store := NewMachine(), newTwin(), newRows()
		restarted := m
		for i := range rapid.IntRange(1, 40).Draw(t, "commands") {
			for _, rec := range drawCommand(t, m) {
				w.apply(rec)
				r := m.Apply(rec, int64(i))
				if restarted != m {
					require.Equal(t, r, restarted.Apply(rec, int64(i)), "the same answer after a restart")
				}
			}
			w.requireSame(t, m)
			if restarted != m {
				require.Equal(t, m.Hash(), restarted.Hash(), "stored state and rest of log")
			}
			if rapid.IntRange(0, 4).Draw(t, "spill") == 0 {
				store.save(t, m)
				restarted = store.load(t)
				require.Equal(t, m.Hash(), restarted.Hash(), "what was stored is what is")
			}
		}
	})
}

// TestApplyTwice: a removal that the log repeats changes nothing more.
func TestApplyTwice(t *testing.T) {
	m := NewMachine()
	m.Apply(&Record{Kind: KindDeclare, Queue: 1}, 1)
	for range 10 {
		m.Apply(&Record{Kind: KindEnqueue, Queue: 1, Payload: []byte("12345678")}, 1)
	}
	remove := &Record{Kind: KindRemove, Queue: 1, Reason: Settled, Runs: []Run{{First: 3, Count: 4, Bytes: 32}}}
	r := m.Apply(remove, 1)
	require.Equal(t, Reply{Kind: KindRemove, Queue: 1, Removed: 4, Bytes: 32}, r)
	hash := m.Hash()
	r = m.Apply(remove, 1)
	require.Equal(t, Reply{Kind: KindRemove, Queue: 1}, r, "all were gone")
	require.Equal(t, hash, m.Hash())

	r = m.Apply(&Record{Kind: KindRemove, Queue: 1, Reason: Expired, Runs: []Run{{First: 2, Count: 8, Bytes: 64}}}, 1)
	require.Equal(t, uint64(4), r.Removed, "of eight, four were there")
	require.Equal(t, uint64(32), r.Bytes, "so half of the bytes go")
}

// TestDeletedIDsStayDeleted: an id is never used again, not even after the
// store was written and loaded in between.
func TestDeletedIDsStayDeleted(t *testing.T) {
	m := NewMachine()
	m.Apply(&Record{Kind: KindDeclare, Queue: 1}, 1)
	require.Equal(t, Exists, m.Apply(&Record{Kind: KindDeclare, Queue: 1}, 1).Status)
	m.Apply(&Record{Kind: KindDelete, Queue: 1}, 1)
	store := newRows()
	store.save(t, m)
	for _, m := range []*Machine{m, store.load(t)} {
		require.Equal(t, ID(2), m.NextID())
		require.Equal(t, NoQueue, m.Apply(&Record{Kind: KindDeclare, Queue: 1}, 1).Status)
		require.Equal(t, NoQueue, m.Apply(&Record{Kind: KindEnqueue, Queue: 1}, 1).Status)
	}
}

// TestLoadRefuses: values that could not have been written are errors, one of
// them for each thing that can be wrong.
func TestLoadRefuses(t *testing.T) {
	good := AppendState(nil, &State{Head: 1, Tail: 5, Count: 4, Bytes: 9})
	pageRow := func(p *page) []byte { return appendPage(nil, p) }
	goodMeta := (&Machine{nextID: 5, origins: origins{{1, 1}}, settings: settings{{"k", []byte("v")}}}).AppendMeta(nil)
	meta := func(o origins, s settings) func(*Machine) error {
		value := (&Machine{nextID: 5, origins: o, settings: s}).AppendMeta(nil)
		return func(m *Machine) error { return m.LoadMeta(value) }
	}
	full, holed := new(page), new(page)
	full.fill()
	holed.fill()
	holed.clear(5, 6)
	for _, c := range []struct {
		why string
		err func(m *Machine) error
	}{
		{"state: cut off", func(m *Machine) error { return m.LoadState(1, good[:3]) }},
		{"state: too long", func(m *Machine) error { return m.LoadState(1, append(slices.Clone(good), 0)) }},
		{"state: later version", func(m *Machine) error { return m.LoadState(1, append([]byte{9}, good[1:]...)) }},
		{"state: head 0", func(m *Machine) error { return m.LoadState(1, AppendState(nil, &State{Head: 0, Tail: 1})) }},
		{"state: count", func(m *Machine) error { return m.LoadState(1, AppendState(nil, &State{Head: 1, Tail: 2, Count: 2})) }},
		{"state: bytes", func(m *Machine) error { return m.LoadState(1, AppendState(nil, &State{Head: 1, Tail: 1, Bytes: 1})) }},
		{"state: marks", func(m *Machine) error {
			return m.LoadState(1, AppendState(nil, &State{Head: 1, Tail: 1, DeliveredUpTo: 1}))
		}},
		{"state: id", func(m *Machine) error { return m.LoadState(7, good) }},
		{"state: twice", func(m *Machine) error { return m.LoadState(2, good) }},
		{"page: no queue", func(m *Machine) error { return m.LoadPage(1, 0, pageRow(full)) }},
		{"page: outside", func(m *Machine) error { return m.LoadPage(2, 1, pageRow(full)) }},
		{"page: form", func(m *Machine) error { return m.LoadPage(2, 0, []byte{1, 7}) }},
		{"page: cut off", func(m *Machine) error { return m.LoadPage(2, 0, pageRow(full)[:99]) }},
		{"page: dead behind tail", func(m *Machine) error { return m.LoadPage(2, 0, pageRow(holed)) }},
		{"meta: version", func(m *Machine) error { return m.LoadMeta([]byte{3}) }},
		{"meta: cut off", func(m *Machine) error { return m.LoadMeta(goodMeta[:len(goodMeta)-1]) }},
		{"meta: too long", func(m *Machine) error { return m.LoadMeta(append(slices.Clone(goodMeta), 0)) }},
		{"meta: origin 0", meta(origins{{0, 1}}, nil)},
		{"meta: origin without a pack", meta(origins{{1, 0}}, nil)},
		{"meta: origin twice", meta(origins{{1, 1}, {1, 2}}, nil)},
		{"meta: too many origins", meta(manyOrigins(maxOrigins+1), nil)},
		{"meta: setting without key", meta(nil, settings{{"", []byte("v")}})},
		{"meta: setting without value", meta(nil, settings{{"k", nil}})},
		{"meta: setting too long", meta(nil, settings{{"k", make([]byte, MaxSettingValue+1)}})},
		{"meta: settings twice", meta(nil, settings{{"k", []byte("v")}, {"k", []byte("v")}})},
		{"meta: next id", func(m *Machine) error { return m.LoadMeta(make([]byte, 18)) }},
	} {
		m := NewMachine()
		require.NoError(t, m.LoadMeta((&Machine{nextID: 5}).AppendMeta(nil)))
		require.NoError(t, m.LoadState(2, good))
		err := c.err(m)
		require.ErrorAs(t, err, new(*FormatError), c.why)
	}
}

// TestCheckFinds: states that fit by themselves but not with their pages.
func TestCheckFinds(t *testing.T) {
	m := NewMachine()
	require.NoError(t, m.LoadMeta((&Machine{nextID: 5}).AppendMeta(nil)))
	require.NoError(t, m.LoadState(1, AppendState(nil, &State{Head: 1, Tail: 5, Count: 3})))
	require.ErrorContains(t, m.Check(), "count is 3, 4 are alive", "its page is missing")
	p := new(page)
	p.fill()
	p.clear(1, 2)
	require.NoError(t, m.LoadPage(1, 0, appendPage(nil, p)))
	require.ErrorContains(t, m.Check(), "head is not alive")
}

// TestCosts holds the memory that the design promises against what it is.
func TestCosts(t *testing.T) {
	m := NewMachine()
	const n = 3_000_000
	m.Apply(&Record{Kind: KindDeclare, Queue: 1}, 1)
	enqueue := &Record{Kind: KindEnqueue, Queue: 1}
	for range n {
		m.Apply(enqueue, 1)
	}
	pages := func() int {
		s := m.queues.get(1)
		if s.live == nil {
			return 0
		}
		real := 0
		for _, p := range s.live.pages {
			if p != nil && p != deadPage {
				real++
			}
		}
		return real
	}
	require.Zero(t, pages(), "a backlog that is all alive has no pages")
	m.Apply(&Record{Kind: KindRemove, Queue: 1, Reason: Expired, Runs: []Run{{First: 1000, Count: n - 2000}}}, 1)
	require.Equal(t, 2, pages(), "a hole of millions has a page at each end")
	m.Apply(&Record{Kind: KindPurge, Queue: 1}, 1)
	require.Nil(t, m.queues.get(1).live, "an empty queue has no live set")
	require.LessOrEqual(t, stateSize, uintptr(72), "a queue at rest")
}

func ExampleMachine() {
	var b PackBuilder
	b.Reset(nil)
	b.Declare("greetings", nil)
	b.Enqueue(1, 0, 0, []byte("hello"))
	b.Enqueue(1, 0, 0, []byte("world"))
	b.Remove(1, Settled, []Run{{First: 1, Count: 1, Bytes: 5}})
	pack := b.Finish(1700000000000, Origin{})

	m := NewMachine()
	r, _ := OpenPack(pack)
	var rec Record
	for {
		more, err := r.Next(&rec)
		if !more || err != nil {
			break
		}
		reply := m.Apply(&rec, r.Header().NowMillis)
		fmt.Println(reply.Kind, reply.Status, "seq", reply.Seq, "removed", reply.Removed)
	}
	s, _ := m.Queue(1)
	fmt.Println("head", s.Head, "tail", s.Tail, "count", s.Count, "bytes", s.Bytes)
	// Output:
	// declare ok seq 0 removed 0
	// enqueue ok seq 1 removed 0
	// enqueue ok seq 2 removed 0
	// remove ok seq 0 removed 1
	// head 2 tail 3 count 1 bytes 5
}
