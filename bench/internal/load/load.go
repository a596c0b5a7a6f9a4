// Package load makes traffic against a broker: senders that keep a window of
// messages in flight or a steady rate, receivers that settle what they get, and
// meters for what it took. Every protocol is one Client; the packages below this
// one implement it.
package load

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"time"
)

// Client makes connections to one broker in one protocol. Its methods may be
// called concurrently; each call of Send, Receive and Idle has a connection of
// its own. Their errors name what failed; a context that ends is no error.
type Client interface {
	// Send sends until the order is fulfilled or ctx ends. It then waits for the
	// outcomes of what is in flight, at most SettleTimeout. An outcome other than
	// accepted is ErrNotAccepted.
	Send(ctx context.Context, order Sending) error

	// Receive accepts messages until the order is fulfilled or ctx ends.
	Receive(ctx context.Context, order Receiving) error

	// Idle opens one connection with one link (or subscription) that waits for
	// messages of queue, and keeps it open, silently, until it is closed.
	Idle(ctx context.Context, queue string) (io.Closer, error)
}

// Sending is an order for one sender.
type Sending struct {
	Queue    string
	Size     int     // of the body, bytes; at least StampSize
	InFlight int     // most messages without an outcome
	Rate     float64 // messages a second; 0: as many as InFlight allows
	Count    int     // messages to send; 0: until the context ends
	Meter    *Meter  // gets accept latencies: from (intended) sending to accepted

	// Body is what the body is made of.
	Body BodyKind

	// Failed, if set, counts outcomes other than accepted, which then do not end
	// the order: for senders that live through a change of leaders.
	Failed *atomic.Uint64

	// Deadline, if set, gives message i its absolute-expiry-time. Only AMQP has one.
	Deadline func(i int) time.Time
}

// Receiving is an order for one receiver.
type Receiving struct {
	Queue  string
	Credit int    // most messages that the broker may send ahead
	Count  int    // messages to receive; 0: until the context ends
	Meter  *Meter // gets end-to-end latencies: from (intended) sending to arrival
}

// SettleTimeout is how long a sender whose context has ended waits for the last
// outcomes before it gives up.
const SettleTimeout = 20 * time.Second

// ErrNotAccepted says that a message came back rejected, released or modified.
var ErrNotAccepted = errors.New("the broker did not accept a message")

// ErrUnsupported says that a protocol or broker has no counterpart of an order.
var ErrUnsupported = errors.New("not supported by this client")
