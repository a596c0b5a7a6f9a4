package history

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Rules say how much is known about the world that made a history.
type Rules struct {
	// ClocksJump: wall clocks were changed, so a message with a time to live may
	// be gone at any time.
	ClocksJump bool
	// Slack is how much a leader's clock may be off: it is slewed, never set.
	Slack time.Duration
}

// Violation is what no correct broker could have done.
type Violation struct {
	Rule string // "lost", "invented", "back from the dead", "order", "expired", "held twice", "count"
	Text string
}

func (v Violation) String() string { return v.Rule + ": " + v.Text }

// Check judges a history.
func (h *History) Check(r Rules) []Violation {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := checker{History: h, rules: r, perID: map[ID][]*Delivery{}}
	for _, d := range h.deliveries {
		c.perID[d.ID] = append(c.perID[d.ID], d)
	}
	for _, text := range h.strange {
		c.fault("invented", "%s", text)
	}
	for _, d := range h.deliveries {
		c.invented(d)
		c.dead(d)
		c.expired(d)
		c.counted(d)
	}
	c.lost()
	c.order()
	c.heldTwice()
	return c.found
}

type checker struct {
	*History
	rules Rules
	perID map[ID][]*Delivery
	found []Violation
}

func (c *checker) fault(rule, format string, args ...any) {
	c.found = append(c.found, Violation{rule, fmt.Sprintf(format, args...)})
}

// clock is how times are written: of the virtual day.
func clock(t time.Time) string { return t.Format("15:04:05.000000") }

func (c *checker) invented(d *Delivery) {
	s := c.byID[d.ID]
	switch {
	case s == nil:
		c.fault("invented", "%s: message %v was never sent", d.Link.Queue, d.ID)
	case s.Queue != d.Link.Queue:
		c.fault("invented", "message %v was sent to %s and came from %s", d.ID, s.Queue, d.Link.Queue)
	case s.Fate == Refused:
		c.fault("invented", "%s: message %v was refused and came all the same", d.Link.Queue, d.ID)
	}
}

// dead: none is delivered after its settle was confirmed.
func (c *checker) dead(d *Delivery) {
	for _, other := range c.perID[d.ID] {
		if other != d && other.Outcome.removes() && !other.Settled.IsZero() && other.Settled.Before(d.Since) {
			c.fault("back from the dead", "%s: message %v was settled at %s by link %d, and sent to link %d after %s (came at %s)",
				d.Link.Queue, d.ID, clock(other.Settled), other.Link.Number, d.Link.Number, clock(d.Since), clock(d.At))
			return
		}
	}
}

// expired: nothing is sent after its time to live.
func (c *checker) expired(d *Delivery) {
	s := c.byID[d.ID]
	if s == nil || s.TTL == 0 || s.Fate != Accepted || c.rules.ClocksJump {
		return
	}
	if deadline := s.Ended.Add(s.TTL + c.rules.Slack); deadline.Before(d.Since) {
		c.fault("expired", "%s: message %v should have been gone by %s, and was sent after %s", s.Queue, d.ID, clock(deadline), clock(d.Since))
	}
}

// counted: every failed delivery that was confirmed is in the count, for ever. While
// leaders change, a message may be with two consumers; what one of them says is then
// confirmed and need not count, so only what was said before is held against a count.
func (c *checker) counted(d *Delivery) {
	var failed uint32
	for _, other := range c.perID[d.ID] {
		if other.Outcome == Fail && !other.Settled.IsZero() && other.Settled.Before(d.Since) && c.calm(other.Settled) {
			failed++
		}
	}
	if d.Count < failed {
		c.fault("count", "%s: message %v failed %d times, and came at %s with delivery-count %d", d.Link.Queue, d.ID, failed, clock(d.At), d.Count)
	}
}

// lost: every accepted message comes, until somebody settles it.
func (c *checker) lost() {
	if c.end.IsZero() {
		return
	}
	taken := c.taken()
	for _, s := range c.sends {
		if mustBeThere(s, c.end, c.rules.ClocksJump) && !taken[s.ID] {
			c.fault("lost", "%s: message %v was accepted at %s, and nobody ever settled it", s.Queue, s.ID, clock(s.Ended))
		}
	}
}

// calm: no leader can have changed by then.
func (c *checker) calm(at time.Time) bool { return c.disrupted.IsZero() || at.Before(c.disrupted) }

// order: what a producer sent comes in that order to each consumer, the first time
// that it is given to somebody. While leaders change, a message that is out is
// given again without anybody's having said so; then only the last consumer, which
// has the queue for itself, can tell.
func (c *checker) order() {
	type way struct {
		link     *Link
		producer uint32
	}
	highest, seen := map[way]uint64{}, map[*Link]map[ID]bool{}
	for _, d := range c.deliveries {
		w := way{d.Link, d.ID.Producer}
		again := seen[d.Link][d.ID]
		if seen[d.Link] == nil {
			seen[d.Link] = map[ID]bool{}
		}
		seen[d.Link][d.ID] = true
		judged := d.Link.Last && !again || d.FirstAcquirer && d.Count == 0 && c.calm(d.At)
		if !judged {
			continue
		}
		if d.ID.N < highest[w] {
			c.fault("order", "%s: link %d got message %v at %s, behind %d of the same producer", d.Link.Queue, d.Link.Number, d.ID, clock(d.At), highest[w])
		}
		highest[w] = max(highest[w], d.ID.N)
	}
}

// heldTwice: as long as no leader changes, a message is with one consumer at a time.
func (c *checker) heldTwice() {
	for id, list := range c.perID {
		list = slices.DeleteFunc(slices.Clone(list), func(d *Delivery) bool { return d.Link.Browse })
		slices.SortStableFunc(list, func(a, b *Delivery) int { return cmp.Compare(a.At.UnixNano(), b.At.UnixNano()) })
		for i := 1; i < len(list); i++ {
			had, got := list[i-1], list[i]
			if c.calm(got.At) && had.At.Before(got.Since) && !letGo(had, got.At) {
				c.fault("held twice", "%s: message %v is with link %d since %s, and came to link %d at %s",
					got.Link.Queue, id, had.Link.Number, clock(had.At), got.Link.Number, clock(got.At))
			}
		}
	}
}

// letGo: the consumer may have given the delivery up by then.
func letGo(d *Delivery, by time.Time) bool {
	settled := !d.Settling.IsZero() && !d.Settling.After(by)
	return settled || !d.Link.Ended.IsZero() && !d.Link.Ended.After(by)
}
