package history_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"entrepot/broker/sim/history"
)

// story writes a history of one queue by hand. Every step takes a second.
type story struct {
	*history.History
	now   time.Time
	sends map[uint64]*history.Send
}

func newStory() *story {
	return &story{History: history.New(), now: time.Unix(1e9, 0), sends: map[uint64]*history.Send{}}
}

func (s *story) tick() time.Time {
	s.now = s.now.Add(time.Second)
	return s.now
}

func (s *story) send(n uint64, fate history.Fate, ttl time.Duration) {
	send := s.Sending(history.Send{ID: history.ID{Producer: 1, N: n}, Queue: "q", TTL: ttl, Began: s.tick()})
	if fate != history.Unknown {
		s.Sent(send, fate, s.tick())
	}
}

func (s *story) link(last bool) *history.Link {
	return s.Attaching(history.Link{Queue: "q", Last: last, Attached: s.tick()})
}

func (s *story) gets(l *history.Link, n uint64) *history.Delivery {
	return s.Received(history.Delivery{Link: l, ID: history.ID{Producer: 1, N: n}, Since: s.tick(), At: s.tick(), FirstAcquirer: true})
}

func (s *story) settles(d *history.Delivery, out history.Outcome, confirmed bool) {
	s.Settling(d, out, s.tick())
	if confirmed {
		s.Settled(d, s.tick())
	}
}

// Each story is told with what is wrong about it, "" for nothing, and whether there
// is an order of its steps.
func TestJudgement(t *testing.T) {
	for _, c := range []struct {
		name, rule string
		verdict    history.Verdict
		tell       func(s *story)
	}{
		{"all is well", "", history.Linear, func(s *story) {
			s.send(1, history.Accepted, 0)
			s.send(2, history.Accepted, 0)
			l := s.link(false)
			s.settles(s.gets(l, 1), history.Accept, true)
			s.settles(s.gets(l, 2), history.Accept, true)
		}},
		{"lost", "lost", history.Illegal, func(s *story) {
			s.send(1, history.Accepted, 0)
		}},
		{"in doubt and gone", "", history.Linear, func(s *story) {
			s.send(1, history.Unknown, 0)
		}},
		{"in doubt and there", "", history.Linear, func(s *story) {
			s.send(1, history.Unknown, 0)
			s.settles(s.gets(s.link(false), 1), history.Accept, true)
		}},
		{"never sent", "invented", history.Illegal, func(s *story) {
			s.settles(s.gets(s.link(false), 1), history.Accept, true)
		}},
		{"refused", "invented", history.Illegal, func(s *story) {
			s.send(1, history.Refused, 0)
			s.settles(s.gets(s.link(false), 1), history.Accept, true)
		}},
		{"back from the dead", "back from the dead", history.Illegal, func(s *story) {
			s.send(1, history.Accepted, 0)
			s.settles(s.gets(s.link(false), 1), history.Accept, true)
			s.settles(s.gets(s.link(false), 1), history.Accept, true)
		}},
		{"again after a settle in doubt", "", history.Linear, func(s *story) {
			s.send(1, history.Accepted, 0)
			l := s.link(false)
			s.settles(s.gets(l, 1), history.Accept, false)
			s.Ended(l, s.tick(), nil)
			s.settles(s.gets(s.link(false), 1), history.Accept, true)
		}},
		{"out of order", "order", history.Illegal, func(s *story) {
			s.send(1, history.Accepted, 0)
			s.send(2, history.Accepted, 0)
			l := s.link(false)
			s.settles(s.gets(l, 2), history.Accept, true)
			s.settles(s.gets(l, 1), history.Accept, true)
		}},
		{"out of order in the last drain", "order", history.Linear, func(s *story) {
			s.Disrupted(s.tick())
			s.send(1, history.Accepted, 0)
			s.send(2, history.Accepted, 0)
			l := s.link(true)
			s.settles(s.gets(l, 2), history.Accept, true)
			s.settles(s.gets(l, 1), history.Accept, true)
		}},
		{"with two at once", "held twice", history.Illegal, func(s *story) {
			s.send(1, history.Accepted, 0)
			a := s.gets(s.link(false), 1)
			s.settles(s.gets(s.link(false), 1), history.Accept, true)
			s.settles(a, history.Accept, true)
		}},
		{"with two at once, by another leader", "", history.Linear, func(s *story) {
			s.Disrupted(s.tick())
			s.send(1, history.Accepted, 0)
			a := s.gets(s.link(false), 1)
			s.settles(s.gets(s.link(false), 1), history.Accept, true)
			s.settles(a, history.Accept, true)
		}},
		{"too late", "expired", history.Undecided, func(s *story) {
			s.send(1, history.Accepted, 500*time.Millisecond)
			s.settles(s.gets(s.link(false), 1), history.Accept, true)
		}},
		{"expired", "", history.Undecided, func(s *story) {
			s.send(1, history.Accepted, 500*time.Millisecond)
		}},
		{"lost before its time", "lost", history.Undecided, func(s *story) {
			s.send(1, history.Accepted, time.Hour)
		}},
		{"uncounted", "count", history.Linear, func(s *story) {
			s.send(1, history.Accepted, 0)
			l := s.link(false)
			s.settles(s.gets(l, 1), history.Fail, true)
			s.settles(s.gets(l, 1), history.Accept, true)
		}},
		{"passed by what nobody saw", "", history.Linear, func(s *story) {
			s.send(1, history.Accepted, 0)
			s.send(2, history.Accepted, 0)
			blind, credit := s.link(false), s.tick()
			l := s.link(false)
			s.settles(s.gets(l, 2), history.Accept, true)
			s.Ended(blind, s.tick(), []time.Time{credit})
			s.settles(s.gets(s.link(true), 1), history.Accept, true)
		}},
		{"released", "", history.Linear, func(s *story) {
			s.send(1, history.Accepted, 0)
			l := s.link(false)
			s.settles(s.gets(l, 1), history.Release, true)
			s.settles(s.gets(l, 1), history.Accept, true)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStory()
			c.tell(s)
			s.Drained(s.tick())
			var rules []string
			for _, v := range s.Check(history.Rules{}) {
				rules = append(rules, v.Rule)
			}
			if c.rule == "" {
				require.Empty(t, rules)
			} else {
				require.Contains(t, rules, c.rule)
			}
			require.Equal(t, c.verdict, s.Linear("q", 10*time.Second))
		})
	}
}
