package cluster

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// A wall clock that jumps changes nothing at once, whichever way, and is followed.
func TestTheShardsClockDoesNotJump(t *testing.T) {
	for _, jump := range []time.Duration{time.Hour, -time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			off := time.Duration(0)
			c := newClock(func() time.Time { return time.Now().Add(off) })
			c.lead()
			require.Equal(t, time.Now().UnixMilli(), c.millis())
			off = jump
			last := c.millis()
			for range 600 {
				time.Sleep(time.Second)
				now := c.millis()
				require.InDelta(t, 1000, now-last, 11, "a second is a second, but for 1 %%")
				last = now
			}
			require.InDelta(t, jump.Hours()*6000, last-time.Now().UnixMilli(), 1, "after ten minutes 1 %% of them are made up")
			time.Sleep(100 * time.Hour)
			require.Equal(t, time.Now().Add(jump).UnixMilli(), c.millis(), "in the end it is the wall clock's")
		})
	}
}

// The next leader goes on behind the newest stamp, even if its wall clock is an hour
// late; stamps never go back.
func TestTimeDoesNotGoBackWithALeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClock(time.Now)
		ahead := time.Now().Add(time.Hour).UnixMilli()
		c.applied(ahead)
		require.Equal(t, ahead, c.millis())
		c.lead()
		require.Equal(t, ahead, c.stamp(time.Now()))
		time.Sleep(100 * time.Second)
		require.Equal(t, ahead+99_000, c.stamp(time.Now()), "slower than time until they meet")
		c.follow()
		c.applied(ahead) // an old pack
		require.Equal(t, ahead+99_000, c.millis())
	})
}

// A follower's clock is the leader's, as last heard.
func TestAFollowersClockIsAnEstimate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClock(time.Now)
		c.heard(time.Now().Add(-time.Minute).UnixMilli())
		require.Equal(t, time.Now().Add(-time.Minute).UnixMilli(), c.millis(), "ours was wrong")
		time.Sleep(time.Second)
		require.Equal(t, time.Now().Add(-time.Minute).UnixMilli(), c.millis())
		c.heard(time.Now().Add(-time.Minute - 20*time.Millisecond).UnixMilli())
		require.Equal(t, time.Now().Add(-time.Minute).UnixMilli(), c.millis(), "that is how long the message took")
		c.heard(time.Now().UnixMilli())
		require.Equal(t, time.Now().UnixMilli(), c.millis())
	})
}
