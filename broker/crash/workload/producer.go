package workload

import (
	"context"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/Azure/go-amqp"

	"entrepot/broker/crash/oracle"
)

// inFlight is how many unanswered messages a producer has at most.
const inFlight = 64

// Producer is one sending link. It ends with its connection.
type Producer struct {
	Plan   *Plan
	Name   uint32
	Oracle *oracle.Oracle
	Random *rand.Rand
	Login  Login
	// Patience is how long answers are awaited when the context has ended.
	Patience time.Duration
	// AttachLimit is how long it may take to get a link; 0: for ever.
	AttachLimit time.Duration
	// Seen, if set, is told of every accepted.
	Seen func(at time.Time)
}

// Run sends until the connection or the context ends. Its errors are the
// broker's death and not reported: what they leave in doubt, the oracle knows.
func (p *Producer) Run(ctx context.Context, addr string) {
	attaching, attached := limited(ctx, p.AttachLimit)
	defer attached()
	conn, session, err := dial(attaching, addr, p.Login)
	if err != nil {
		return
	}
	defer conn.Close()
	sender, err := session.NewSender(attaching, p.Plan.Address, nil)
	if err != nil {
		return
	}
	waiting, giveUp := context.WithCancel(context.WithoutCancel(ctx))
	defer giveUp()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(p.Patience, giveUp) })()
	receipts := make(chan receipt, inFlight)
	var answers sync.WaitGroup
	answers.Go(func() { p.awaitAnswers(waiting, receipts) })
	p.sendAll(ctx, sender, receipts)
	close(receipts)
	answers.Wait()
}

// sendAll sends at the plan's pace until that fails.
func (p *Producer) sendAll(ctx context.Context, sender *amqp.Sender, receipts chan<- receipt) {
	pace := time.NewTicker(p.Plan.Pause)
	defer pace.Stop()
	for n := uint64(1); ; {
		for range p.Plan.Burst {
			if p.send(ctx, sender, n, receipts) != nil {
				return
			}
			n++
		}
		<-pace.C
	}
}

// receipt is a message that waits for the broker's answer.
type receipt struct {
	id oracle.ID
	amqp.SendReceipt
}

func (p *Producer) send(ctx context.Context, sender *amqp.Sender, n uint64, receipts chan<- receipt) error {
	id := oracle.ID{Producer: p.Name, N: n}
	ttl := pick(p.Random, p.Plan.TTLs)
	settled := p.Random.Float64() < p.Plan.SettledSends
	msg := amqp.NewMessage(encodeBody(id, pick(p.Random, p.Plan.Sizes)))
	msg.Header = &amqp.MessageHeader{Durable: true, TTL: ttl}
	p.Oracle.Sending(oracle.Send{ID: id, Queue: p.Plan.Address, TTL: ttl, MayVanish: settled, At: time.Now()})
	if settled {
		return sender.Send(ctx, msg, &amqp.SendOptions{Settled: true})
	}
	r, err := sender.SendWithReceipt(ctx, msg, nil)
	if err == nil {
		receipts <- receipt{id, r}
	}
	return err
}

// awaitAnswers tells the oracle the answers, in the order of sending.
func (p *Producer) awaitAnswers(ctx context.Context, receipts <-chan receipt) {
	for r := range receipts {
		state, err := r.Wait(ctx)
		if err != nil {
			continue // in doubt
		}
		switch state.(type) {
		case *amqp.StateAccepted:
			now := time.Now()
			p.Oracle.Accepted(r.id, now)
			if p.Seen != nil {
				p.Seen(now)
			}
		case *amqp.StateRejected, *amqp.StateReleased:
			p.Oracle.Refused(r.id)
		} // modified: the broker does not know either
	}
}

// Login is who a client is; the zero value is anonymous.
type Login struct{ User, Password string }

func (l Login) options() *amqp.ConnOptions {
	if l.User == "" {
		return &amqp.ConnOptions{SASLType: amqp.SASLTypeAnonymous()}
	}
	return &amqp.ConnOptions{SASLType: amqp.SASLTypePlain(l.User, l.Password)}
}

// dial opens a connection and a session.
func dial(ctx context.Context, addr string, login Login) (*amqp.Conn, *amqp.Session, error) {
	conn, err := amqp.Dial(ctx, "amqp://"+addr, login.options())
	if err != nil {
		return nil, nil, err
	}
	return withSession(ctx, conn)
}

// dialOver does the same over a socket that the caller may cut at any moment.
func dialOver(ctx context.Context, socket net.Conn, login Login) (*amqp.Conn, *amqp.Session, error) {
	conn, err := amqp.NewConn(ctx, socket, login.options())
	if err != nil {
		return nil, nil, err
	}
	return withSession(ctx, conn)
}

func withSession(ctx context.Context, conn *amqp.Conn) (*amqp.Conn, *amqp.Session, error) {
	session, err := conn.NewSession(ctx, nil)
	if err != nil {
		conn.Close()
		return nil, nil, err
	}
	return conn, session, nil
}

// limited is ctx, or ctx for so long.
func limited(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	if limit == 0 {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, limit)
}
