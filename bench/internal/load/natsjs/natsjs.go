// Package natsjs is the load client for NATS JetStream, on nats.go. A queue is a
// work-queue stream of the same name with one durable pull consumer.
package natsjs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"entrepot/bench/internal/load"
)

// Client makes one connection per call.
type Client struct {
	URL      string // nats://host:port
	Replicas int    // of every stream and consumer; 0 is 1
}

var _ load.Client = (*Client)(nil)

// consumerName is the one durable consumer of every queue.
const consumerName = "bench"

// Declare makes a file stream per queue, and nothing that a first Receive can
// make, with at most parallel requests under way.
func (c *Client) Declare(ctx context.Context, queues []string, parallel int) error {
	nc, js, err := c.dial()
	if err != nil {
		return err
	}
	defer nc.Close()
	return load.Each(ctx, queues, parallel, func(ctx context.Context, queue string) error {
		_, err := js.CreateOrUpdateStream(ctx, c.stream(queue))
		return err
	})
}

func (c *Client) stream(queue string) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:      queue,
		Subjects:  []string{queue},
		Retention: jetstream.WorkQueuePolicy,
		Storage:   jetstream.FileStorage,
		Replicas:  c.Replicas,
	}
}

// answerTimeout is how long an acknowledgement may take where failures are counted.
const answerTimeout = 2 * time.Second

// Send publishes asynchronously. Every message in flight has its own buffer, which
// comes back with its acknowledgement: the free buffers are the window.
func (c *Client) Send(ctx context.Context, order load.Sending) error {
	if order.Deadline != nil {
		return fmt.Errorf("deadlines: %w", load.ErrUnsupported)
	}
	free := make(chan *nats.Msg, order.InFlight)
	for range order.InFlight {
		free <- &nats.Msg{Subject: order.Queue, Data: make([]byte, order.Size)}
	}
	var failure firstError
	options := []jetstream.JetStreamOpt{
		jetstream.WithPublishAsyncMaxPending(2 * order.InFlight), // the window is ours, not theirs
		jetstream.WithPublishAsyncAckHandler(func(_ jetstream.JetStream, msg *nats.Msg, _ *jetstream.PubAck) {
			stamp, _ := load.Stamp(msg.Data)
			order.Meter.Observe(stamp, load.Now())
			free <- msg
		}),
		jetstream.WithPublishAsyncErrHandler(func(_ jetstream.JetStream, msg *nats.Msg, err error) {
			if order.Failed != nil {
				order.Failed.Add(1)
			} else {
				failure.set(fmt.Errorf("%w: %w", load.ErrNotAccepted, err))
			}
			free <- msg
		}),
	}
	if order.Failed != nil { // else what a lost leader had got is never answered, and its buffer never free
		options = append(options, jetstream.WithPublishAsyncTimeout(answerTimeout))
	}
	nc, js, err := c.dial(options...)
	if err != nil {
		return err
	}
	defer nc.Close()

	filler := load.NewFiller(order.Size, order.Body)
	err = order.Drive(ctx, func(_ int, stamp int64) error {
		select {
		case msg := <-free:
			if stamp == 0 {
				stamp = load.Now()
			}
			load.PutStamp(msg.Data, stamp)
			copy(msg.Data[load.StampSize:], filler.Next())
			_, err := js.PublishMsgAsync(msg)
			return errors.Join(err, failure.get())
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	if ctx.Err() != nil {
		err = nil
	}
	select {
	case <-js.PublishAsyncComplete():
	case <-time.After(load.SettleTimeout):
		failure.set(fmt.Errorf("%w: no acknowledgement in %v", load.ErrNotAccepted, load.SettleTimeout))
	}
	return errors.Join(err, failure.get())
}

// Receive consumes by pull requests and acknowledges every message by itself; the
// acknowledgements are not confirmed, as is usual with NATS.
func (c *Client) Receive(ctx context.Context, order load.Receiving) error {
	nc, js, err := c.dial()
	if err != nil {
		return err
	}
	defer nc.Close()
	consumer, err := js.CreateOrUpdateConsumer(ctx, order.Queue, jetstream.ConsumerConfig{
		Durable:       consumerName,
		AckPolicy:     jetstream.AckExplicitPolicy,
		MaxAckPending: 10 * order.Credit,
	})
	if err != nil {
		return fmt.Errorf("consumer of %s: %w", order.Queue, err)
	}

	var failure firstError
	received := 0
	done := make(chan struct{})
	consuming, err := consumer.Consume(func(msg jetstream.Msg) {
		now := load.Now()
		stamp, ok := load.Stamp(msg.Data())
		if !ok {
			failure.set(errors.New("receive: a message without a stamp"))
		}
		order.Meter.Observe(stamp, now)
		if err := msg.Ack(); err != nil {
			failure.set(fmt.Errorf("ack: %w", err))
		}
		if received++; received == order.Count {
			close(done)
		}
	}, jetstream.PullMaxMessages(order.Credit))
	if err != nil {
		return fmt.Errorf("consume: %w", err)
	}
	select {
	case <-done:
	case <-ctx.Done():
	}
	consuming.Stop()
	<-consuming.Closed()
	if err := nc.FlushTimeout(load.SettleTimeout); err != nil { // the last acknowledgements
		failure.set(fmt.Errorf("flush: %w", err))
	}
	return failure.get()
}

// Idle keeps a connection with one plain subscription: less than a pull consumer
// costs, so the figure flatters NATS if anything.
func (c *Client) Idle(_ context.Context, queue string) (io.Closer, error) {
	nc, err := nats.Connect(c.URL)
	if err != nil {
		return nil, err
	}
	if _, err := nc.Subscribe(queue, func(*nats.Msg) {}); err != nil {
		nc.Close()
		return nil, err
	}
	return closer(nc.Close), nc.FlushTimeout(load.SettleTimeout)
}

func (c *Client) dial(opts ...jetstream.JetStreamOpt) (*nats.Conn, jetstream.JetStream, error) {
	nc, err := nats.Connect(c.URL, nats.NoReconnect())
	if err != nil {
		return nil, nil, fmt.Errorf("dial: %w", err)
	}
	js, err := jetstream.New(nc, opts...)
	if err != nil {
		nc.Close()
		return nil, nil, err
	}
	return nc, js, nil
}

type closer func()

func (c closer) Close() error { c(); return nil }

// firstError keeps the first of the errors that callbacks report.
type firstError struct {
	mu  sync.Mutex
	err error
}

func (f *firstError) set(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.err = err
	}
}

func (f *firstError) get() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}
