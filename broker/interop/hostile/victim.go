package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/Azure/go-amqp"
)

// victim is a well-behaved client on one connection: it sends a message,
// receives it, accepts it, and begins again. Attacks may slow it down, but never
// stop it.
type victim struct {
	conn   *amqp.Conn
	cancel context.CancelFunc
	done   chan struct{}
	count  atomic.Int64
	err    error // to be read after done
}

// turnLimit is how long one message may take, on a busy machine under attack.
const turnLimit = 10 * time.Second

func startVictim(ctx context.Context, addr string) (*victim, error) {
	conn, err := amqp.Dial(ctx, "amqp://"+addr, &amqp.ConnOptions{SASLType: amqp.SASLTypeAnonymous()})
	if err != nil {
		return nil, err
	}
	session, err := conn.NewSession(ctx, nil)
	if err != nil {
		return nil, err
	}
	sender, err := session.NewSender(ctx, "hostile/victim", nil)
	if err != nil {
		return nil, err
	}
	receiver, err := session.NewReceiver(ctx, "hostile/victim", nil)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	v := &victim{conn: conn, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(v.done)
		for v.err == nil {
			v.err = v.turn(ctx, sender, receiver)
			v.count.Add(1)
		}
	}()
	return v, nil
}

func (v *victim) turn(ctx context.Context, sender *amqp.Sender, receiver *amqp.Receiver) error {
	ctx, cancel := context.WithTimeout(ctx, turnLimit)
	defer cancel()
	text := fmt.Sprint("turn ", v.count.Load())
	if err := sender.Send(ctx, amqp.NewMessage([]byte(text)), nil); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	msg, err := receiver.Receive(ctx, nil)
	if err != nil {
		return fmt.Errorf("receive: %w", err)
	}
	if got := string(msg.GetData()); got != text {
		return fmt.Errorf("got %q, want %q", got, text)
	}
	return receiver.AcceptMessage(ctx, msg)
}

// turns is how many messages went round.
func (v *victim) turns() int64 { return v.count.Load() }

// worked waits until at least one message has gone round since a count.
func (v *victim) worked(ctx context.Context, since int64) error {
	ctx, cancel := context.WithTimeout(ctx, turnLimit)
	defer cancel()
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for {
		select {
		case <-v.done:
			return fmt.Errorf("the well-behaved client failed: %w", v.err)
		case <-ctx.Done():
			return fmt.Errorf("the well-behaved client made no progress")
		case <-poll.C:
			if v.turns() > since+1 {
				return nil
			}
		}
	}
}

func (v *victim) stop() {
	v.cancel()
	<-v.done
	v.conn.Close()
}
