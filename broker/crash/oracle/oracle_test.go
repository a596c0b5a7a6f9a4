package oracle

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A story is told to the oracle in the words of the workload. Its clock stands
// at epoch and moves only when the story says so.
type story struct {
	*Oracle
	now time.Time
}

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func newStory() *story { return &story{Oracle: New(time.Second), now: epoch} }

func id(n uint64) ID { return ID{Producer: 1, N: n} }

func (s *story) send(n uint64) { s.sendTTL(n, 0) }

func (s *story) sendTTL(n uint64, ttl time.Duration) {
	s.Sending(Send{ID: id(n), Queue: "q", TTL: ttl, At: s.now})
}

func (s *story) store(ns ...uint64) {
	for _, n := range ns {
		s.send(n)
		s.Accepted(id(n), s.now)
	}
}

func (s *story) deliver(c Consumer, n uint64) bool { return s.deliverCounted(c, n, 0) }

func (s *story) deliverCounted(c Consumer, n uint64, count uint32) bool {
	return s.Delivered(Delivery{Consumer: c, ID: id(n), DeliveryCount: count, At: s.now})
}

func (s *story) settle(t *testing.T, c Consumer, n uint64, out Outcome) {
	t.Helper()
	require.True(t, s.Settling(c, id(n), out))
	s.Settled(id(n), out)
}

func (s *story) restart() {
	s.Stopping()
	s.Restarted()
}

// want ends the story: exactly these kinds of violation have been found.
func (s *story) want(t *testing.T, kinds ...Kind) Report {
	t.Helper()
	r := s.Finish(s.now)
	got := map[Kind]bool{}
	for k := range r.Counts {
		got[k] = true
	}
	expect := map[Kind]bool{}
	for _, k := range kinds {
		expect[k] = true
	}
	require.Equal(t, expect, got, "%v", r.Violations)
	require.Equal(t, len(kinds) == 0, r.OK())
	return r
}

func TestAcceptedAndSettledIsFine(t *testing.T) {
	s := newStory()
	s.store(1, 2)
	c := s.Attached("q")
	s.deliver(c, 1)
	s.settle(t, c, 1, Accept)
	s.deliver(c, 2)
	s.settle(t, c, 2, Reject)
	r := s.want(t)
	require.Equal(t, 2, r.Settled)
	require.Equal(t, 2, r.Delivered)
}

func TestLostIsCaught(t *testing.T) {
	t.Run("never delivered", func(t *testing.T) {
		s := newStory()
		s.store(1)
		s.want(t, Lost)
	})
	t.Run("delivered before a crash and not after", func(t *testing.T) {
		s := newStory()
		s.store(1)
		s.deliver(s.Attached("q"), 1)
		s.restart()
		s.want(t, Lost)
	})
	t.Run("given back and confirmed, then gone", func(t *testing.T) {
		for _, out := range []Outcome{Release, Fail} {
			s := newStory()
			s.store(1)
			c := s.Attached("q")
			s.deliver(c, 1)
			s.settle(t, c, 1, out)
			s.want(t, Lost)
		}
	})
	t.Run("a settle in doubt is no excuse once the message came again", func(t *testing.T) {
		s := newStory()
		s.store(1)
		c := s.Attached("q")
		s.deliver(c, 1)
		s.Settling(c, id(1), Accept)
		s.restart()
		s.deliver(s.Attached("q"), 1)
		s.restart()
		s.want(t, Lost)
	})
}

func TestDoubtIsNotBlamed(t *testing.T) {
	t.Run("a send without an answer may be stored or not", func(t *testing.T) {
		s := newStory()
		s.send(1)
		s.send(2)
		c := s.Attached("q")
		s.deliver(c, 2)
		s.settle(t, c, 2, Accept)
		require.Equal(t, 2, s.want(t).Unknown)
	})
	t.Run("a settle without an answer may have happened", func(t *testing.T) {
		s := newStory()
		s.store(1)
		c := s.Attached("q")
		s.deliver(c, 1)
		s.Settling(c, id(1), Accept)
		s.restart()
		require.Equal(t, 1, s.want(t).InDoubt)
	})
	t.Run("or not", func(t *testing.T) {
		s := newStory()
		s.store(1)
		c := s.Attached("q")
		s.deliver(c, 1)
		s.Settling(c, id(1), Accept)
		s.restart()
		c = s.Attached("q")
		s.deliver(c, 1)
		s.settle(t, c, 1, Accept)
		require.Equal(t, 1, s.want(t).Redelivered)
	})
	t.Run("what is pre-settled may vanish", func(t *testing.T) {
		s := newStory()
		s.Sending(Send{ID: id(1), Queue: "q", MayVanish: true, At: s.now})
		s.Accepted(id(1), s.now)
		s.want(t)
	})
}

