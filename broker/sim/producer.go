package sim

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/Azure/go-amqp"

	"entrepot/broker/sim/history"
)

// producer sends to one queue after the other, over whatever node it gets. Every link
// is a producer of its own to the history.
type producer struct {
	*world
	random *rand.Rand
}

func (p *producer) run(ctx context.Context) {
	for ctx.Err() == nil {
		p.once(ctx)
		pause(ctx, between(p.random, 0, time.Second))
	}
}

// once is one life of a sending link.
func (p *producer) once(ctx context.Context) {
	c, err := p.connect(ctx, pick(p.random, p.machines))
	if err != nil {
		return
	}
	defer c.end(p.random)
	queue := pick(p.random, p.queues)
	attach, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	sender, err := c.session.NewSender(attach, queue, nil)
	if err != nil {
		return
	}
	l := &sendingLink{producer: p, sender: sender, queue: queue, number: p.producers.next()}
	l.run(ctx)
}

// sendingLink is a producer while it is attached.
type sendingLink struct {
	*producer
	sender *amqp.Sender
	queue  string
	number uint32
}

const (
	// creditTime is how long a producer waits for credit, answerTime for the
	// outcomes of what it has sent, before it goes elsewhere.
	creditTime = 10 * time.Second
	answerTime = 20 * time.Second
)

func (l *sendingLink) run(ctx context.Context) {
	count, window, rest := 1+l.random.IntN(100), 1+l.random.IntN(32), 100*time.Millisecond
	if l.options.Small {
		count, window, rest = 1+l.random.IntN(4), 1+l.random.IntN(3), 5*time.Second
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	room := make(chan struct{}, window)
	var answers sync.WaitGroup
	for n := range count {
		room <- struct{}{}
		receipt, send := l.send(ctx, uint64(n+1))
		if send == nil {
			break
		}
		answers.Go(func() {
			l.await(receipt, send)
			<-room
		})
		if l.random.IntN(4) == 0 && !pause(ctx, between(l.random, 0, rest)) {
			break
		}
	}
	answers.Wait()
}

// send sends message n; nil: the link is of no more use.
func (l *sendingLink) send(ctx context.Context, n uint64) (amqp.SendReceipt, *history.Send) {
	ctx, cancel := context.WithTimeout(ctx, creditTime)
	defer cancel()
	s := history.Send{ID: history.ID{Producer: l.number, N: n}, Queue: l.queue, Began: time.Now()}
	if l.options.TTLs && l.random.IntN(4) == 0 {
		s.TTL = between(l.random, time.Second, 2*time.Minute).Truncate(time.Millisecond)
	}
	send := l.history.Sending(s)
	msg := amqp.NewMessage(encodeBody(s.ID, l.filling()))
	msg.Header = &amqp.MessageHeader{Durable: true, TTL: s.TTL}
	receipt, err := l.sender.SendWithReceipt(ctx, msg, nil)
	if err != nil {
		return receipt, nil // it may have gone out, or not
	}
	return receipt, send
}

// filling is how large a message is: small as a rule, seldom larger than a pack.
func (l *sendingLink) filling() int {
	switch n := l.random.IntN(400); {
	case n == 0:
		return l.random.IntN(400_000)
	case n < 20:
		return l.random.IntN(20_000)
	default:
		return l.random.IntN(500)
	}
}

// await waits for what the broker says of a message.
func (l *sendingLink) await(receipt amqp.SendReceipt, send *history.Send) {
	ctx, cancel := context.WithTimeout(context.Background(), answerTime)
	defer cancel()
	state, err := receipt.Wait(ctx)
	if err != nil {
		return
	}
	switch state.(type) {
	case *amqp.StateAccepted:
		l.history.Sent(send, history.Accepted, time.Now())
	case *amqp.StateRejected, *amqp.StateReleased:
		l.history.Sent(send, history.Refused, time.Now())
	}
}
