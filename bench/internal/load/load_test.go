package load

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestBodyCarriesItsStamp(t *testing.T) {
	body := make([]byte, StampSize)
	PutStamp(body, 123456789)
	stamp, ok := Stamp(body)
	require.True(t, ok)
	require.EqualValues(t, 123456789, stamp)
	_, ok = Stamp(body[1:])
	require.False(t, ok)
}

func TestFillerRepeatsOnlyAfterItsWholePool(t *testing.T) {
	f := NewFiller(StampSize+16, RandomBody)
	first := f.Next()
	require.Len(t, first, 16)
	for range 1000 {
		require.NotEqual(t, first, f.Next(), "else a broker that compresses gains")
	}
	require.Empty(t, NewFiller(StampSize, RandomBody).Next())
}

func TestMeterRecordsOnlyInItsWindow(t *testing.T) {
	var w Window
	m := NewMeter(&w)
	m.Observe(0, 1)
	w.Set(true)
	m.Observe(0, int64(time.Second))
	w.Set(false)
	m.Observe(0, 1)
	require.EqualValues(t, 3, m.Count())
	require.EqualValues(t, 1, m.Histogram().Count())
	require.Equal(t, time.Second, m.Histogram().Max())
}

func TestMeterKnowsTheLongestPauseOfItsWindow(t *testing.T) {
	var w Window
	m := NewMeter(&w)
	m.Observe(0, int64(1*time.Second))
	w.Set(true)
	m.Observe(0, int64(10*time.Second)) // since before the window: no pause of it
	m.Observe(0, int64(11*time.Second))
	m.Observe(0, int64(14*time.Second))
	m.Observe(0, int64(15*time.Second))
	w.Set(false)
	m.Observe(0, int64(60*time.Second))
	require.Equal(t, 3*time.Second, m.LongestPause())
}

// A call that takes longer than the interval must not thin out what follows: the
// stamps keep to the plan.
func TestPaceCatchesUpWithIntendedStamps(t *testing.T) {
	const rate = 1000
	var stamps []int64
	Pace(t.Context(), rate, func(stamp int64) bool {
		stamps = append(stamps, stamp)
		if len(stamps) == 1 {
			nanosleep(int64(5 * time.Millisecond)) // a broker that stalls
		}
		return len(stamps) < 20
	})
	require.Len(t, stamps, 20)
	for i, stamp := range stamps {
		require.InDelta(t, i*int(time.Millisecond), stamp-stamps[0], 10)
	}
	require.Greater(t, Now(), stamps[19], "nothing is sent before its time")
}

func TestDriveStopsAtCountErrorAndContext(t *testing.T) {
	n := 0
	count := func(int, int64) error { n++; return nil }
	require.NoError(t, (&Sending{Count: 3}).Drive(t.Context(), count))
	require.Equal(t, 3, n)

	broken := errors.New("broken")
	err := (&Sending{Rate: 1e6}).Drive(t.Context(), func(i int, _ int64) error {
		require.Zero(t, i, "nothing is sent after an error")
		return broken
	})
	require.ErrorIs(t, err, broken)

	over, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, (&Sending{}).Drive(over, func(int, int64) error { t.Error("the context has ended"); return nil }))
}

func TestSlots(t *testing.T) {
	s := NewSlots(2)
	require.True(t, s.Take(t.Context()))
	require.True(t, s.Take(t.Context()))
	over, cancel := context.WithCancel(t.Context())
	cancel()
	require.False(t, s.Take(over), "both are taken")
	s.Free()
	require.True(t, s.Take(t.Context()))
}

func TestEach(t *testing.T) {
	var sum, most, now atomic.Int64
	items := make([]int, 100)
	for i := range items {
		items[i] = i
	}
	require.NoError(t, Each(t.Context(), items, 4, func(_ context.Context, i int) error {
		most.Store(max(most.Load(), now.Add(1)))
		sum.Add(int64(i))
		now.Add(-1)
		return nil
	}))
	require.EqualValues(t, 4950, sum.Load())
	require.LessOrEqual(t, most.Load(), int64(4))

	broken := errors.New("broken")
	var began atomic.Int64
	require.ErrorIs(t, Each(t.Context(), items, 1, func(context.Context, int) error { began.Add(1); return broken }), broken)
	require.EqualValues(t, 1, began.Load(), "the first error cancels the rest")
	require.NoError(t, Each(t.Context(), nil, 4, func(context.Context, int) error { return broken }))
}
