package amqpclient

import (
	"context"
	"fmt"
	"time"

	"github.com/Azure/go-amqp"
)

// inFlight is how many messages may be on their way without an outcome. It
// covers several of the broker's packs, so that the line between never idles.
const inFlight = 1024

// lastAnswers is how long an interrupted Send waits for outcomes.
const lastAnswers = 2 * time.Second

// Outcomes counts what became of messages that were sent.
type Outcomes struct {
	Accepted uint64
	Refused  uint64 // rejected, released or modified by the broker: not stored
	Unknown  uint64 // no answer before the end: stored or not
	Reason   string // of the first that was refused
}

// Send sends what next gives until it gives nil, and waits for every outcome;
// settled hears of each that is known, from one goroutine. When ctx ends nothing
// more is sent, and what is on its way has a moment to be answered; when the link
// fails it returns at once with what is known.
func (c *Client) Send(ctx context.Context, address string, next func() (*amqp.Message, error), settled func()) (Outcomes, error) {
	sender, err := c.session.NewSender(ctx, address, nil)
	if err != nil {
		return Outcomes{}, linkError(address, err)
	}
	receipts := make(chan amqp.SendReceipt, inFlight)
	counted := make(chan Outcomes)
	patient, cancel := outlive(ctx, lastAnswers)
	defer cancel()
	go func() { counted <- collect(patient, receipts, settled) }()
	err = feed(ctx, sender, next, receipts)
	close(receipts)
	outcomes := <-counted
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return outcomes, linkError(address, err)
	}
	return outcomes, nil
}

// outlive gives a context that ends some time after ctx.
func outlive(ctx context.Context, grace time.Duration) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	context.AfterFunc(ctx, func() { time.AfterFunc(grace, cancel) })
	return longer, cancel
}

// feed sends messages; a full channel of receipts makes it wait.
func feed(ctx context.Context, sender *amqp.Sender, next func() (*amqp.Message, error), receipts chan<- amqp.SendReceipt) error {
	for {
		message, err := next()
		if err != nil || message == nil {
			return err
		}
		receipt, err := sender.SendWithReceipt(ctx, message, nil)
		if err != nil {
			if ctx.Err() != nil { // go-amqp says "credit limit exceeded" of a wait that was ended
				err = ctx.Err()
			}
			return err
		}
		receipts <- receipt
	}
}

// collect waits for the outcomes in the order of sending.
func collect(ctx context.Context, receipts <-chan amqp.SendReceipt, settled func()) Outcomes {
	var o Outcomes
	for receipt := range receipts {
		state, err := receipt.Wait(ctx)
		switch state := state.(type) {
		case *amqp.StateAccepted:
			o.Accepted++
		case nil:
			if err != nil {
				o.Unknown++
				continue
			}
			o.refuse("the broker settled it without an outcome")
		case *amqp.StateRejected:
			reason := "rejected"
			if state.Error != nil {
				reason = fmt.Sprintf("rejected: %s: %s", state.Error.Condition, state.Error.Description)
			}
			o.refuse(reason)
		case *amqp.StateReleased:
			o.refuse("released: nobody could store it")
		case *amqp.StateModified:
			o.refuse("modified: whether it is stored is not known")
		}
		settled()
	}
	return o
}

func (o *Outcomes) refuse(reason string) {
	o.Refused++
	if o.Reason == "" {
		o.Reason = reason
	}
}
