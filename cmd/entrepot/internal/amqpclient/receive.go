package amqpclient

import (
	"context"
	"errors"
	"time"

	"github.com/Azure/go-amqp"
)

// window is how many messages the broker may send ahead of what was settled.
const window = 1000

// Receiving says which messages are wanted and when it is enough.
type Receiving struct {
	Address string
	Count   uint64        // stop after so many; 0: no such end
	Browse  bool          // look at them and leave them there
	Timeout time.Duration // stop when none has come for so long; 0: no such end
}

// Receive hands messages to each, accepts them, and ends after Count of them or
// when none has come for Timeout. (A drain would tell at once that a queue is
// empty, but go-amqp drains by taking all credit back.) A message is accepted
// after each has returned nil, so that what was not written is not lost. It
// returns how many there were.
func (c *Client) Receive(ctx context.Context, r Receiving, each func(*amqp.Message) error) (uint64, error) {
	opts := &amqp.ReceiverOptions{Credit: -1} // this code grants credit: never more than is wanted
	if r.Browse {
		opts.SourceDistributionMode = amqp.SourceDistributionModeCopy
	}
	receiver, err := c.session.NewReceiver(ctx, r.Address, opts)
	if err != nil {
		return 0, linkError(r.Address, err)
	}
	run := &receiving{Receiving: r, receiver: receiver, each: each}
	if err := run.loop(ctx); err != nil {
		return run.got, linkError(r.Address, err)
	}
	return run.got, nil
}

// receiving is one run of Receive.
type receiving struct {
	Receiving
	receiver *amqp.Receiver
	each     func(*amqp.Message) error
	got      uint64
	credit   uint64 // granted and not yet used
}

func (r *receiving) loop(ctx context.Context) error {
	for r.Count == 0 || r.got < r.Count {
		if err := r.grant(); err != nil {
			return err
		}
		message, err := r.next(ctx)
		if err != nil || message == nil {
			return err
		}
		if err := r.take(ctx, message); err != nil {
			return err
		}
	}
	return nil
}

// grant fills the credit up when half of it is used.
func (r *receiving) grant() error {
	want := uint64(window)
	if r.Count > 0 {
		want = min(want, r.Count-r.got)
	}
	if r.credit > want/2 {
		return nil
	}
	more := want - r.credit
	r.credit = want
	return r.receiver.IssueCredit(uint32(more))
}

// next is the next message, or nil when it has been waited for long enough.
func (r *receiving) next(ctx context.Context) (*amqp.Message, error) {
	if message := r.receiver.Prefetched(); message != nil {
		return message, nil
	}
	if r.Timeout == 0 {
		return r.receiver.Receive(ctx, nil)
	}
	waiting, cancel := context.WithTimeout(ctx, r.Timeout)
	defer cancel()
	message, err := r.receiver.Receive(waiting, nil)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return nil, nil
	}
	return message, err
}

// take hands a message over and settles it. One that was browsed is accepted
// too: for the broker that means only that the copy has arrived.
func (r *receiving) take(ctx context.Context, message *amqp.Message) error {
	r.credit--
	if err := r.each(message); err != nil {
		return errors.Join(err, r.receiver.ReleaseMessage(ctx, message))
	}
	r.got++
	return r.receiver.AcceptMessage(ctx, message)
}
