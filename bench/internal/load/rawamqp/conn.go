package rawamqp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"entrepot/bench/internal/load"
	"entrepot/protocol/amqp"
)

// user is what a connection is for: it owns the one link. All methods are called
// with the connection's lock held.
type user interface {
	// attached is called once, when the peer has attached.
	attached(link *amqp.Link)
	// handle gets the events of the link. now is the load.Now of the read.
	handle(event *amqp.Event, now int64) error
	// turn is called after each batch of events; flush writes what has gathered so
	// far. done: nothing is left to do, close the connection. stopping: the context
	// has ended, finish what is under way.
	turn(stopping bool, flush func() error) (done bool, err error)
}

// conn is one connection. Its goroutine is the one in pump, which reads; mu guards
// the engine and the writing half of the socket, because a paced sender adds to it
// from a goroutine of its own.
type conn struct {
	socket net.Conn
	input  []byte // the pump's

	mu     sync.Mutex
	engine *amqp.Conn
	spare  []byte // what TakeOutput appends to next
	link   *amqp.Link
	user   user
	ready  bool // attached has been called
}

// tickEvery is how often the engine's time-outs are looked at.
const tickEvery = time.Second

// pump opens the connection, attaches the link and serves user until it is done,
// or until ctx has ended and user has finished, load.SettleTimeout later at most.
func (c *conn) pump(ctx context.Context, u user, attach amqp.AttachOptions) (err error) {
	defer func() { err = errors.Join(err, c.socket.Close()) }()
	// Wakes the read below; it may set a later deadline at that moment, but never
	// one that is more than tickEvery ahead.
	stop := context.AfterFunc(ctx, func() { _ = c.socket.SetReadDeadline(time.Now()) })
	defer stop()

	c.user = u
	var tickAt, giveUpAt time.Time
	for {
		now := time.Now()
		stopping := ctx.Err() != nil
		if stopping && giveUpAt.IsZero() {
			giveUpAt = now.Add(load.SettleTimeout)
		}
		if stopping && now.After(giveUpAt) {
			return fmt.Errorf("%w: no outcome in %v", load.ErrNotAccepted, load.SettleTimeout)
		}
		done, err := c.serve(now, &tickAt, stopping)
		if err != nil {
			return err
		}
		if done {
			return c.close()
		}
		n, err := c.socket.Read(c.input)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			tickAt = time.Time{} // with it comes a new deadline: past an old one nothing is read
		} else if err != nil {
			return fmt.Errorf("read: %w", err)
		}
		if err := c.receive(c.input[:n], attach); err != nil {
			return err
		}
	}
}

// serve gives the user its turn, ticks when it is time, and writes.
func (c *conn) serve(now time.Time, tickAt *time.Time, stopping bool) (done bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !now.Before(*tickAt) {
		c.engine.Tick(now)
		*tickAt = now.Add(tickEvery)
		if err := c.socket.SetReadDeadline(*tickAt); err != nil {
			return false, err
		}
	}
	if c.ready {
		if done, err = c.user.turn(stopping, c.flush); err != nil {
			return false, err
		}
	}
	return done || stopping && !c.ready, c.flush()
}

// receive hands input to the engine and its events to the user.
func (c *conn) receive(input []byte, attach amqp.AttachOptions) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := load.Now()
	c.engine.Receive(input, time.Now())
	var event amqp.Event
	for c.engine.Next(&event) {
		if err := c.handle(&event, now, attach); err != nil {
			return err
		}
	}
	return nil
}

func (c *conn) handle(event *amqp.Event, now int64, attach amqp.AttachOptions) error {
	switch event.Kind {
	case amqp.EventOpened:
		session, err := c.engine.Begin()
		if err != nil {
			return fmt.Errorf("begin: %w", err)
		}
		if c.link, err = session.Attach(attach); err != nil {
			return fmt.Errorf("attach: %w", err)
		}
	case amqp.EventLinkAttached:
		c.ready = true
		c.user.attached(event.Link)
	case amqp.EventSessionEnded, amqp.EventLinkDetached, amqp.EventClosed:
		return endOf(event)
	default:
		return c.user.handle(event, now)
	}
	return nil
}

// endOf is the error of an end that we did not ask for.
func endOf(event *amqp.Event) error {
	if event.Err != nil {
		return event.Err
	}
	return errors.New("the broker ended the connection, session or link without an error")
}

// flush writes all output. REQUIRES: mu is held.
func (c *conn) flush() error {
	if c.engine.Pending() == 0 {
		return nil
	}
	c.spare = c.engine.TakeOutput(c.spare)
	if _, err := c.socket.Write(c.spare); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}

// close says goodbye and waits for the answer, so that the broker has read all
// that was sent before the socket closes.
func (c *conn) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.engine.Close(nil)
	if err := c.flush(); err != nil {
		return err
	}
	deadline := time.Now().Add(load.SettleTimeout)
	var event amqp.Event
	for {
		// Set each time: the end of a run's context, which may come late, sets it too.
		if err := c.socket.SetReadDeadline(deadline); err != nil {
			return err
		}
		n, err := c.socket.Read(c.input)
		c.engine.Receive(c.input[:n], time.Now())
		for c.engine.Next(&event) {
			if event.Kind == amqp.EventClosed {
				return closeError(&event)
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if errors.Is(err, os.ErrDeadlineExceeded) && time.Now().Before(deadline) {
			continue
		}
		if err != nil {
			return fmt.Errorf("close: %w", err)
		}
	}
}

func closeError(event *amqp.Event) error {
	if event.Err == nil { // not a nil *Error in an error
		return nil
	}
	return fmt.Errorf("close: %w", event.Err)
}