func TestResurrectionIsCaught(t *testing.T) {
	for _, out := range []Outcome{Accept, Reject} {
		s := newStory()
		s.store(1)
		c := s.Attached("q")
		s.deliver(c, 1)
		s.settle(t, c, 1, out)
		s.restart()
		c = s.Attached("q")
		s.deliver(c, 1)
		s.settle(t, c, 1, Accept)
		s.want(t, Resurrected)
	}
}

func TestInventionIsCaught(t *testing.T) {
	t.Run("an id that nobody sent", func(t *testing.T) {
		s := newStory()
		require.False(t, s.deliver(s.Attached("q"), 7))
		s.want(t, Invented)
	})
	t.Run("a body that does not parse", func(t *testing.T) {
		s := newStory()
		s.Unreadable("q", errors.New("checksum"))
		s.want(t, Invented)
	})
	t.Run("another queue's message", func(t *testing.T) {
		s := newStory()
		s.store(1)
		c := s.Attached("other")
		s.deliver(c, 1)
		s.settle(t, c, 1, Accept)
		s.want(t, Invented)
	})
	t.Run("a message that was refused", func(t *testing.T) {
		s := newStory()
		s.send(1)
		s.Refused(id(1))
		c := s.Attached("q")
		s.deliver(c, 1)
		s.settle(t, c, 1, Accept)
		s.want(t, Invented)
	})
}

func TestDisorderIsCaught(t *testing.T) {
	t.Run("first deliveries to one consumer", func(t *testing.T) {
		s := newStory()
		s.store(1, 2)
		c := s.Attached("q")
		s.deliver(c, 2)
		s.deliver(c, 1)
		s.settle(t, c, 1, Accept)
		s.settle(t, c, 2, Accept)
		s.want(t, Disorder)
	})
	t.Run("a restart puts everything back, so it excuses nothing", func(t *testing.T) {
		s := newStory()
		s.store(1, 2)
		c := s.Attached("q")
		s.deliver(c, 1)
		s.deliver(c, 2)
		s.restart()
		c = s.Attached("q")
		s.deliver(c, 2)
		s.deliver(c, 1)
		s.settle(t, c, 1, Accept)
		s.settle(t, c, 2, Accept)
		s.want(t, Disorder)
	})
	t.Run("the same message twice on one link without having been given back", func(t *testing.T) {
		s := newStory()
		s.store(1)
		c := s.Attached("q")
		s.deliver(c, 1)
		s.deliver(c, 1)
		s.settle(t, c, 1, Accept)
		s.want(t, Disorder, Shared)
	})
}

func TestLegalInversions(t *testing.T) {
	t.Run("a released message comes after later ones", func(t *testing.T) {
		for _, out := range []Outcome{Release, Fail} {
			s := newStory()
			s.store(1, 2)
			c := s.Attached("q")
			s.deliver(c, 1)
			require.True(t, s.Settling(c, id(1), out))
			s.deliver(c, 2)
			s.deliver(c, 1)
			s.settle(t, c, 1, Accept)
			s.settle(t, c, 2, Accept)
			s.want(t)
		}
	})
	t.Run("a consumer vanishes with a delivery that we never saw", func(t *testing.T) {
		s := newStory()
		s.store(1, 2)
		gone, c := s.Attached("q"), s.Attached("q")
		s.deliver(c, 2)
		s.Detached(gone)
		s.deliver(c, 1)
		s.settle(t, c, 1, Accept)
		s.settle(t, c, 2, Accept)
		s.want(t)
	})
	t.Run("competing consumers go at their own pace", func(t *testing.T) {
		s := newStory()
		s.store(1, 2)
		a, b := s.Attached("q"), s.Attached("q")
		s.deliver(b, 2)
		s.deliver(a, 1)
		s.settle(t, a, 1, Accept)
		s.settle(t, b, 2, Accept)
		s.want(t)
	})
}

func TestSharingIsCaught(t *testing.T) {
	s := newStory()
	s.store(1)
	a, b := s.Attached("q"), s.Attached("q")
	s.deliver(a, 1)
	s.deliver(b, 1)
	s.settle(t, b, 1, Accept)
	s.want(t, Shared)
}

func TestDetachedConsumerGivesBackAndIsSilent(t *testing.T) {
	s := newStory()
	s.store(1)
	a := s.Attached("q")
	s.deliver(a, 1)
	s.Detached(a)
	require.False(t, s.Settling(a, id(1), Accept), "its outcome must not be sent any more")
	b := s.Attached("q")
	require.True(t, s.deliver(b, 1))
	s.settle(t, b, 1, Accept)
	require.False(t, s.deliver(a, 1), "left over in its buffer: neither counted nor blamed")
	s.want(t)
}

