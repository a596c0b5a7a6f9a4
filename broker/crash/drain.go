package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/Azure/go-amqp"

	"entrepot/broker/crash/oracle"
)

const (
	drainCredit = 256
	// emptyAnswers is how many drains in a row must bring nothing before a queue
	// counts as empty, and emptyPause the time between them: a message that was
	// released just before the end may be held back for a moment.
	emptyAnswers = 2
	emptyPause   = 200 * time.Millisecond
)

// drainQueue accepts all that a queue holds. An empty queue is known by the
// answer to drain [amqp-transport 2.6.7], not by a time without messages.
func drainQueue(ctx context.Context, addr string, plan queuePlan, o *oracle.Oracle) error {
	conn, session, err := dial(ctx, addr)
	if err != nil {
		return fmt.Errorf("drain %s: %w", plan.address, err)
	}
	defer conn.Close()
	receiver, err := session.NewReceiver(ctx, plan.address, &amqp.ReceiverOptions{
		Credit:         -1, // by hand
		SettlementMode: amqp.ReceiverSettleModeSecond.Ptr(),
	})
	if err != nil {
		return fmt.Errorf("drain %s: %w", plan.address, err)
	}
	plan.thinks, plan.giveBack, plan.reject = 0, 0, 0
	c := &consumer{plan: &plan, oracle: o, random: rand.New(rand.NewPCG(0, 0))}
	l := &link{consumer: c, name: o.Attached(plan.address), receiver: receiver}
	for empty := 0; empty < emptyAnswers; {
		n, err := l.drainOnce(ctx)
		if err != nil {
			return fmt.Errorf("drain %s: %w", plan.address, err)
		}
		if n > 0 {
			empty = 0
			continue
		}
		empty++
		time.Sleep(emptyPause)
	}
	return nil
}

// drainOnce takes what the broker gives for one credit, accepts it, waits for
// all confirmations and says how many there were.
func (l *link) drainOnce(ctx context.Context) (int, error) {
	if err := l.receiver.IssueCredit(drainCredit); err != nil {
		return 0, err
	}
	if err := l.receiver.DrainCredit(ctx, nil); err != nil {
		return 0, err
	}
	var settling sync.WaitGroup
	defer settling.Wait()
	n := 0
	for msg := l.receiver.Prefetched(); msg != nil; msg = l.receiver.Prefetched() {
		n++
		if id, ok := l.received(msg); ok {
			settling.Go(func() { l.settle(ctx, decided{msg, id, oracle.Accept}) })
		}
	}
	return n, nil
}
