package oracle

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func newClusterStory() *story {
	return &story{Oracle: NewCluster(time.Second, time.Minute), now: epoch}
}

func TestAStaleDeliveryIsCountedInBadWeatherOnly(t *testing.T) {
	s := newClusterStory()
	s.store(1, 2, 3)
	old, quick := s.Attached("q"), s.Attached("q")
	s.Disturb()
	s.deliver(quick, 1)
	s.settle(t, quick, 1, Accept)
	require.True(t, s.deliver(old, 1), "it had been on its way through a paused node")
	s.settle(t, old, 1, Release) // who holds a stale one may say what he likes
	s.Calm()
	s.deliver(quick, 2)
	s.settle(t, quick, 2, Accept)
	s.deliver(quick, 3)
	s.settle(t, quick, 3, Accept)
	r := s.want(t)
	require.Equal(t, 1, r.Stale)
}

func TestResurrectedIsCaughtInAnyWeather(t *testing.T) {
	t.Run("on a link that is younger than the confirmation", func(t *testing.T) {
		s := newClusterStory()
		s.store(1)
		s.Disturb()
		c := s.Attached("q")
		s.deliver(c, 1)
		s.settle(t, c, 1, Accept)
		s.deliver(s.Attached("q"), 1)
		s.want(t, Resurrected)
	})
	t.Run("in calm weather", func(t *testing.T) {
		s := newClusterStory()
		s.store(1)
		c, other := s.Attached("q"), s.Attached("q")
		s.Disturb()
		s.deliver(c, 1)
		s.settle(t, c, 1, Accept)
		s.Calm()
		s.deliver(other, 1)
		s.settle(t, other, 1, Accept)
		s.want(t, Resurrected)
	})
}

func TestAQueueThatRestedTellsAllInCalmWeather(t *testing.T) {
	drain := func(t *testing.T, order ...uint64) *story {
		s := newClusterStory()
		s.Disturb()
		s.store(1, 2, 3)
		s.Calm()
		c := s.Attached("q")
		for _, n := range order {
			s.deliver(c, n)
			s.settle(t, c, n, Accept)
		}
		return s
	}
	drain(t, 1, 2, 3).want(t)
	drain(t, 1, 3).want(t, Lost)
	drain(t, 2, 1, 3).want(t, Disorder)
	drain(t, 1, 2, 2, 3).want(t, Resurrected, Disorder)
}

func TestTwoMayHaveAMessageInBadWeather(t *testing.T) {
	s := newClusterStory()
	s.store(1, 2)
	a, b := s.Attached("q"), s.Attached("q")
	s.deliver(a, 1)
	s.Disturb()
	s.deliver(b, 1) // its leader believes that a's node is gone
	s.settle(t, b, 1, Accept)
	s.Calm()
	s.deliver(a, 2)
	s.deliver(b, 2)
	s.settle(t, b, 2, Accept)
	s.want(t, Shared)
}

func TestWhatAConsumerHeldThroughBadWeatherIsNotShared(t *testing.T) {
	s := newClusterStory()
	s.store(1)
	a, b := s.Attached("q"), s.Attached("q")
	s.Disturb()
	s.deliver(a, 1) // on a node that is then cut off, and nobody tells the client
	s.Calm()
	s.deliver(b, 1)
	s.settle(t, b, 1, Accept)
	s.want(t)
}

func TestASettleInDoubtIsAnExcuseForEver(t *testing.T) {
	s := newClusterStory()
	s.store(1)
	a := s.Attached("q")
	s.deliver(a, 1)
	s.Disturb()
	s.Settling(a, id(1), Accept)
	s.Detached(a)
	b := s.Attached("q")
	s.deliver(b, 1)
	s.settle(t, b, 1, Release) // and then a's settle, kept by its node, is carried out
	s.Calm()
	r := s.want(t)
	require.Equal(t, 1, r.InDoubt)
}

func TestOrderIsNotJudgedAcrossBadWeather(t *testing.T) {
	s := newClusterStory()
	s.store(1, 2, 3, 4)
	c := s.Attached("q")
	s.deliver(c, 3)
	s.settle(t, c, 3, Accept)
	s.Disturb()
	s.deliver(c, 2) // had been with a consumer that we do not know of
	s.settle(t, c, 2, Accept)
	s.Calm()
	s.deliver(c, 1)
	s.settle(t, c, 1, Accept)
	s.deliver(c, 4)
	s.settle(t, c, 4, Accept)
	s.want(t)
}

func TestWhatIsGivenBackJustBeforeCalmMayComeLate(t *testing.T) {
	s := newClusterStory()
	s.store(1, 2)
	c := s.Attached("q")
	s.Disturb()
	s.deliver(c, 1)
	s.settle(t, c, 1, Release)
	s.Calm()
	for _, n := range []uint64{2, 1} {
		s.deliver(c, n)
		s.settle(t, c, n, Accept)
	}
	s.want(t)
}

func TestADeliveryMayBeHeldUpInBadWeather(t *testing.T) {
	late := func(weather func(*story)) *story {
		s := newClusterStory()
		s.sendTTL(1, time.Second)
		s.Accepted(id(1), s.now)
		c := s.Attached("q")
		weather(s)
		s.now = s.now.Add(10 * time.Second)
		s.Delivered(Delivery{Consumer: c, ID: id(1), TTL: time.Millisecond, HasTTL: true, At: s.now})
		return s
	}
	late((*story).Disturb).want(t)
	late(func(s *story) { s.Disturb(); s.Calm() }).want(t, Late)
}

func TestAStaleDeliveryDoesNotKnowOfLaterFailures(t *testing.T) {
	s := newClusterStory()
	s.store(1)
	old, quick := s.Attached("q"), s.Attached("q")
	s.Disturb()
	s.deliver(quick, 1)
	s.settle(t, quick, 1, Fail)
	s.deliverCounted(old, 1, 0) // on its way since before
	s.settle(t, old, 1, Release)
	young := s.Attached("q")
	s.deliverCounted(young, 1, 0)
	s.settle(t, young, 1, Accept)
	s.want(t, CountFell)
}

func TestAChangeOfLeadersExcusesItsCalm(t *testing.T) {
	twice := func(shaken bool) *story {
		s := newClusterStory()
		s.store(1)
		c := s.Attached("q")
		for range 2 { // the second one had been sent before the settle was a fact
			s.deliver(c, 1)
			s.settle(t, c, 1, Accept)
		}
		if shaken {
			s.Shaken()
		}
		s.Disturb()
		return s
	}
	twice(false).want(t, Resurrected, Disorder)
	r := twice(true).want(t)
	require.Equal(t, 2, r.Stale)
	require.Equal(t, 1, r.Shaken)

	s := newClusterStory()
	s.store(1)
	s.Shaken()
	s.want(t, Lost) // no change of leaders excuses that
}
