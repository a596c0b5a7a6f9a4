package broker

import (
	"log/slog"
	"net"
	"time"

	"entrepot/protocol/amqp"
	"entrepot/protocol/amqp/wire"
)

// What a client can make grow is bounded by not reading on: whatever it is that the
// connection waits for then comes without the client, so reading goes on.
const (
	// underwayHigh is how many bytes of messages may be in packs that are not
	// answered. Credit asks for less; this is for a client that sends what it was
	// once allowed when its messages turn out to be large.
	underwayHigh = 16 << 20
	// openingHigh is how many links may wait for their queues to be found or made.
	openingHigh = 256
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

	output output

	timer   *time.Timer
	timerAt time.Time // zero: not set

	container string
	event     amqp.Event // the engine fills it in again and again
	scratch   []byte     // for a patched header
	attaching map[*attachment]struct{}
	opening   int        // links whose queue is being found or made
	slots     []endpoint // see endpoint.go
	freeSlots []uint32
	due       []schedulable // have something to do at the end of this turn
	dueSpare  []schedulable
	senders   []*consumer // have something to send, in turn
	outboxes  []*outbox   // what this turn has for the shards
	sessions  int

	waitingBytes int  // of deliveries that consumers have not sent
	congested    bool // so many that consumers ask for no more

	underwayBytes int // of messages in packs that are not answered

	hungUp bool   // nothing more comes from the client
	over   bool   // the engine has told the end of the connection
	forced bool   // we are closing it
	ending string // why we gave it up, where the engine does not know; see logEnd
	faults int    // of its sessions and links
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
		if c.finished() {
			return
		}
		in := c.in
		if !c.mayRead() {
			in = nil
		}
		select {
		case k, ok := <-in:
			c.now = time.Now()
			c.input(k, ok)
		case <-c.mail.signal:
			c.now = time.Now()
			todo = runAll(c.mail.take(todo))
		case w := <-c.wrote:
			c.now = time.Now()
			c.written(w)
		case <-c.timer.C:
			c.now = time.Now() // not the timer's, which is of before a pause of this process
			c.timerAt = time.Time{}
			c.rest()
		}
	}
}

// runAll runs what came by mail, and lets go of it: what a mail brought must not be
// kept alive until the next one.
func runAll(todo []func()) []func() {
	for _, f := range todo {
		f()
	}
	clear(todo)
	return todo[:0]
}

// input takes in what the reader has read; ok is false when the client has hung up.
func (c *conn) input(k chunk, ok bool) {
	if !ok {
		c.in, c.hungUp = nil, true
		return
	}
	c.broker.metrics.bytesRead.Add(uint64(k.n))
	c.engine.Receive(k.bytes(), c.now)
	c.handleEvents()
	k.free()
}

// finished tells that the connection has nothing left to do. A client may hang up
// as soon as it has said close; what is still on its way to it is written all the
// same.
func (c *conn) finished() bool {
	if c.output.writing {
		return c.hungUp && !c.over
	}
	return c.hungUp || c.engine.Done()
}

// mayRead tells whether the client is read on.
func (c *conn) mayRead() bool {
	switch {
	case c.outputHigh(), c.engine.Waiting(), c.opening >= openingHigh, c.underwayBytes >= underwayHigh:
		return false
	}
	// With something under way there will be an answer, and another look.
	return c.underwayBytes == 0 || !c.anyBusy()
}

// anyBusy tells that the log of a shard that this connection has to do with is behind.
func (c *conn) anyBusy() bool {
	for _, o := range c.outboxes {
		if o.shard.busy.shut.Load() {
			return true
		}
	}
	return false
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
	if !c.mayRead() && !c.hungUp {
		c.engine.Receive(nil, c.now) // silence that is our own doing is none
	}
	next := c.engine.Tick(c.now)
	c.handleEvents()
	switch {
	case next.IsZero():
	case c.timerAt.IsZero() || next.Before(c.timerAt):
		c.timerAt = next
		c.timer.Reset(max(next.Sub(c.now), time.Millisecond))
	}
}

// rest gives back what only a busy connection needs. One that has nothing to say
// comes here before long.
func (c *conn) rest() {
	c.output.spare, c.scratch, c.due, c.dueSpare, c.senders = nil, nil, trimmed(c.due), nil, trimmed(c.senders)
	for _, o := range c.outboxes {
		o.inputs = trimmed(o.inputs)
	}
	for _, e := range c.slots {
		if e != nil {
			e.rest()
		}
	}
}

// trimmed gives up the room of a list that is empty.
func trimmed[T any](list []T) []T {
	if len(list) == 0 {
		return nil
	}
	return list
}

// teardown gives back everything that the connection held. Messages that it had
// not settled go back to their places.
func (c *conn) teardown() {
	if c.hungUp {
		c.ending = endHungUp
		c.engine.ReceiveEOF(nil)
		c.handleEvents()
	}
	// Who has posted something relies on it: it may bring what is to be given back.
	runAll(c.mail.close())
	c.letGo()
	c.timer.Stop()
	c.socket.close()
	for _, e := range c.slots {
		if e != nil {
			e.gone()
		}
	}
	c.flushOutboxes()
	c.broker.connEnded(c)
	for k := range c.drainReader() {
		k.free()
	}
}

// letGo ends all links: the connection is over.
func (c *conn) letGo() {
	c.over = true
	c.detachAll(func(*amqp.Session) bool { return true })
}

// detachAll ends the links of the sessions that ended.
func (c *conn) detachAll(ended func(*amqp.Session) bool) {
	for _, e := range c.slots {
		if e != nil && ended(e.session()) {
			e.detached()
		}
	}
	for a := range c.attaching {
		if ended(a.link.Session()) {
			a.abandon()
		}
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
