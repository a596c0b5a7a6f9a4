package queue

import (
	"encoding/hex"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// run applies a pack as a store does.
func run(t require.TestingT, m *Machine, p []byte) PackVerdict {
	r, err := OpenPack(p)
	require.NoError(t, err)
	head := r.Header()
	v := m.BeginPack(&head)
	if v != PackFresh {
		return v
	}
	for rec := (Record{}); ; {
		more, err := r.Next(&rec)
		require.NoError(t, err)
		if !more {
			return v
		}
		m.Apply(&rec, head.NowMillis)
	}
}

// sending is one origin as the network mistreats it: a pack may come again, too
// early, or between those of others.
type sending struct {
	packs [][]byte
	next  int // the first that was not fresh yet
}

// drawPacks makes the packs of an origin: enqueues of its own, and whatever else
// depends on order.
func drawPacks(t *rapid.T, node uint64) (packs [][]byte) {
	for seq := range rapid.IntRange(1, 12).Draw(t, "packs") {
		var b PackBuilder
		b.Reset(nil)
		for i := range rapid.IntRange(1, 3).Draw(t, "records") {
			b.Enqueue(1, 0, 0, fmt.Appendf(nil, "%d-%d-%d", node, seq, i))
		}
		if rapid.Bool().Draw(t, "removes") {
			b.Remove(1, Settled, []Run{{First: Seq(rapid.IntRange(1, 40).Draw(t, "first")), Count: 2, Bytes: 10}})
		}
		b.Setting("last", fmt.Appendf(nil, "%d-%d", node, seq))
		packs = append(packs, b.Finish(1000, Origin{Node: node, Seq: uint64(seq + 1)}))
	}
	return packs
}

// TestPacksSentAgain: however often, too early or late the packs of some origins
// come, and wherever the Machine is stored and loaded in between, the state is
// that of a twin which is given exactly the fresh ones. Fresh is, for each
// origin, every pack once, in order.
func TestPacksSentAgain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, pure, store := NewMachine(), NewMachine(), newRows()
		for _, x := range []*Machine{m, pure} {
			x.Apply(&Record{Kind: KindDeclare, NewID: true}, 1)
		}
		senders := make([]sending, rapid.IntRange(1, 3).Draw(t, "origins"))
		left := 0
		for i := range senders {
			senders[i].packs = drawPacks(t, uint64(i+1))
			left += len(senders[i].packs)
		}
		for step := 0; left > 0; step++ {
			s := &senders[rapid.IntRange(0, len(senders)-1).Draw(t, "origin")]
			i := rapid.IntRange(0, len(s.packs)-1).Draw(t, "pack")
			if step > 200 { // that is enough of faults: all must come through
				i = min(s.next, len(s.packs)-1)
			}
			p := slices.Clone(s.packs[i])
			StampTime(p, int64(1000+step)) // each proposal has its own time
			hash := m.Hash()
			switch v := run(t, m, p); {
			case i == s.next:
				require.Equal(t, PackFresh, v)
				require.Equal(t, PackFresh, run(t, pure, p))
				s.next++
				left--
			case i < s.next:
				require.Equal(t, PackDuplicate, v)
				require.Equal(t, hash, m.Hash(), "nothing is done")
			default:
				require.Equal(t, PackGap, v)
				require.Equal(t, hash, m.Hash(), "nothing is done")
			}
			if rapid.IntRange(0, 9).Draw(t, "store") == 0 {
				store.save(t, m)
				m = store.load(t)
			}
			require.Equal(t, pure.Hash(), m.Hash())
		}
	})
}

// TestOriginsAgainstNaive: verdicts are those of a map.
func TestOriginsAgainstNaive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, naive := NewMachine(), map[uint64]uint64{}
		for range rapid.IntRange(1, 100).Draw(t, "packs") {
			o := Origin{rapid.Uint64Range(0, 4).Draw(t, "node"), rapid.Uint64Range(0, 6).Draw(t, "seq")}
			want := PackFresh
			switch last := naive[o.Node]; {
			case o.Node == 0:
			case o.Seq <= last:
				want = PackDuplicate
			case o.Seq > last+1:
				want = PackGap
			default:
				naive[o.Node] = o.Seq
			}
			require.Equal(t, want, m.BeginPack(&PackHeader{Origin: o}), "%v", o)
			last, known := m.OriginSeq(o.Node)
			require.Equal(t, naive[o.Node], last)
			require.Equal(t, last > 0, known)
		}
	})
}

func manyOrigins(n int) (t origins) {
	for i := range n {
		t = append(t, Origin{Node: uint64(i + 1), Seq: 1})
	}
	return t
}

