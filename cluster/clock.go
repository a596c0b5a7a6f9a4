package cluster

import (
	"sync"
	"time"
)

// clock is the shard's time: what packs are stamped with, and what decides whether
// a message has outlived its TTL.
//
// On the leader it begins, with the term, where the leader before had got to, as far
// as this node has heard of it (every Append tells the time); else, after a start of
// the whole cluster, at the wall clock, but never behind the newest stamp in the
// log. From then on the monotonic clock drives it, and it is
// drawn towards the wall clock by at most 1 % of the time that passes: if the wall
// clock jumps by an hour, the shard's makes up for it in 100 hours, and nothing
// expires at once, nor lives for an hour more. Elsewhere it is an estimate: the
// leader's time as last heard, driven on.
//
// What is stamped never goes back.
type clock struct {
	wall func() time.Time

	mu      sync.Mutex
	value   time.Duration // since the Unix epoch, at the moment below
	moment  time.Time     // of the monotonic clock
	leading bool
	told    bool  // a leader has told its time to this process
	stamped int64 // Unix milliseconds: the newest stamp given or seen
}

const (
	slew = 100 // one part in so many
	// apart is how much a follower's estimate may be ahead of what the leader says
	// before it is given up: less than that is the way of the message.
	apart = time.Second
)

func newClock(wall func() time.Time) *clock {
	return &clock{wall: wall, value: time.Duration(wall().UnixNano()), moment: time.Now()}
}

// run lets the clock go on to now. REQUIRES: c.mu.
func (c *clock) run(now time.Time) {
	passed := max(now.Sub(c.moment), 0)
	c.moment = now
	c.value += passed
	if c.leading {
		most := passed / slew
		c.value += min(max(time.Duration(c.wall().UnixNano())-c.value, -most), most)
	}
}

// lead begins a leader's time.
func (c *clock) lead() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.run(time.Now())
	if !c.told {
		c.value = time.Duration(c.wall().UnixNano())
	}
	c.value = max(c.value, time.Duration(c.stamped)*time.Millisecond)
	c.leading = true
}

// follow ends it; the clock runs on as an estimate.
func (c *clock) follow() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.run(time.Now())
	c.leading = false
}

// millis is the shard's time.
func (c *clock) millis() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.run(time.Now())
	return c.read()
}

// read: REQUIRES c.mu.
func (c *clock) read() int64 { return max(c.value.Milliseconds(), c.stamped) }

// stamp is the time for a pack that is proposed now.
func (c *clock) stamp(now time.Time) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.run(now)
	c.stamped = c.read()
	return c.stamped
}

// applied is told the stamp of every pack that is applied.
func (c *clock) applied(millis int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if millis <= c.stamped {
		return
	}
	c.stamped = millis
	c.value = max(c.value, time.Duration(millis)*time.Millisecond-time.Since(c.moment))
}

// heard is told what the leader says its time is.
func (c *clock) heard(millis int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.leading {
		return
	}
	c.run(time.Now())
	c.told = true
	if said := time.Duration(millis) * time.Millisecond; said > c.value || c.value-said > apart {
		c.value = said
	}
}
