package amqp

import (
	"time"

	"entrepot/protocol/amqp/wire"
)

// minRemoteIdleMillis is the shortest idle time-out of a peer that we serve: below
// it the empty frames would be an attack.
const minRemoteIdleMillis = 100

// restAfter is how long memory is kept that a busy connection will need again.
const restAfter = 20 * time.Second

// idle is what a connection knows of the time. It has no clock: now is what the
// owner said last.
type idle struct {
	now      time.Time
	begun    time.Time
	lastIn   time.Time
	lastOut  time.Time
	closedAt time.Time
	// remote is the peer's time-out, 0 if it has none.
	remote time.Duration
	// rested: memory was given back since something came or went.
	rested bool
}

func (i *idle) begin(now time.Time) {
	i.now, i.begun, i.lastIn, i.lastOut = now, now, now, now
}

func (i *idle) received(now time.Time) {
	i.now, i.lastIn, i.rested = now, now, false
}

// sent takes the owner's last time for the moment of the output: a little early, so
// an empty frame goes a little early too.
func (i *idle) sent() { i.lastOut, i.rested = i.now, false }

func (i *idle) opened(remoteMillis uint32) {
	i.remote = time.Duration(remoteMillis) * time.Millisecond
}

func (i *idle) closing() { i.closedAt = i.now }

// Tick looks at the time-outs of both ends: it sends an empty frame or fails the
// connection when one is due, and gives back memory that was not needed for a
// while. It returns when it wants to be called again; zero is never, until the next
// Receive or action.
func (c *Conn) Tick(now time.Time) (next time.Time) {
	c.clock.now = now
	switch {
	case c.phase == phaseClosed:
		return time.Time{}
	case c.phase == phaseClosing:
		return c.tickClosing(now)
	case c.phase < phaseOpened:
		return c.tickHandshake(now)
	}
	if limit := c.cfg.IdleTimeout; limit > 0 {
		due := c.clock.lastIn.Add(limit)
		if !now.Before(due) {
			// [amqp-transport 2.4.5] If the threshold is exceeded, a peer should try to
			// close the connection with an error that explains why.
			c.fail(&Error{Condition: wire.CondResourceLimitExceeded, Description: "nothing came for longer than our idle-time-out"})
			return c.tickClosing(now)
		}
		next = due
	}
	if c.clock.remote > 0 {
		// [amqp-transport 2.4.5] We have to send something before the peer's time-out
		// ends; half of it leaves room for a late tick and a slow network.
		due := c.clock.lastOut.Add(c.clock.remote / 2)
		if !now.Before(due) {
			if c.Pending() == 0 {
				c.out = wire.AppendEmptyFrame(c.out)
			}
			due = now.Add(c.clock.remote / 2)
		}
		next = earlier(next, due)
	}
	if rest := c.rest(now); !rest.IsZero() {
		next = earlier(next, rest)
	}
	return next
}

// tickHandshake ends a connection that never gets to open, in whatever way.
func (c *Conn) tickHandshake(now time.Time) time.Time {
	due := c.clock.begun.Add(c.cfg.handshakeTimeout())
	if now.Before(due) {
		return due
	}
	c.finish(Event{Err: &Error{Scope: ScopeConnection, Condition: wire.CondResourceLimitExceeded,
		Description: "the connection was not open in time"}})
	c.phase = phaseClosed
	c.in.discard()
	return time.Time{}
}

// tickClosing stops waiting for a peer that does not close.
func (c *Conn) tickClosing(now time.Time) time.Time {
	due := c.clock.closedAt.Add(c.cfg.closeTimeout())
	if now.Before(due) {
		return due
	}
	c.finish(c.closedBy)
	c.phase = phaseClosed
	c.in.discard()
	return time.Time{}
}

// rest gives memory back after a quiet while, and returns when to look again.
func (c *Conn) rest(now time.Time) time.Time {
	if c.clock.rested {
		return time.Time{}
	}
	quiet := c.clock.lastIn
	if c.clock.lastOut.After(quiet) {
		quiet = c.clock.lastOut
	}
	if due := quiet.Add(restAfter); now.Before(due) {
		return due
	}
	c.clock.rested = true
	c.in.shrink()
	c.spareBuffer = nil
	if len(c.notify) == 0 {
		c.notify = nil
	}
	for _, s := range c.channels.used {
		if s != nil {
			s.in.shrink()
			s.out.shrink()
		}
	}
	return time.Time{}
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}
