package workload

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/Azure/go-amqp"

	"entrepot/broker/crash/oracle"
	"entrepot/protocol/amqp/wire"
)

// settlers is how many outcomes a consumer may have waiting for confirmation.
const settlers = 16

// Consumer takes from one queue until the broker or the context ends. When it
// drops its connection, it attaches anew.
type Consumer struct {
	Plan   *Plan
	Oracle *oracle.Oracle
	Random *rand.Rand // of the receiving goroutine only
	Login  Login
	// Quiet ends it when nothing has come for so long. 0: it goes on.
	Quiet time.Duration
	// AttachLimit is how long it may take to get a link; 0: for ever.
	AttachLimit time.Duration
	// Seen, if set, is told of every delivery.
	Seen func(at time.Time)
}

// errVanished ends a link whose connection the consumer has dropped itself.
var errVanished = errors.New("the consumer dropped its connection")

// Run consumes until the broker ends. That is no error of a round.
func (c *Consumer) Run(ctx context.Context, addr string) {
	for errors.Is(c.AttachOnce(ctx, addr), errVanished) {
	}
}

// AttachOnce is one life of the link. nil: it was quiet.
func (c *Consumer) AttachOnce(ctx context.Context, addr string) error {
	attaching, attached := limited(ctx, c.AttachLimit)
	defer attached()
	plain, err := new(net.Dialer).DialContext(attaching, "tcp", addr)
	if err != nil {
		return err
	}
	socket := newAnswers(plain)
	defer socket.Close()
	conn, session, err := dialOver(attaching, socket, c.Login)
	if err != nil {
		return err
	}
	defer conn.Close()
	link := &link{Consumer: c, socket: socket, name: c.Oracle.Attached(c.Plan.Address)} // first: what comes is younger
	defer c.Oracle.Detached(link.name)                                                  // before the connection is closed
	link.receiver, err = session.NewReceiver(attaching, c.Plan.Address, &amqp.ReceiverOptions{
		Credit: c.Plan.Credit,
		// The broker settles second: only so is a settle ever confirmed
		// [amqp-transport 2.6.12].
		SettlementMode: amqp.ReceiverSettleModeSecond.Ptr(),
	})
	if err != nil {
		return err
	}
	return link.consume(ctx)
}

// link is a consumer while it is attached.
type link struct {
	*Consumer
	name     oracle.Consumer
	socket   *answers
	receiver *amqp.Receiver
}

// decided is a delivery whose outcome was drawn.
type decided struct {
	msg *amqp.Message
	id  oracle.ID
	out oracle.Outcome
}

// consume receives in order in this goroutine, and settles in others, because
// each of those waits for its confirmation.
func (l *link) consume(ctx context.Context) error {
	work := make(chan decided)
	var settling sync.WaitGroup
	for range settlers {
		settling.Go(func() {
			for d := range work {
				l.settle(ctx, d)
			}
		})
	}
	defer settling.Wait()
	defer close(work)
	for {
		msg, err := l.next(ctx)
		if msg == nil {
			return err
		}
		id, ok := l.received(msg)
		if ok {
			work <- decided{msg, id, l.Plan.outcome(l.Random)}
		}
		if l.Random.Float64() < l.Plan.Vanish {
			l.Oracle.Detached(l.name) // first: the broker may act on the next line at once
			l.socket.Close()
			return errVanished
		}
	}
}

// next is the next message; nil without an error if it was quiet.
func (l *link) next(ctx context.Context) (*amqp.Message, error) {
	if l.Quiet == 0 {
		return l.receiver.Receive(ctx, nil)
	}
	waiting, cancel := context.WithTimeout(ctx, l.Quiet)
	defer cancel()
	msg, err := l.receiver.Receive(waiting, nil)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return nil, nil
	}
	return msg, err
}

// received tells the oracle of a delivery. The answer is false if there is
// nothing to settle.
func (l *link) received(msg *amqp.Message) (oracle.ID, bool) {
	at := time.Now()
	id, err := decodeBody(msg.GetData())
	if err != nil {
		l.Oracle.Unreadable(l.Plan.Address, err)
		return id, false
	}
	if l.Seen != nil {
		l.Seen(at)
	}
	d := oracle.Delivery{Consumer: l.name, ID: id, At: at}
	if h := msg.Header; h != nil {
		d.DeliveryCount, d.TTL, d.HasTTL = h.DeliveryCount, h.TTL, h.TTL > 0
	}
	return id, l.Oracle.Delivered(d)
}

// settle sends an outcome and waits until the broker has confirmed it.
func (l *link) settle(ctx context.Context, d decided) {
	if l.Plan.Thinks > 0 {
		select {
		case <-time.After(l.Plan.Thinks):
		case <-ctx.Done():
			return
		}
	}
	if !l.Oracle.Settling(l.name, d.id, d.out) {
		return
	}
	if l.dispose(ctx, d) == nil && l.socket.agreed(d.msg.DeliveryTag, states[d.out]) {
		l.Oracle.Settled(d.id, d.out)
	}
}

// states are the outcomes on the wire.
var states = map[oracle.Outcome]wire.StateKind{
	oracle.Accept: wire.StateAccepted, oracle.Reject: wire.StateRejected,
	oracle.Release: wire.StateReleased, oracle.Fail: wire.StateModified,
}

func (l *link) dispose(ctx context.Context, d decided) error {
	switch d.out {
	case oracle.Reject:
		return l.receiver.RejectMessage(ctx, d.msg, &amqp.Error{Condition: amqp.ErrCondInternalError})
	case oracle.Release:
		return l.receiver.ReleaseMessage(ctx, d.msg)
	case oracle.Fail:
		return l.receiver.ModifyMessage(ctx, d.msg, &amqp.ModifyMessageOptions{DeliveryFailed: true})
	default:
		return l.receiver.AcceptMessage(ctx, d.msg)
	}
}
