package journal

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"entrepot/queue"
)

func openTestLog(t *testing.T, o Options) (*Store, *Log) {
	s, err := Open(o)
	require.NoError(t, err)
	l, err := s.Log(3)
	require.NoError(t, err)
	return s, l
}

func entries(first uint64, n int) []Entry {
	out := make([]Entry, n)
	for i := range out {
		index := first + uint64(i)
		out[i] = Entry{
			Index: index, Term: index / 10, Type: uint8(index % 3), AppendedAtMillis: int64(1000 + index),
			Data: fmt.Append(nil, "data-", index),
		}
		if index%4 == 0 {
			out[i].Extensions = fmt.Append(nil, "ext-", index)
		}
	}
	return out
}

func TestLogKeepsEntries(t *testing.T) {
	o := memOptions()
	s, l := openTestLog(t, o)
	require.Zero(t, l.First())
	require.Zero(t, l.Last())
	require.ErrorIs(t, l.Get(1, new(Entry)), ErrNotFound)
	require.NoError(t, l.Append(nil))
	want := entries(7, 20)
	require.NoError(t, l.Append(want[:1]), "an empty log begins anywhere")
	require.NoError(t, l.Append(want[1:]))
	require.Error(t, l.Append(entries(30, 1)), "a gap")
	require.Error(t, l.Append(entries(26, 1)), "twice")
	check := func(why string) {
		require.EqualValues(t, 7, l.First(), why)
		require.EqualValues(t, 26, l.Last(), why)
		for _, e := range want {
			var got Entry
			require.NoError(t, l.Get(e.Index, &got), why)
			require.Equal(t, e, got, why)
		}
		require.ErrorIs(t, l.Get(6, new(Entry)), ErrNotFound, why)
		require.ErrorIs(t, l.Get(27, new(Entry)), ErrNotFound, why)
	}
	check("from the cache")
	l.cache.reset()
	check("from disk")
	require.NoError(t, s.Close())
	_, l = openTestLog(t, o)
	check("after a restart")
}

func TestLogTruncation(t *testing.T) {
	r := newRig(t, memOptions())
	defer r.close()
	r.declare(1) // entry 1
	for range 9 {
		r.enqueue(1, "x") // entries 2..10
	}
	require.NoError(t, r.log.DeleteRange(1, 5))
	require.EqualValues(t, 1, r.log.First(), "what only the log has is kept")
	require.NoError(t, r.log.DeleteRange(1, 10))
	require.EqualValues(t, 1, r.log.First(), "even if all of it is asked for")
	require.NoError(t, r.log.DeleteRange(1, 4))
	r.rowsOnly()
	require.EqualValues(t, 1, r.log.First(), "rows alone do not hold the bodies")
	r.spill()
	require.Zero(t, r.log.First(), "then the wish is remembered: 1..10")

	r.enqueue(1, "y") // 11
	require.NoError(t, r.log.Append([]Entry{{Index: 12, Data: []byte("not applied")}, {Index: 13}}))
	require.NoError(t, r.log.DeleteRange(12, 13))
	require.EqualValues(t, 11, r.log.Last(), "a suffix that was never applied goes exactly")
	require.ErrorIs(t, r.log.Get(12, new(Entry)), ErrNotFound)
	require.NoError(t, r.log.Append([]Entry{{Index: 12, Term: 2, Data: r.pack(func(*queue.PackBuilder) {})}}))
	r.next = 13
	r.crash(0, rand.New(rand.NewPCG(1, 1)))
	var e Entry
	require.NoError(t, r.log.Get(12, &e))
	require.EqualValues(t, 2, e.Term, "and durably")
}

func TestLogCacheIsBounded(t *testing.T) {
	c := logCache{limit: 1000}
	for i := uint64(1); i <= 100; i++ {
		c.add(Entry{Index: i, Data: make([]byte, 100)})
		require.LessOrEqual(t, c.bytes, c.limit)
		_, ok := c.get(i)
		require.True(t, ok, "the newest entry is there")
	}
	_, ok := c.get(90)
	require.False(t, ok)
	c.keepAfter(98)
	require.Len(t, c.entries, 2)
	c.keepBefore(100)
	require.Len(t, c.entries, 1)
	c.add(Entry{Index: 200})
	_, ok = c.get(99)
	require.False(t, ok, "a gap starts it anew")
	c.add(Entry{Index: 201, Data: make([]byte, 5000)})
	require.Empty(t, c.entries, "one that does not fit is not kept")
	require.Zero(t, c.bytes)
}

func TestMarks(t *testing.T) {
	o := memOptions()
	s, err := Open(o)
	require.NoError(t, err)
	m := s.Marks(3)
	_, err = m.Get("snapshot")
	require.ErrorIs(t, err, ErrNotFound)
	require.NoError(t, m.Set("snapshot", []byte("one")))
	require.NoError(t, m.Set("empty", nil))
	_, err = s.Marks(4).Get("snapshot")
	require.ErrorIs(t, err, ErrNotFound, "another shard's")
	require.Error(t, m.Set(stateRowName, nil), "the shard's own")
	require.Error(t, m.Set("", nil))
	require.NoError(t, s.Close())
	s, err = Open(o)
	require.NoError(t, err)
	got, err := s.Marks(3).Get("snapshot")
	require.NoError(t, err)
	require.Equal(t, "one", string(got))
	got, err = s.Marks(3).Get("empty")
	require.NoError(t, err)
	require.Empty(t, got)
	require.NoError(t, s.Marks(3).Delete("snapshot"))
	_, err = s.Marks(3).Get("snapshot")
	require.ErrorIs(t, err, ErrNotFound)
	require.NoError(t, s.Close())
	require.ErrorIs(t, s.Close(), ErrClosed)
	_, err = s.Shard(0)
	require.True(t, errors.Is(err, ErrClosed))
}
