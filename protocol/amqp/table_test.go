package amqp

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTable(t *testing.T) {
	var tab table[int]
	one, two := new(int), new(int)
	for _, n := range []uint32{0, denseEntries - 1, denseEntries, 1<<32 - 1} {
		require.Nil(t, tab.get(n))
		tab.set(n, one)
		require.Same(t, one, tab.get(n))
		tab.set(n, two)
		require.Same(t, two, tab.get(n))
		tab.set(n, nil)
		require.Nil(t, tab.get(n))
	}
	require.Len(t, tab.dense, denseEntries, "high numbers cost no slice")
}

func TestSlots(t *testing.T) {
	var s slots[int]
	v := new(int)
	take := func(want uint32) {
		n, ok := s.take(v, 2)
		require.True(t, ok)
		require.Equal(t, want, n)
	}
	take(0)
	take(1)
	take(2)
	_, ok := s.take(v, 2)
	require.False(t, ok, "the peer takes 0 to 2")
	s.release(2)
	s.release(0)
	take(0) // the lowest first
	take(2)
	require.Same(t, v, s.get(2))
	require.Nil(t, s.get(3))
}

// [amqp-transport 2.8.10] Serial numbers wrap.
func TestSerialNumbers(t *testing.T) {
	require.True(t, serialAfter(1, 0))
	require.True(t, serialAfter(0, 1<<32-1))
	require.False(t, serialAfter(1<<32-1, 0))
	require.False(t, serialAfter(5, 5))
	require.Equal(t, uint64(1<<32), widen(0, 1<<32))
	require.Equal(t, uint64(2<<32), widen(0, 2<<32-1), "just after the wrap")
	require.Equal(t, uint64(2<<32-1), widen(1<<32-1, 2<<32), "just before it")
}
