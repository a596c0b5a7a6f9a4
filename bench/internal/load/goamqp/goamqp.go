// Package goamqp is the load client of a Go user's choice, Azure's go-amqp: it
// shows what an application gets, where the client takes most of the CPU.
package goamqp

import (
	"context"
	"errors"
	"fmt"
	"io"

	amqp "github.com/Azure/go-amqp"

	"entrepot/bench/internal/load"
)

// Client makes one connection with one session and one link per call.
type Client struct {
	URL     string                    // amqp://host:port
	Address func(queue string) string // of a queue's node
}

var _ load.Client = (*Client)(nil)

// Send has one goroutine that sends and one that waits for the outcomes in order.
func (c *Client) Send(ctx context.Context, order load.Sending) error {
	if order.Deadline != nil {
		return fmt.Errorf("deadlines: %w", load.ErrUnsupported)
	}
	conn, session, err := c.dial(ctx)
	if err != nil {
		return ignoreEnd(ctx, err)
	}
	defer func() { _ = conn.Close() }()
	sender, err := session.NewSender(ctx, c.Address(order.Queue), &amqp.SenderOptions{
		SettlementMode: amqp.SenderSettleModeUnsettled.Ptr(),
	})
	if err != nil {
		return ignoreEnd(ctx, fmt.Errorf("attach: %w", err))
	}

	w := &window{order: order, sender: sender, slots: load.NewSlots(order.InFlight), sent: make(chan sent, order.InFlight)}
	settled := make(chan error, 1)
	go func() { settled <- w.settle(ctx) }()
	err = w.send(ctx)
	close(w.sent)
	return errors.Join(ignoreEnd(ctx, err), <-settled)
}

// window is one sender at work: what send puts into sent, settle takes out.
type window struct {
	order  load.Sending
	sender *amqp.Sender
	slots  load.Slots
	sent   chan sent
}

type sent struct {
	receipt amqp.SendReceipt
	stamp   int64
}

func (w *window) send(ctx context.Context) error {
	filler := load.NewFiller(w.order.Size, w.order.Body)
	body := make([]byte, w.order.Size)
	message := amqp.NewMessage(body)
	message.Header = &amqp.MessageHeader{Durable: true, Priority: 4}
	return w.order.Drive(ctx, func(_ int, stamp int64) error {
		if !w.slots.Take(ctx) {
			return ctx.Err()
		}
		if stamp == 0 {
			stamp = load.Now()
		}
		load.PutStamp(body, stamp)
		copy(body[load.StampSize:], filler.Next())
		receipt, err := w.sender.SendWithReceipt(ctx, message, nil) // encodes at once: body is free again
		if err != nil {
			return fmt.Errorf("send: %w", err)
		}
		w.sent <- sent{receipt, stamp}
		return nil
	})
}

func (w *window) settle(ctx context.Context) error {
	var failed error
	for s := range w.sent {
		waiting, cancel := context.WithTimeout(context.WithoutCancel(ctx), load.SettleTimeout)
		state, err := s.receipt.Wait(waiting)
		cancel()
		w.slots.Free()
		switch state.(type) {
		case *amqp.StateAccepted:
			w.order.Meter.Observe(s.stamp, load.Now())
		default:
			if w.order.Failed != nil && err == nil {
				w.order.Failed.Add(1)
				continue
			}
			failed = fmt.Errorf("%w: outcome %v (%w)", load.ErrNotAccepted, state, err)
		}
	}
	return failed
}

// Receive accepts every message by itself, as the library offers it.
func (c *Client) Receive(ctx context.Context, order load.Receiving) error {
	conn, session, err := c.dial(ctx)
	if err != nil {
		return ignoreEnd(ctx, err)
	}
	defer func() { _ = conn.Close() }()
	receiver, err := session.NewReceiver(ctx, c.Address(order.Queue), &amqp.ReceiverOptions{Credit: int32(order.Credit)})
	if err != nil {
		return ignoreEnd(ctx, fmt.Errorf("attach: %w", err))
	}
	for n := 0; order.Count == 0 || n < order.Count; n++ {
		message, err := receiver.Receive(ctx, nil)
		if err != nil {
			return ignoreEnd(ctx, fmt.Errorf("receive: %w", err))
		}
		now := load.Now()
		stamp, ok := load.Stamp(message.GetData())
		if !ok {
			return errors.New("receive: a message without a stamp")
		}
		order.Meter.Observe(stamp, now)
		if err := receiver.AcceptMessage(ctx, message); err != nil {
			return ignoreEnd(ctx, fmt.Errorf("accept: %w", err))
		}
	}
	return nil
}

// Idle keeps a receiver with one credit.
func (c *Client) Idle(ctx context.Context, queue string) (io.Closer, error) {
	conn, session, err := c.dial(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := session.NewReceiver(ctx, c.Address(queue), nil); err != nil {
		return nil, errors.Join(fmt.Errorf("attach: %w", err), conn.Close())
	}
	return conn, nil
}

func (c *Client) dial(ctx context.Context) (*amqp.Conn, *amqp.Session, error) {
	conn, err := amqp.Dial(ctx, c.URL, &amqp.ConnOptions{SASLType: amqp.SASLTypeAnonymous()})
	if err != nil {
		return nil, nil, fmt.Errorf("dial: %w", err)
	}
	session, err := conn.NewSession(ctx, nil)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("begin: %w", err), conn.Close())
	}
	return conn, session, nil
}

// ignoreEnd drops an error that only says that the run is over.
func ignoreEnd(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}
