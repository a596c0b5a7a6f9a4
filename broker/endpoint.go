package broker

import (
	"entrepot/protocol/amqp"
)

// An endpoint is the broker's half of one attached link: a producer (we receive)
// or a consumer (we send). Its connection's owner calls it.
type endpoint interface {
	// delivery: a message came.
	delivery(*amqp.Delivery)
	// flow: the peer's flow, or what it settled, changed something.
	flow()
	// outcome: the peer told what became of a message of ours.
	outcome(*amqp.Outcome)
	// session is the link's.
	session() *amqp.Session
	// turn runs at the end of a turn in which schedule was called.
	turn()
	// rest gives back memory that an idle link does not need.
	rest()
	// detached: the link is over; answers may still come.
	detached()
	// gone: no more answers come. detached was called before, and this endpoint has
	// kept its slot for them.
	gone()
}

// scheduled is embedded by endpoints that can be asked for a turn.
type scheduled struct{ queued bool }

func (s *scheduled) setQueued(q bool) (was bool) { was, s.queued = s.queued, q; return was }

type schedulable interface {
	endpoint
	setQueued(bool) bool
}

// schedule asks for e's turn at the end of this one.
func (c *conn) schedule(e schedulable) {
	if !e.setQueued(true) {
		c.due = append(c.due, e)
	}
}

// runDue gives every scheduled endpoint its turn, and lets consumers send as long as
// there is room for output.
func (c *conn) runDue() {
	for {
		c.watchWaiting()
		for len(c.due) > 0 {
			batch := c.due
			c.due = c.dueSpare
			for _, e := range batch {
				e.setQueued(false)
				e.turn()
			}
			clear(batch)
			c.dueSpare = batch[:0]
		}
		if len(c.senders) == 0 || c.outputFull() {
			return
		}
		c.serveSenders()
	}
}

// newSlot gives an endpoint a number that stands for it in tokens.
func (c *conn) newSlot(e endpoint) uint32 {
	if n := len(c.freeSlots); n > 0 {
		i := c.freeSlots[n-1]
		c.freeSlots = c.freeSlots[:n-1]
		c.slots[i] = e
		return i
	}
	c.slots = append(c.slots, e)
	return uint32(len(c.slots) - 1)
}

// freeSlot gives the number back. REQUIRES: no token with it is out.
func (c *conn) freeSlot(i uint32) {
	c.slots[i] = nil
	c.freeSlots = append(c.freeSlots, i)
}
