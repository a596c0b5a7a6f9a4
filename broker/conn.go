package broker

import (
	"log/slog"
	"net"
	"time"

	"entrepot/protocol/amqp"
	"entrepot/protocol/amqp/wire"
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

// A conn is one AMQP connection.
//
// Three goroutines serve it: the reader waits for bytes, the owner runs the
// protocol engine and everything else here, and a writer exists only while the
// kernel does not take the output at once. Whoever else has something for the
// connection (a pack that was committed, messages for a consumer, a link that is
// stolen) posts a function, which the owner runs.
//
// Owner: all fields belong to the goroutine in run, but for mail and socket.
type conn struct {
	broker *Broker
	log    *slog.Logger
	socket *socket
	engine *amqp.Conn
	limits *listenerLimits
	mail   *mailbox[func()]

	in    chan chunk       // reader -> owner; closed when the reader has ended
	wrote chan writeResult // writer -> owner
	now   time.Time        // of this turn

	writing bool   // a writer has the output
	spare   []byte // the output buffer that is not the engine's now

	timer   *time.Timer
	timerAt time.Time // zero: not set

	user      string
	container string
	event     amqp.Event // the engine fills it in again and again
	scratch   []byte     // for a patched header
	attaching map[*attachment]struct{}
	slots     []endpoint // see endpoint.go
	freeSlots []uint32
	due       []schedulable // have something to do at the end of this turn
	outboxes  []*outbox     // what this turn has for the shards
	lastFault *amqp.Error   // why the connection ended, for the log
	forced    bool          // we are closing it
	sessions  int
}

type writeResult struct {
	buf []byte
	err error
}

func newConn(b *Broker, nc net.Conn, limits *listenerLimits) *conn {
	now := time.Now()
	return &conn{
		broker:    b,
		log:       b.log.With("peer", nc.RemoteAddr().String()),
		socket:    newSocket(nc),
		engine:    amqp.NewConn(&limits.engine, now),
		limits:    limits,
		mail:      newMailbox[func()](),
		in:        make(chan chunk),
		wrote:     make(chan writeResult, 1),
		now:       now,
		attaching: map[*attachment]struct{}{},
	}
}

// post runs f in the owner's goroutine; false: the connection is gone and f will
// not run.
func (c *conn) post(f func()) bool { return c.mail.post(f) }

// run serves the connection until it ends.
func (c *conn) run() {
	go c.readLoop()
	c.timer = time.NewTimer(time.Hour)
	defer c.teardown()
	var todo []func()
	for {
		c.endTurn()
		if c.engine.Done() && !c.writing {
			return
		}
		in := c.in
		if c.engine.Pending() > outputHigh || c.writing && c.engine.Pending() > outputHigh/4 || c.engine.Waiting() {
			in = nil // let the peer read first
		}
		select {
		case k, ok := <-in:
			c.now = time.Now()
			if !ok {
				c.in = nil
				c.engine.ReceiveEOF(nil)
				c.handleEvents()
				return
			}
			c.broker.metrics.bytesRead.Add(uint64(k.n))
			c.engine.Receive(k.bytes(), c.now)
			c.handleEvents()
			k.free()
		case <-c.mail.signal:
			c.now = time.Now()
			todo = c.mail.take(todo)
			for _, f := range todo {
				f()
			}
		case w := <-c.wrote:
			c.now = time.Now()
			c.writing = false
			c.keep(w.buf)
			if w.err != nil {
				c.socketFailed(w.err)
				return
			}
		case c.now = <-c.timer.C:
			c.timerAt = time.Time{}
			c.spare = nil // a connection that only waits owns no buffer
		}
	}
}

// readLoop is the reader goroutine.
func (c *conn) readLoop() {
	defer close(c.in)
	for {
		k, err := c.socket.read()
		if err != nil {
			return
		}
		select {
		case c.in <- k:
		case <-c.mail.done:
			k.free()
			return
		}
	}
}

// endTurn does what a turn has left to do: consumers send what they have, links
// tell the dispatcher what they need, output is written, clocks are looked at.
func (c *conn) endTurn() {
	c.runDue()
	c.flushOutboxes()
	c.tick()
	c.writeOut()
}

func (c *conn) tick() {
	next := c.engine.Tick(c.now)
	c.handleEvents()
	switch {
	case next.IsZero():
	case c.timerAt.IsZero() || next.Before(c.timerAt):
		c.timerAt = next
		c.timer.Reset(max(next.Sub(c.now), time.Millisecond))
	}
}

// writeOut hands the engine's output to the kernel, and what the kernel does not
// take to a writer goroutine.
func (c *conn) writeOut() {
	for !c.writing && c.engine.Pending() > 0 {
		buf := c.engine.TakeOutput(c.spare)
		c.spare = nil
		c.broker.metrics.bytesWritten.Add(uint64(len(buf)))
		n, err := c.socket.tryWrite(buf)
		if err != nil {
			c.keep(buf)
			c.socketFailed(err)
			return
		}
		if n == len(buf) {
			c.keep(buf)
			c.runDue() // there is room again
			c.flushOutboxes()
			continue
		}
		c.writing = true
		go func() {
			err := c.socket.write(buf[n:], writeStall)
			c.wrote <- writeResult{buf, err}
		}()
	}
}

// keep takes back an output buffer.
func (c *conn) keep(buf []byte) {
	if cap(buf) <= keepSpare {
		c.spare = buf[:0]
	}
}

func (c *conn) socketFailed(err error) {
	c.engine.ReceiveEOF(err)
	c.handleEvents()
}

// teardown gives back everything that the connection held. Messages that it had
// not settled go back to their places.
func (c *conn) teardown() {
	c.mail.close()
	c.timer.Stop()
	c.socket.close()
	for _, e := range c.slots {
		if e != nil {
			e.gone()
		}
	}
	for a := range c.attaching {
		a.abandon()
	}
	c.flushOutboxes()
	c.broker.connEnded(c)
	for k := range c.drainReader() {
		k.free()
	}
}

// drainReader is what the reader still has in hand.
func (c *conn) drainReader() chan chunk {
	if c.in == nil {
		closed := make(chan chunk)
		close(closed)
		return closed
	}
	return c.in
}

// closeWith begins to close the connection, from the owner.
func (c *conn) closeWith(condition wire.Symbol, description string) {
	c.forced = true
	c.engine.Close(&amqp.Error{Scope: amqp.ScopeConnection, Condition: condition, Description: description})
}

// logEnd writes the one line that a connection's end is worth.
func (c *conn) logEnd(err *amqp.Error, remote bool) {
	switch {
	case err == nil:
		c.log.Debug("connection closed", "container", c.container)
	case remote || c.forced:
		c.log.Info("connection closed", "container", c.container, "condition", err.Condition, "reason", err.Description)
	default:
		c.broker.metrics.connFailed(string(err.Condition))
		c.log.Warn("connection failed", "container", c.container, "condition", err.Condition, "reason", err.Description)
	}
}
