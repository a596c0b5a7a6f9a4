package broker

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFIFOThatNeverRunsEmptyDoesNotGrow(t *testing.T) {
	var f fifo[int]
	for i := range 100 {
		f.push(i)
	}
	for i := range 100_000 {
		require.Equal(t, i, f.pop())
		f.push(100 + i)
	}
	require.Equal(t, 100, f.len())
	require.LessOrEqual(t, cap(f.items), 512)
}

func TestFIFOFromBothEnds(t *testing.T) {
	var f fifo[int]
	for i := range 4 {
		f.push(i)
	}
	require.Equal(t, 0, f.pop())
	require.Equal(t, 3, f.popLast())
	require.Equal(t, 2, f.popLast())
	_, ok := f.takeFirst(func(n *int) bool { return *n == 2 })
	require.False(t, ok, "it was taken")
	f.push(5)
	n, ok := f.takeFirst(func(n *int) bool { return *n == 5 })
	require.True(t, ok)
	require.Equal(t, 5, n)
	f.trim()
	require.Equal(t, 1, f.popLast(), "trim leaves alone what is there")
	f.trim()
	require.Nil(t, f.items)
}