func TestStoppingRefusesToSettle(t *testing.T) {
	s := newStory()
	s.store(1)
	c := s.Attached("q")
	s.deliver(c, 1)
	s.Stopping()
	require.False(t, s.Settling(c, id(1), Accept), "the broker is dead: such a settle would excuse a loss")
	s.Restarted()
	s.want(t, Lost)
}

func TestTTL(t *testing.T) {
	const ttl = 10 * time.Second
	expiring := func() (*story, Consumer) {
		s := newStory()
		s.sendTTL(1, ttl)
		s.Accepted(id(1), s.now)
		return s, s.Attached("q")
	}
	deliver := func(t *testing.T, s *story, c Consumer, left time.Duration, has bool) {
		s.Delivered(Delivery{Consumer: c, ID: id(1), TTL: left, HasTTL: has, At: s.now})
		s.settle(t, c, 1, Accept)
	}
	t.Run("in time, with what remains", func(t *testing.T) {
		s, c := expiring()
		s.now = epoch.Add(4 * time.Second)
		deliver(t, s, c, 6*time.Second, true)
		s.want(t)
	})
	t.Run("expired and never seen", func(t *testing.T) {
		s, _ := expiring()
		s.now = epoch.Add(ttl)
		require.Equal(t, 1, s.want(t).Expired)
	})
	t.Run("gone before its time", func(t *testing.T) {
		s, _ := expiring()
		s.now = epoch.Add(ttl - time.Millisecond)
		s.want(t, Lost)
	})
	t.Run("delivered after its time", func(t *testing.T) {
		s, c := expiring()
		s.now = epoch.Add(ttl + 1100*time.Millisecond)
		deliver(t, s, c, 0, true)
		s.want(t, Late)
	})
	t.Run("the deadline moved", func(t *testing.T) {
		s, c := expiring()
		s.now = epoch.Add(8 * time.Second)
		deliver(t, s, c, ttl, true)
		s.want(t, Late)
	})
	t.Run("the ttl was forgotten", func(t *testing.T) {
		s, c := expiring()
		deliver(t, s, c, 0, false)
		s.want(t, Late)
	})
	t.Run("the ttl grew", func(t *testing.T) {
		s, c := expiring()
		deliver(t, s, c, ttl+1, true)
		s.want(t, Late)
	})
}

func TestFallenDeliveryCountIsCaught(t *testing.T) {
	fail := func(t *testing.T) *story {
		s := newStory()
		s.store(1)
		c := s.Attached("q")
		s.deliver(c, 1)
		s.settle(t, c, 1, Fail)
		s.restart()
		return s
	}
	s := fail(t)
	c := s.Attached("q")
	s.deliverCounted(c, 1, 0)
	s.settle(t, c, 1, Accept)
	s.want(t, CountFell)

	s = fail(t)
	c = s.Attached("q")
	s.deliverCounted(c, 1, 2)
	s.settle(t, c, 1, Accept)
	s.want(t)
}

func TestReportKeepsCountsWhenDetailsAreMany(t *testing.T) {
	s := newStory()
	for range 3 * maxDetails {
		s.Blame(Unclean, "exit code 2")
	}
	r := s.want(t, Unclean)
	require.Equal(t, 3*maxDetails, r.Counts[Unclean])
	require.Len(t, r.Violations, maxDetails)
}

// Who reads a violation wants to know what came before it, of both messages if their
// order is wrong.
func TestAViolationTellsWhatCameBeforeIt(t *testing.T) {
	s := newStory()
	s.store(1, 2)
	c := s.Attached("q")
	s.deliver(c, 2)
	s.settle(t, c, 2, Accept)
	s.deliver(c, 1)
	report := s.Interim()
	require.Len(t, report.Violations, 1)
	text := report.Violations[0].Tell("life")
	require.Regexp(t, `^disorder q message 1/1 in life 1: it came after 2 and was never given back; `+
		`1/2: \S+ s sent, \S+ s accepted, \S+ s delivered to consumer 1, \S+ s accepted by consumer 1, \S+ s confirmed; `+
		`1/1: \S+ s sent, \S+ s accepted, \S+ s delivered to consumer 1$`, text)

	for range maxTrail {
		s.deliver(c, 1)
	}
	require.Len(t, s.messages[id(1)].trail, maxTrail, "however often that was")
	require.Equal(t, sent, s.messages[id(1)].trail[0].what)
}
