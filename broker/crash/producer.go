package main

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

// producer is one sending link. It ends with its connection.
type producer struct {
	plan   *queuePlan
	name   uint32
	oracle *oracle.Oracle
	random *rand.Rand
}

// run sends until the connection or the context ends. Its errors are the
// broker's death and not reported: what they leave in doubt, the oracle knows.
func (p *producer) run(ctx context.Context, addr string) {
	conn, session, err := dial(ctx, addr)
	if err != nil {
		return
	}
	defer conn.Close()
	sender, err := session.NewSender(ctx, p.plan.address, nil)
	if err != nil {
		return
	}
	receipts := make(chan receipt, inFlight)
	var answers sync.WaitGroup
	answers.Go(func() { p.awaitAnswers(ctx, receipts) })
	p.sendAll(ctx, sender, receipts)
	close(receipts)
	answers.Wait()
}

// sendAll sends at the plan's pace until that fails.
func (p *producer) sendAll(ctx context.Context, sender *amqp.Sender, receipts chan<- receipt) {
	pace := time.NewTicker(p.plan.pause)
	defer pace.Stop()
	for n := uint64(1); ; {
		for range p.plan.burst {
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

func (p *producer) send(ctx context.Context, sender *amqp.Sender, n uint64, receipts chan<- receipt) error {
	id := oracle.ID{Producer: p.name, N: n}
	ttl := pick(p.random, p.plan.ttls)
	settled := p.random.Float64() < p.plan.settledSends
	msg := amqp.NewMessage(encodeBody(id, pick(p.random, p.plan.sizes)))
	msg.Header = &amqp.MessageHeader{Durable: true, TTL: ttl}
	p.oracle.Sending(oracle.Send{ID: id, Queue: p.plan.address, TTL: ttl, MayVanish: settled, At: time.Now()})
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
func (p *producer) awaitAnswers(ctx context.Context, receipts <-chan receipt) {
	for r := range receipts {
		state, err := r.Wait(ctx)
		if err != nil {
			continue // in doubt
		}
		switch state.(type) {
		case *amqp.StateAccepted:
			p.oracle.Accepted(r.id, time.Now())
		case *amqp.StateRejected, *amqp.StateReleased:
			p.oracle.Refused(r.id)
		} // modified: the broker does not know either
	}
}

// dial opens a connection and a session.
func dial(ctx context.Context, addr string) (*amqp.Conn, *amqp.Session, error) {
	conn, err := amqp.Dial(ctx, "amqp://"+addr, &amqp.ConnOptions{SASLType: amqp.SASLTypeAnonymous()})
	if err != nil {
		return nil, nil, err
	}
	return withSession(ctx, conn)
}

// dialOver does the same over a socket that the caller may cut at any moment.
func dialOver(ctx context.Context, socket net.Conn) (*amqp.Conn, *amqp.Session, error) {
	conn, err := amqp.NewConn(ctx, socket, &amqp.ConnOptions{SASLType: amqp.SASLTypeAnonymous()})
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
