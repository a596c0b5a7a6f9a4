package sim

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/Azure/go-amqp"

	"entrepot/broker/sim/history"
)

// consumer takes from one queue after the other, over whatever node it gets.
type consumer struct {
	*world
	random *rand.Rand
}

// habits are what a receiving link does.
type habits struct {
	credit  int           // how many deliveries it may have coming
	browse  bool          // it takes nothing away
	last    bool          // it is the final drain: accepts all, at once
	careful bool          // it accepts or rejects all, and hears of it
	first   bool          // it settles without hearing of it
	quiet   time.Duration // it ends when nothing came for so long; 0: it does not
	stays   time.Duration // it ends after so long
}

func (c *consumer) run(ctx context.Context) {
	for ctx.Err() == nil {
		h := habits{
			credit: 1 + c.random.IntN(20), browse: c.random.IntN(10) == 0,
			first: c.random.IntN(5) == 0, stays: between(c.random, 100*time.Millisecond, 20*time.Second),
		}
		if c.options.Small {
			h.credit, h.careful, h.first = 1+c.random.IntN(3), len(c.options.Faults) == 0 || c.random.IntN(2) == 0, false
		}
		_ = c.once(ctx, pick(c.random, c.queues), h)
		pause(ctx, between(c.random, 0, time.Second))
	}
}

var errQuiet = errors.New("nothing came for a while")

// once is one life of a receiving link: until ctx ends, its time is over, or the
// connection is. errQuiet: nothing came for h.quiet.
func (c *consumer) once(ctx context.Context, queue string, h habits) error {
	m := pick(c.random, c.machines)
	conn, err := c.connect(ctx, m)
	if err != nil {
		return err
	}
	l := &receivingLink{
		consumer: c, habits: h,
		link: c.history.Attaching(history.Link{Queue: queue, Node: m.id, Browse: h.browse, Last: h.last, Attached: time.Now()}),
	}
	defer func() {
		c.history.Ended(l.link, time.Now(), l.credits) // first: the broker may act on what follows at once
		if h.last || h.careful {
			conn.leave()
		} else {
			conn.end(c.random)
		}
		l.settling.Wait()
	}()
	attach, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	if l.receiver, err = conn.session.NewReceiver(attach, queue, l.attachOptions()); err != nil {
		return err
	}
	if h.stays > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, h.stays)
		defer cancel()
	}
	err = l.consume(ctx)
	if h.careful || h.last {
		l.settling.Wait()
	}
	return err
}

// receivingLink is a consumer while it is attached.
type receivingLink struct {
	*consumer
	habits
	link     *history.Link
	receiver *amqp.Receiver
	settling sync.WaitGroup
	credits  []time.Time // when each credit was given that no delivery has used up
}

// attachOptions: credit is given by hand, so that it is known since when a delivery
// could be sent. A settle is confirmed only if the broker settles second
// [amqp-transport 2.6.12].
func (l *receivingLink) attachOptions() *amqp.ReceiverOptions {
	o := &amqp.ReceiverOptions{Credit: -1, SettlementMode: amqp.ReceiverSettleModeSecond.Ptr()}
	if l.first {
		o.SettlementMode = amqp.ReceiverSettleModeFirst.Ptr()
	}
	if l.browse {
		o.SourceDistributionMode = amqp.SourceDistributionModeCopy
	}
	return o
}

func (l *receivingLink) consume(ctx context.Context) error {
	for {
		if err := l.grant(); err != nil {
			return err
		}
		msg, err := l.next(ctx)
		if err != nil {
			return err
		}
		l.received(ctx, msg)
	}
}

// grant tops the credit up.
func (l *receivingLink) grant() error {
	missing := l.credit - len(l.credits)
	if missing <= 0 {
		return nil
	}
	for range missing {
		l.credits = append(l.credits, time.Now())
	}
	return l.receiver.IssueCredit(uint32(missing))
}

func (l *receivingLink) next(ctx context.Context) (*amqp.Message, error) {
	if l.quiet == 0 {
		return l.receiver.Receive(ctx, nil)
	}
	waiting, cancel := context.WithTimeout(ctx, l.quiet)
	defer cancel()
	msg, err := l.receiver.Receive(waiting, nil)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		err = errQuiet
	}
	return msg, err
}

// received writes a delivery down and deals with it.
func (l *receivingLink) received(ctx context.Context, msg *amqp.Message) {
	since := l.credits[0]
	l.credits = l.credits[1:]
	id, err := decodeBody(msg.GetData())
	if err != nil {
		l.history.Unreadable(l.link, err.Error())
		return
	}
	d := history.Delivery{Link: l.link, ID: id, Since: since, At: time.Now()}
	if h := msg.Header; h != nil {
		d.FirstAcquirer, d.Count = h.FirstAcquirer, h.DeliveryCount
	}
	delivery := l.history.Received(d)
	out, after := l.decide()
	if out == history.Held {
		return
	}
	if l.careful {
		ctx = context.Background()
	}
	l.settling.Go(func() {
		if pause(ctx, after) {
			l.settle(msg, delivery, out)
		}
	})
}

// decide draws what happens to a delivery, and how soon.
func (l *receivingLink) decide() (out history.Outcome, after time.Duration) {
	if l.random.IntN(4) == 0 {
		after = between(l.random, 0, 2*time.Second)
	}
	n := l.random.IntN(100)
	switch {
	case l.last:
		return history.Accept, 0
	case l.browse:
		return history.Accept, after
	case l.careful && n < 90:
		return history.Accept, after
	case l.careful:
		return history.Reject, after
	case n < 70:
		return history.Accept, after
	case n < 78:
		return history.Release, after
	case n < 86:
		return history.Fail, after
	case n < 90:
		return history.Reject, after
	default:
		return history.Held, 0
	}
}

// settleTime is how long a consumer waits for the broker's word on an outcome.
const settleTime = 20 * time.Second

// settle sends an outcome and waits until the broker has confirmed it.
func (l *receivingLink) settle(msg *amqp.Message, d *history.Delivery, out history.Outcome) {
	ctx, cancel := context.WithTimeout(context.Background(), settleTime)
	defer cancel()
	if l.browse { // it means nothing to the queue
		_ = l.receiver.AcceptMessage(ctx, msg)
		return
	}
	l.history.Settling(d, out, time.Now())
	var err error
	switch out {
	case history.Accept:
		err = l.receiver.AcceptMessage(ctx, msg)
	case history.Reject:
		err = l.receiver.RejectMessage(ctx, msg, &amqp.Error{Condition: amqp.ErrCondInternalError})
	case history.Release:
		err = l.receiver.ReleaseMessage(ctx, msg)
	case history.Fail:
		err = l.receiver.ModifyMessage(ctx, msg, &amqp.ModifyMessageOptions{DeliveryFailed: true})
	}
	if err == nil && !l.first {
		l.history.Settled(d, time.Now())
	}
}
