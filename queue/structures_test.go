package queue

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestSeqTableAgainstMap: the table is a map, whatever is put in and taken out.
func TestSeqTableAgainstMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var table seqTable
		twin := map[Seq]*entry{}
		seqs := rapid.Uint64Range(1, 40)
		put := func(s Seq) {
			e := &entry{seq: s}
			require.Equal(t, twin[s] == nil, table.put(e), "put says whether it was new")
			if twin[s] == nil {
				twin[s] = e
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) { put(Seq(seqs.Draw(t, "seq"))) },
			"far": func(t *rapid.T) { put(Seq(rapid.Uint64Min(1).Draw(t, "seq"))) },
			"many": func(t *rapid.T) {
				first := Seq(rapid.Uint64Range(1, 1<<40).Draw(t, "first"))
				for s := first; s < first+600; s++ {
					put(s)
				}
			},
			"remove": func(t *rapid.T) {
				if len(twin) > 0 {
					s := rapid.SampledFrom(slices.Sorted(maps.Keys(twin))).Draw(t, "which")
					table.remove(s)
					delete(twin, s)
				}
			},
			"removeAll": func(t *rapid.T) {
				for s := range twin {
					table.remove(s)
					delete(twin, s)
				}
				require.LessOrEqual(t, len(table.slots), seqTableKeep, "an empty table is small")
			},
			"": func(t *rapid.T) {
				require.Equal(t, len(twin), table.n)
				for s, e := range twin {
					if table.get(s) != e {
						t.Fatalf("seq %d is not found", s)
					}
				}
				for s := Seq(1); s <= 41; s++ {
					require.Equal(t, twin[s], table.get(s))
				}
				all := table.appendAll(nil)
				require.Len(t, all, len(twin))
				for _, e := range all {
					if twin[e.seq] != e {
						t.Fatalf("seq %d is not the one that was put in", e.seq)
					}
				}
			},
		})
	})
}

// TestEntryListKeepsOrder: whatever comes back in whatever order.
func TestEntryListKeepsOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var l entryList
		in := map[Seq]*entry{}
		t.Repeat(map[string]func(*rapid.T){
			"insert": func(t *rapid.T) {
				s := Seq(rapid.Uint64Range(1, 50).Draw(t, "seq"))
				if in[s] == nil {
					in[s] = &entry{seq: s}
					l.insert(in[s])
				}
			},
			"remove": func(t *rapid.T) {
				if len(in) > 0 {
					s := rapid.SampledFrom(slices.Sorted(maps.Keys(in))).Draw(t, "which")
					l.remove(in[s])
					delete(in, s)
				}
			},
			"": func(t *rapid.T) {
				var forth, back []Seq
				for e := l.first; e != nil; e = e.next {
					forth = append(forth, e.seq)
				}
				for e := l.last; e != nil; e = e.prev {
					back = append(back, e.seq)
				}
				slices.Reverse(back)
				require.Equal(t, slices.Sorted(maps.Keys(in)), forth)
				require.Equal(t, forth, back)
				require.Equal(t, len(forth), l.n)
			},
		})
	})
}

// TestComingBackIsCheap: a consumer with many messages out that releases them
// one by one, forwards or backwards, must not cost a walk for each.
func TestComingBackIsCheap(t *testing.T) {
	const n = 200_000 // a walk each would be 2*10^10 steps: minutes
	for _, forwards := range []bool{true, false} {
		var l entryList
		for i := range Seq(n) {
			s := i
			if !forwards {
				s = n - i
			}
			l.insert(&entry{seq: s + 1})
		}
		require.Equal(t, n, l.n)
	}
}

// TestTimersInOrder: they come out as they went in, however many passed before.
func TestTimersInOrder(t *testing.T) {
	var q timerQueue
	next := int64(0)
	for i := range int64(1000) {
		q.push(timer{at: i})
		if i%3 == 0 {
			continue
		}
		x, ok := q.due(i)
		require.True(t, ok)
		require.Equal(t, next, x.at)
		next++
	}
	require.LessOrEqual(t, len(q.list), 1000, "what has passed is let go")
	for {
		x, ok := q.due(1000)
		if !ok {
			break
		}
		require.Equal(t, next, x.at)
		next++
	}
	require.Equal(t, int64(1000), next)
}

// TestPageEdges: masks at word borders, where shifts go wrong.
func TestPageEdges(t *testing.T) {
	for _, r := range [][2]int{{0, 1}, {0, 64}, {63, 65}, {64, 128}, {1, 4095}, {4095, 4096}, {0, 4096}, {100, 100}} {
		p := new(page)
		p.fill()
		p.clear(r[0], r[1])
		require.Equal(t, PageSize-(r[1]-r[0]), p.ones)
		require.Zero(t, p.count(r[0], r[1]))
		require.Equal(t, p.ones, p.count(0, PageSize))
		if r[0] < r[1] {
			require.Equal(t, r[0], p.nextDead(0))
			require.Equal(t, r[1], p.next(r[0]))
		} else {
			require.Equal(t, PageSize, p.nextDead(0))
		}
	}
}

// TestFifo: the oldest comes first, whatever was taken between, and the list
// does not grow with what went through it.
func TestFifo(t *testing.T) {
	var f fifo[int]
	for i := range 10_000 {
		f.push(i)
		if i >= 100 {
			require.Equal(t, i-100, f.pop())
		}
	}
	require.LessOrEqual(t, cap(f.list), 1024)
	x, ok := f.takeFirst(func(x *int) bool { return *x == 9_950 })
	require.True(t, ok)
	require.Equal(t, 9_950, x)
	_, ok = f.takeFirst(func(x *int) bool { return *x == 9_950 })
	require.False(t, ok)
	require.Equal(t, 99, f.len())
	require.Equal(t, 9_900, f.pop())
	require.Equal(t, 9_901, f.all()[0])
}
