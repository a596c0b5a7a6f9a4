package journal

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"entrepot/queue"
)

func (r *rig) set(key, value string) {
	r.t.Helper()
	require.True(r.t, r.do(func(b *queue.PackBuilder) { b.Setting(key, []byte(value)) }).AllOK)
}

// settings are all of them, as "key=value".
func (r *rig) settings() (out []string) {
	r.shard.EachSetting(func(key string, value []byte) bool {
		got, ok := r.shard.Setting(key) // so f may ask the shard
		require.True(r.t, ok)
		require.Equal(r.t, value, got)
		out = append(out, key+"="+string(value))
		return true
	})
	return out
}

func TestSettings(t *testing.T) {
	r := newRig(t, memOptions())
	defer func() { r.close() }()
	r.set("node/2", "b")
	r.set("cluster", "x")
	before, _ := r.shard.Setting("cluster")
	r.set("cluster", "y")
	require.Equal(t, "x", string(before), "what was given out does not change")
	r.set("node/1", "a")
	r.set("node/1", "")
	r.set("nothing", "")
	want := []string{"cluster=y", "node/2=b"}
	require.Equal(t, want, r.settings())
	_, ok := r.shard.Setting("node/1")
	require.False(t, ok)
	r.crash(0, nil)
	require.Equal(t, want, r.settings(), "from the log")
	r.rowsOnly()
	r.crash(0, nil)
	require.Equal(t, want, r.settings(), "the rows were not synced: from the log again")
	r.close()
	r.open()
	require.Equal(t, want, r.settings())
	n := 0
	r.shard.EachSetting(func(string, []byte) bool { n++; return false })
	require.Equal(t, 1, n, "false ends it")
}

// TestChecks: two shards that applied the same say the same, the last keptChecks
// of them, and one that did not says something else.
func TestChecks(t *testing.T) {
	a, b, c := newRig(t, memOptions()), newRig(t, memOptions()), newRig(t, memOptions())
	for i, r := range []*rig{a, b, c} {
		defer func() { r.close() }()
		r.declare(1)
		for range keptChecks + 1 {
			r.do(func(b *queue.PackBuilder) { b.Enqueue(1, 0, 0, make([]byte, 1+i/2)); b.Check() })
			if i == 1 {
				r.spill() // what is stored does not show
			}
		}
	}
	for index := uint64(3); index <= keptChecks+2; index++ {
		want, ok := a.shard.CheckAt(index)
		require.True(t, ok)
		got, ok := b.shard.CheckAt(index)
		require.True(t, ok)
		require.Equal(t, want, got)
		other, ok := c.shard.CheckAt(index)
		require.True(t, ok)
		require.NotEqual(t, want, other)
	}
	last, _ := a.shard.CheckAt(keptChecks + 2)
	require.Equal(t, a.shard.Hash(), last)
	for _, index := range []uint64{0, 1, 2, keptChecks + 3} {
		_, ok := a.shard.CheckAt(index)
		require.False(t, ok, "%d", index)
	}
}

func TestClearActive(t *testing.T) {
	r := newRig(t, memOptions())
	defer r.close()
	r.declare(1)
	r.declare(2)
	r.shard.SetActive(1, true)
	r.shard.SetActive(2, true)
	enqueue := func(b *queue.PackBuilder) {
		b.Enqueue(1, 0, 0, []byte("x"))
		b.Setting("k", []byte("v"))
		b.Enqueue(2, 0, 0, []byte("y"))
	}
	require.Len(t, r.do(enqueue).Events, 2)
	r.shard.ClearActive()
	require.Empty(t, r.do(enqueue).Events)
	r.shard.SetActive(2, true)
	require.Len(t, r.do(enqueue).Events, 1)
}

// TestOriginsSurvive: what was applied is not applied again after a crash,
// whether the log or the rows know of it.
func TestOriginsSurvive(t *testing.T) {
	r := newRig(t, memOptions())
	defer func() { r.close() }()
	rng := rand.New(rand.NewPCG(1, 1))
	r.declare(1)
	r.origin.Node = 9
	for i := range 6 {
		r.enqueue(1, fmt.Sprint(i))
		switch i % 3 {
		case 1:
			r.rowsOnly()
		case 2:
			r.spill()
		}
		r.crash(rng.IntN(101), rng)
		a, err := r.try(r.last)
		require.NoError(t, err)
		require.Equal(t, queue.PackDuplicate, a.Verdict)
		last, known := r.shard.OriginSeq(9)
		require.True(t, known)
		require.EqualValues(t, i+1, last)
		require.Len(t, r.all(1, 10), i+1)
	}
}

// TestDumpShowsWherePacksCameFrom: of a pack that was forwarded and compressed.
func TestDumpShowsWherePacksCameFrom(t *testing.T) {
	o := memOptions()
	r := newRig(t, o)
	r.origin.Node, r.compress = 0xabc, true
	r.do(func(b *queue.PackBuilder) {
		b.Declare("q", nil)
		b.Enqueue(1, 0, 0, make([]byte, 1000))
		b.Setting("cluster", []byte("{}"))
		b.Check()
	})
	require.Less(t, len(r.last), 500)
	r.close()
	var out strings.Builder
	require.NoError(t, Dump(o.Dir, &out, DumpOptions{FS: o.FS, Records: true, Kinds: "L"}))
	require.Equal(t, fmt.Sprintf(`L 0 1: term 1 type 0, %d bytes (1082 plain), 4 records at 1000000 ms, pack 1 of 0000000000000abc
  declare "q" spec ""
  enqueue q1 1000 bytes deadline 0
  setting "cluster" = "{}"
  check
`, len(r.last)), out.String())
}
