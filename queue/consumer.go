package queue

import "math"

// consumer is an attached link. Owner: the Dispatcher.
type consumer struct {
	id      ConsumerID
	runtime *runtime
	opts    AttachOptions

	sent      uint64 // Deliver effects so far
	limit     uint64 // how many there may be (see Dispatcher.SetLimit)
	window    int    // the credit it uses to grant: how far to read ahead for it
	unsettled uint32 // of these, without a confirmed outcome
	excluded  int    // messages it refused "here" and that are still known
	draining  bool

	// gen counts renewals of credit that had a cooling message wait for them.
	// cooled tells that there is one since.
	gen    uint32
	cooled bool

	// clearBelow: no restricted message before it is for this consumer.
	clearBelow Seq

	out entryList // acquired, gone, settling and modifying, in order of delivery

	// The ring of hungry consumers: those that may get a message now.
	next, prev *consumer
	hungry     bool

	// Of browsers.
	pos   Seq    // the next message to look at
	load  LoadID // outstanding, 0: none
	stale bool   // its result is of no use
}

const noSeq = Seq(math.MaxUint64)

// hasCredit tells whether the peer allows one more delivery.
func (c *consumer) hasCredit() bool { return c.sent < c.limit }

// mayTake tells whether c may get one more message.
func (c *consumer) mayTake() bool {
	return c.hasCredit() && c.unsettled < c.opts.MaxUnsettled && c.excluded < MaxExcluded
}

// consumerList is the ring of a queue's hungry consumers: the first gets the
// next message and goes to the end, so each gets one in turn.
type consumerList struct {
	first, last *consumer
}

func (l *consumerList) push(c *consumer) {
	c.hungry = true
	c.prev, c.next = l.last, nil
	if l.last == nil {
		l.first = c
	} else {
		l.last.next = c
	}
	l.last = c
}

func (l *consumerList) remove(c *consumer) {
	c.hungry = false
	if c.prev == nil {
		l.first = c.next
	} else {
		c.prev.next = c.next
	}
	if c.next == nil {
		l.last = c.prev
	} else {
		c.next.prev = c.prev
	}
	c.next, c.prev = nil, nil
}

// refresh puts c into the ring or takes it out, as its numbers say.
func (c *consumer) refresh() {
	if c.opts.Browse {
		return
	}
	switch may := c.mayTake(); {
	case may && !c.hungry:
		c.runtime.hungry.push(c)
	case !may && c.hungry:
		c.runtime.hungry.remove(c)
	}
}

// setLimit changes what c may get. More than before renews the credit: what it
// released is for it again.
func (c *consumer) setLimit(limit uint64) {
	if limit > c.limit && c.cooled {
		c.gen++
		c.cooled = false
		c.clearBelow = 0
	}
	c.limit = limit
	c.refresh()
	if c.opts.Browse {
		return
	}
	window := 0 // no credit at all: it does not want to be read ahead for
	if limit > c.sent {
		window = max(c.window, int(min(limit-c.sent, uint64(c.opts.MaxUnsettled))))
	}
	c.runtime.window += window - c.window
	c.window = window
}

// setDraining keeps count of who waits for Drained.
func (c *consumer) setDraining(on bool) {
	if on == c.draining {
		return
	}
	c.draining = on
	if on {
		c.runtime.draining++
	} else {
		c.runtime.draining--
	}
}
