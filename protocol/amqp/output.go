package amqp

import "entrepot/protocol/amqp/wire"

// TakeOutput returns the bytes to write, and goes on appending into spare[:0]; a
// nil spare leaves an idle connection without a buffer. Merged dispositions and
// flows are written out first.
func (c *Conn) TakeOutput(spare []byte) []byte {
	c.flush()
	out := c.out
	c.out = spare[:0]
	if len(out) > 0 {
		c.clock.sent()
	}
	return out
}

// Pending is about how many bytes TakeOutput would return; zero means none. The
// owner stops calling Deliver and Receive while it is too large.
func (c *Conn) Pending() int { return len(c.out) + len(c.touched) }

// flush writes out what was held back for merging.
func (c *Conn) flush() {
	for i, s := range c.touched {
		s.flush()
		c.touched[i] = nil
	}
	c.touched = c.touched[:0]
}

// send appends a frame; false, and nothing is sent, if it is larger than the peer's
// frames may be.
func (c *Conn) send(channel uint16, p wire.Composite) bool {
	start := len(c.out)
	c.out = p.Append(wire.BeginFrame(c.out, wire.FrameAMQP, channel))
	wire.EndFrame(c.out, start)
	if uint32(len(c.out)-start) > c.peerFrame {
		c.out = c.out[:start]
		return false
	}
	return true
}
