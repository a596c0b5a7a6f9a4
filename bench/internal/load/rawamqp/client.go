// Package rawamqp is the load client on our own AMQP engine in the dialling role.
// Reads and writes are batched and nothing is allocated per message, so that the
// client's own cost (below 1 us a message) does not hide the broker's.
package rawamqp

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"sync/atomic"
	"time"

	"entrepot/bench/internal/load"
	"entrepot/protocol/amqp"
	"entrepot/protocol/amqp/wire"
)

// Client makes one connection with one session and one link per call.
type Client struct {
	HostPort string
	Address  func(queue string) string // of a queue's node
}

var _ load.Client = (*Client)(nil)

// Sizes of a connection. A read takes what has gathered in the socket; a write is
// cut when so much has gathered, so that the broker starts on the first messages
// of a window while the rest is still being encoded.
const (
	readBytes     = 256 << 10
	idleReadBytes = 512
	writeBytes    = 64 << 10
)

// Send runs a sender's connection. The pump answers outcomes with new messages;
// at a steady rate, a second goroutine says when one is due.
func (c *Client) Send(ctx context.Context, order load.Sending) error {
	conn, err := c.dial(ctx, readBytes)
	if err != nil {
		return ignoreEnd(ctx, err)
	}
	s := newSender(order)
	pumping, finished := context.WithCancel(ctx)
	paced := make(chan struct{})
	go func() {
		defer close(paced)
		if order.Rate > 0 {
			s.pace(pumping, conn)
		}
	}()
	err = conn.pump(ctx, s, amqp.AttachOptions{
		Name:          linkName("sender"),
		Role:          wire.RoleSender,
		Target:        &wire.Target{Address: wire.Some(c.Address(order.Queue))},
		Source:        &wire.Source{},
		SndSettleMode: wire.SenderUnsettled,
	})
	finished()
	<-paced
	return err
}

// Receive runs a receiver's connection.
func (c *Client) Receive(ctx context.Context, order load.Receiving) error {
	conn, err := c.dial(ctx, readBytes)
	if err != nil {
		return ignoreEnd(ctx, err)
	}
	return conn.pump(ctx, &receiver{order: order}, c.receiving(order.Queue))
}

// Idle opens a receiver with one credit and returns when it is attached.
func (c *Client) Idle(ctx context.Context, queue string) (io.Closer, error) {
	conn, err := c.dial(ctx, idleReadBytes)
	if err != nil {
		return nil, err
	}
	waiting, cancel := context.WithCancel(context.WithoutCancel(ctx))
	idle := &idle{cancel: cancel, attach: make(chan struct{}), ended: make(chan struct{})}
	go func() {
		defer close(idle.ended)
		idle.err = conn.pump(waiting, idle, c.receiving(queue))
	}()
	select {
	case <-idle.attach:
		return idle, nil
	case <-idle.ended:
		return nil, fmt.Errorf("idle: %w", idle.err)
	case <-ctx.Done():
		return nil, fmt.Errorf("idle: %w (closing: %w)", ctx.Err(), idle.Close())
	}
}

func (c *Client) receiving(queue string) amqp.AttachOptions {
	return amqp.AttachOptions{
		Name:   linkName("receiver"),
		Role:   wire.RoleReceiver,
		Source: &wire.Source{Address: wire.Some(c.Address(queue))},
		Target: &wire.Target{},
	}
}

// links numbers the links of this process.
var links atomic.Uint64

// linkName is a name that no other link has: a second one of a name would steal
// the first one's.
func linkName(kind string) string {
	return fmt.Sprintf("bench-%s-%d-%d", kind, os.Getpid(), links.Add(1))
}

// engineConfig is shared by all connections.
var engineConfig = &amqp.Config{
	Role:           amqp.Dialling,
	ContainerID:    "entrepot-bench",
	Hostname:       "localhost",
	MaxFrameSize:   256 << 10,
	IncomingWindow: 1 << 16,
	MaxUnsettled:   1 << 16,
}

func (c *Client) dial(ctx context.Context, readBytes int) (*conn, error) {
	var dialer net.Dialer
	socket, err := dialer.DialContext(ctx, "tcp", c.HostPort)
	if err != nil {
		return nil, err
	}
	return &conn{
		socket: socket,
		engine: amqp.NewConn(engineConfig, time.Now()),
		input:  make([]byte, readBytes),
	}, nil
}

// ignoreEnd drops an error that only says that the run is over.
func ignoreEnd(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}
