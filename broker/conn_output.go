package broker

import (
	"errors"
	"os"
	"time"
)

const (
	// outputHigh is how much unwritten output a connection may have before its
	// owner stops delivering and stops reading: a peer that does not read can cost
	// this much and no more.
	outputHigh = 512 << 10
	// writeStall is how long a peer may take nothing of a waiting output.
	writeStall = 30 * time.Second
	// keepSpare is the largest output buffer that a connection keeps for itself
	// between two turns.
	keepSpare = 1 << 20
)

// output is where a connection's bytes are on their way to the kernel.
type output struct {
	writing bool   // a writer has a buffer
	spare   []byte // the buffer that is not the engine's now
}

type writeResult struct {
	buf []byte
	err error
}

// outputFull tells that a consumer has to wait until the peer has read.
func (c *conn) outputFull() bool { return c.engine.Pending() > outputHigh }

// outputHigh tells that the peer should read before it is read on.
func (c *conn) outputHigh() bool {
	pending := c.engine.Pending()
	return pending > outputHigh || c.output.writing && pending > outputHigh/4
}

// writeOut hands the engine's output to the kernel, and what the kernel does not
// take to a writer goroutine.
func (c *conn) writeOut() {
	for !c.output.writing && c.engine.Pending() > 0 {
		buf := c.engine.TakeOutput(c.output.spare)
		c.output.spare = nil
		c.broker.metrics.bytesWritten.Add(uint64(len(buf)))
		n, err := c.socket.tryWrite(buf)
		if err != nil {
			c.socketFailed(err)
			return
		}
		if n < len(buf) {
			c.output.writing = true
			go func() { c.wrote <- writeResult{buf, c.socket.write(buf[n:], writeStall)} }()
			return
		}
		c.keep(buf)
		c.runDue() // there is room again
		c.flushOutboxes()
	}
}

// written takes the writer's answer.
func (c *conn) written(w writeResult) {
	c.output.writing = false
	c.keep(w.buf)
	if w.err != nil {
		c.socketFailed(w.err)
	}
}

// keep takes back an output buffer.
func (c *conn) keep(buf []byte) {
	if cap(buf) <= keepSpare {
		c.output.spare = buf[:0]
	}
}

// socketFailed: nothing can be written any more.
func (c *conn) socketFailed(err error) {
	c.ending = endHungUp
	if errors.Is(err, os.ErrDeadlineExceeded) {
		c.ending = endStalled
	}
	c.engine.ReceiveEOF(err)
	c.handleEvents()
}
