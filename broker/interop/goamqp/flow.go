package main

import (
	"context"
	"fmt"

	"github.com/Azure/go-amqp"
)

// flowTests are about many messages: order, credit, sharing, browsing.
func flowTests() []test {
	return []test{
		{"order", order},
		{"large-credit", largeCredit},
		{"credit-by-hand", creditByHand},
		{"drain-empty", drainEmpty},
		{"drain-some", drainSome},
		{"browse", browse},
		{"competing-consumers", competingConsumers},
		{"abrupt-disconnect", abruptDisconnect},
	}
}

// pipeline sends texts without waiting for each answer, and then waits for all.
func (e *env) pipeline(texts []string) {
	l := e.sender(e.session(), nil)
	receipts := make([]amqp.SendReceipt, len(texts))
	for i, t := range texts {
		r, err := l.SendWithReceipt(e.ctx, amqp.NewMessage([]byte(t)), nil)
		must(err, "send")
		receipts[i] = r
	}
	for i := range receipts {
		state, err := receipts[i].Wait(e.ctx)
		must(err, "wait for the outcome")
		if _, ok := state.(*amqp.StateAccepted); !ok {
			fail("message %d: got %T, want accepted", i, state)
		}
	}
}

func order(e *env) {
	texts := numbered(2000)
	e.pipeline(texts)
	r := e.receiver(e.session(), credit(100))
	for _, t := range texts {
		e.take(r, t)
	}
	e.nothing(r)
}

func largeCredit(e *env) {
	r := e.receiver(e.session(), credit(20_000))
	texts := numbered(5000)
	e.pipeline(texts)
	for _, t := range texts {
		e.take(r, t)
	}
}

// Without credit nothing comes, and never more than was asked for
// [amqp-transport 2.6.7].
func creditByHand(e *env) {
	e.put(numbered(4)...)
	r := e.receiver(e.session(), credit(-1))
	e.nothing(r)
	must(r.IssueCredit(3), "issue credit")
	for _, t := range numbered(3) {
		e.take(r, t)
	}
	e.nothing(r)
	must(r.IssueCredit(1), "issue credit")
	e.take(r, "m3")
}

// A drain is answered though there is nothing to send, and uses up all credit.
func drainEmpty(e *env) {
	r := e.receiver(e.session(), credit(-1))
	must(r.IssueCredit(10), "issue credit")
	e.nothing(r) // by now the credit has been sent
	must(r.DrainCredit(e.ctx, nil), "drain")
	e.put("a")
	e.nothing(r)
	must(r.IssueCredit(1), "issue credit")
	e.take(r, "a")
}

// A drain takes back the credit that is left when there is no more to send.
// go-amqp drains by setting the credit to 0, so what is there must have come
// before; draining with credit is what the proton and rhea suites do.
func drainSome(e *env) {
	texts := numbered(3)
	e.put(texts...)
	r := e.receiver(e.session(), credit(-1))
	must(r.IssueCredit(10), "issue credit")
	for _, t := range texts {
		e.take(r, t)
	}
	must(r.DrainCredit(e.ctx, nil), "drain")
	e.put("later")
	e.nothing(r)
	must(r.IssueCredit(1), "issue credit")
	e.take(r, "later")
}

// Browsing disturbs nothing: neither what consumers get nor its counts.
func browse(e *env) {
	texts := numbered(50)
	e.put(texts...)
	look := func() {
		r := e.receiver(e.session(), &amqp.ReceiverOptions{Credit: 10, SourceDistributionMode: amqp.SourceDistributionModeCopy})
		for _, t := range texts {
			e.take(r, t)
		}
		e.nothing(r)
	}
	look()
	look()
	r := e.receiver(e.session(), credit(10))
	for _, t := range texts {
		m := e.take(r, t)
		want(header(m).DeliveryCount, 0, "delivery-count after browsing")
		want(header(m).FirstAcquirer, true, "first-acquirer after browsing")
	}
	e.nothing(r)
}

// Consumers with credit share what comes, and none is starved.
func competingConsumers(e *env) {
	const messages, consumers = 400, 2
	ctx, cancel := context.WithCancel(e.ctx)
	defer cancel()
	got := make(chan int, messages)
	for i := range consumers {
		r := e.receiver(e.session(), credit(10))
		go func() {
			for {
				m, err := r.Receive(ctx, nil)
				if err != nil || r.AcceptMessage(ctx, m) != nil {
					return
				}
				got <- i
			}
		}()
	}
	e.pipeline(numbered(messages))
	var share [consumers]int
	for range messages {
		select {
		case i := <-got:
			share[i]++
		case <-e.ctx.Done():
			fail("only %v of %d messages came", share, messages)
		}
	}
	for _, n := range share {
		if n < messages/consumers/2 {
			fail("unfair: %v", share)
		}
	}
}

// What a consumer had when its connection broke comes again, in its place.
func abruptDisconnect(e *env) {
	texts := numbered(20)
	e.put(texts...)
	s, cut := e.cuttable()
	r := e.receiver(s, credit(10))
	for i := range 5 {
		want(string(e.receive(r).GetData()), texts[i], "the next message")
	}
	cut()
	r = e.receiver(e.session(), credit(30))
	for i, t := range texts {
		m := e.take(r, t)
		want(header(m).DeliveryCount, 0, fmt.Sprint("delivery-count of ", t))
		if i < 5 {
			want(header(m).FirstAcquirer, false, fmt.Sprint("first-acquirer of ", t))
		}
	}
	e.nothing(r)
}