// TestOriginsAreForgotten: the one that was not used for longest goes, and is
// then a gap until it begins anew under another number.
func TestOriginsAreForgotten(t *testing.T) {
	m := NewMachine()
	m.origins = manyOrigins(maxOrigins)
	begin := func(node, seq uint64) PackVerdict {
		return m.BeginPack(&PackHeader{Origin: Origin{node, seq}})
	}
	require.Equal(t, PackFresh, begin(1, 2), "it is used, so 2 is now the oldest")
	require.Equal(t, PackFresh, begin(5000, 1))
	require.Len(t, m.origins, maxOrigins)
	require.Equal(t, PackGap, begin(2, 2))
	_, known := m.OriginSeq(2)
	require.False(t, known)
	require.Equal(t, PackFresh, begin(1, 3))
	require.Equal(t, PackDuplicate, begin(3, 1), "a duplicate does not count as use")
	require.Equal(t, PackFresh, begin(5001, 1))
	require.Equal(t, PackGap, begin(3, 2))
}

// TestVerdictTakesTime: a fresh pack's time is the shard's, another's is not.
func TestVerdictTakesTime(t *testing.T) {
	m := NewMachine()
	m.BeginPack(&PackHeader{NowMillis: 5, Origin: Origin{1, 1}})
	m.BeginPack(&PackHeader{NowMillis: 9, Origin: Origin{1, 1}})
	m.BeginPack(&PackHeader{NowMillis: 9, Origin: Origin{1, 3}})
	require.Equal(t, int64(5), m.NowMillis())
	m.BeginPack(&PackHeader{NowMillis: 4, Origin: Origin{1, 2}})
	require.Equal(t, int64(5), m.NowMillis(), "it never goes back")
}

// goldenMeta is what rows of stores have, by version.
var goldenMeta = map[int]string{
	1: `01 05 0000000000000009 0000000000000007`,
	2: `02 05 0000000000000009 0000000000000007
		02 0000000000000001 ac02 0102030405060708 01
		02 01 61 01 78 06 6e6f64652f31 02 797a`,
}

func TestMetaGolden(t *testing.T) {
	m := NewMachine()
	require.NoError(t, m.LoadMeta(unhex(t, goldenMeta[1])))
	require.Equal(t, []any{ID(5), int64(9), int64(7)}, []any{m.NextID(), m.NowMillis(), m.SweptMillis()})
	require.Empty(t, m.origins)

	m.origins = origins{{1, 299}}
	require.Equal(t, PackFresh, m.BeginPack(&PackHeader{Origin: Origin{1, 300}}))
	require.Equal(t, PackFresh, m.BeginPack(&PackHeader{Origin: Origin{0x0102030405060708, 1}}))
	m.settings.set([]byte("node/1"), []byte("yz"))
	m.settings.set([]byte("a"), []byte("x"))
	want := hex.EncodeToString(unhex(t, goldenMeta[2]))
	require.Equal(t, want, hex.EncodeToString(m.AppendMeta(nil)))
	requireMetaLoads(t, m)
}

// requireMetaLoads: what the shard itself is can be stored and loaded.
func requireMetaLoads(t *testing.T, m *Machine) {
	t.Helper()
	meta, loaded := m.AppendMeta(nil), NewMachine()
	require.NoError(t, loaded.LoadMeta(meta))
	require.Equal(t, meta, loaded.AppendMeta(nil))
}

// TestDeclareGivesIDs: by name the Machine counts on, behind those given before.
func TestDeclareGivesIDs(t *testing.T) {
	m := NewMachine()
	byName := &Record{Kind: KindDeclare, NewID: true}
	require.Equal(t, Reply{Kind: KindDeclare, Queue: 1}, m.Apply(byName, 1))
	require.Equal(t, OK, m.Apply(&Record{Kind: KindDeclare, Queue: 7}, 1).Status, "version 1 brings its own")
	require.Equal(t, Reply{Kind: KindDeclare, Queue: 8}, m.Apply(byName, 1))
	m.nextID = 1<<32 - 1
	require.Equal(t, NoQueue, m.Apply(byName, 1).Status, "ids are used up")
	require.NoError(t, m.Check())
}

// TestHashGolden: during a rolling upgrade two releases compare their hashes.
func TestHashGolden(t *testing.T) {
	m := NewMachine()
	var b PackBuilder
	b.Reset(nil)
	b.Declare("a", nil)
	b.Declare("b", nil)
	for range 10 {
		b.Enqueue(1, 0, 0, []byte("payload"))
	}
	b.Remove(1, Settled, []Run{{First: 1, Count: 2, Bytes: 14}, {First: 5, Count: 1, Bytes: 7}})
	b.Mark(1, 6, 3)
	b.Expire(500, nil)
	b.Setting("cluster", []byte("{}"))
	require.Equal(t, PackFresh, run(t, m, b.Finish(1000, Origin{Node: 7, Seq: 1})))
	require.Equal(t, uint64(0x107737d468558750), m.Hash())
}
