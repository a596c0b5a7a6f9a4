package main

import (
	"bytes"
	"time"

	"github.com/Azure/go-amqp"
)

// deliveryTests are about what happens to one message: outcomes, counts, TTL,
// settlement.
func deliveryTests() []test {
	return []test{
		{"send-receive", sendReceive},
		{"outcome-accepted", outcomeAccepted},
		{"outcome-released", outcomeReleased},
		{"outcome-modified-failed", outcomeModifiedFailed},
		{"outcome-modified-elsewhere", outcomeModifiedElsewhere},
		{"outcome-modified-annotations", outcomeModifiedAnnotations},
		{"outcome-rejected", outcomeRejected},
		{"redelivery-count", redeliveryCount},
		{"ttl-expires", ttlExpires},
		{"ttl-shrinks", ttlShrinks},
		{"presettled-send", presettledSend},
		{"presettled-receive", presettledReceive},
		{"settle-second", settleSecond},
		{"large-10MiB", large},
		{"small-frames", smallFrames},
	}
}

func sendReceive(e *env) {
	e.put("hello")
	m := e.take(e.receiver(e.session(), nil), "hello")
	want(header(m).DeliveryCount, 0, "delivery-count")
	want(header(m).FirstAcquirer, true, "first-acquirer")
}

func outcomeAccepted(e *env) {
	e.put("a")
	s := e.session()
	l := e.receiver(s, nil)
	e.take(l, "a")
	must(l.Close(e.ctx), "detach")
	e.empty()
}

// A released message goes back in its place, uncounted [amqp-messaging 3.4.4].
func outcomeReleased(e *env) {
	e.put("a", "b")
	s := e.session()
	l := e.receiver(s, nil)
	m := e.receive(l)
	want(string(m.GetData()), "a", "the first message")
	must(l.ReleaseMessage(e.ctx, m), "release")
	must(l.Close(e.ctx), "detach")
	l = e.receiver(s, nil)
	m = e.take(l, "a")
	want(header(m).DeliveryCount, 0, "delivery-count after released")
	want(header(m).FirstAcquirer, false, "first-acquirer after released")
	e.take(l, "b")
}

func outcomeModifiedFailed(e *env) {
	e.put("a", "b")
	s := e.session()
	l := e.receiver(s, nil)
	m := e.receive(l)
	must(l.ModifyMessage(e.ctx, m, &amqp.ModifyMessageOptions{DeliveryFailed: true}), "modify")
	must(l.Close(e.ctx), "detach")
	l = e.receiver(s, nil)
	m = e.take(l, "a")
	want(header(m).DeliveryCount, 1, "delivery-count after delivery-failed")
	e.take(l, "b")
}

// undeliverable-here keeps a message from this link, not from others
// [amqp-messaging 3.4.5].
func outcomeModifiedElsewhere(e *env) {
	e.put("a")
	s := e.session()
	here := e.receiver(s, credit(10))
	m := e.receive(here)
	must(here.ModifyMessage(e.ctx, m, &amqp.ModifyMessageOptions{UndeliverableHere: true}), "modify")
	e.nothing(here)
	e.take(e.receiver(e.session(), nil), "a")
}

func outcomeModifiedAnnotations(e *env) {
	l := e.sender(e.session(), nil)
	e.send(l, &amqp.Message{Data: [][]byte{[]byte("a")}, Annotations: amqp.Annotations{"x-opt-kept": "k", "x-opt-changed": "old"}})
	s := e.session()
	r := e.receiver(s, nil)
	must(r.ModifyMessage(e.ctx, e.receive(r), &amqp.ModifyMessageOptions{
		DeliveryFailed: true,
		Annotations:    amqp.Annotations{"x-opt-changed": "new", "x-opt-added": int64(7)},
	}), "modify")
	must(r.Close(e.ctx), "detach")
	m := e.take(e.receiver(s, nil), "a")
	want(m.Annotations["x-opt-kept"], "k", "an annotation that was not modified")
	want(m.Annotations["x-opt-changed"], "new", "a modified annotation")
	want[any](m.Annotations["x-opt-added"], int64(7), "an added annotation")
}

func outcomeRejected(e *env) {
	e.put("bad", "good")
	s := e.session()
	l := e.receiver(s, nil)
	must(l.RejectMessage(e.ctx, e.receive(l), &amqp.Error{Condition: "x:bad", Description: "cannot read it"}), "reject")
	e.take(l, "good")
	must(l.Close(e.ctx), "detach")
	e.empty()
}

func redeliveryCount(e *env) {
	e.put("a")
	s := e.session()
	for n := range uint32(4) {
		l := e.receiver(s, nil)
		m := e.receive(l)
		want(header(m).DeliveryCount, n, "delivery-count")
		must(l.ModifyMessage(e.ctx, m, &amqp.ModifyMessageOptions{DeliveryFailed: true}), "modify")
		must(l.Close(e.ctx), "detach")
	}
	e.take(e.receiver(s, nil), "a")
}

// An expired message never comes, wherever in the queue it is.
func ttlExpires(e *env) {
	const ttl = 300 * time.Millisecond
	l := e.sender(e.session(), nil)
	for _, m := range []struct {
		text string
		ttl  time.Duration
	}{{"a", 0}, {"dies", ttl}, {"b", time.Hour}, {"dies too", ttl}, {"c", 0}} {
		e.send(l, &amqp.Message{Header: &amqp.MessageHeader{TTL: m.ttl}, Data: [][]byte{[]byte(m.text)}})
	}
	time.Sleep(ttl + 50*time.Millisecond)
	r := e.receiver(e.session(), credit(10))
	e.take(r, "a")
	e.take(r, "b")
	e.take(r, "c")
	e.nothing(r)
}

// The ttl that is sent on is what remains.
func ttlShrinks(e *env) {
	const ttl = 20 * time.Second
	const waited = 50 * time.Millisecond
	l := e.sender(e.session(), nil)
	e.send(l, &amqp.Message{Header: &amqp.MessageHeader{TTL: ttl}, Data: [][]byte{[]byte("a")}})
	time.Sleep(waited)
	m := e.take(e.receiver(e.session(), nil), "a")
	if left := header(m).TTL; left <= 0 || left > ttl-waited {
		fail("ttl: got %v after %v of %v", left, waited, ttl)
	}
}

func presettledSend(e *env) {
	l := e.sender(e.session(), &amqp.SenderOptions{SettlementMode: amqp.SenderSettleModeSettled.Ptr()})
	texts := numbered(100)
	for _, t := range texts {
		e.send(l, amqp.NewMessage([]byte(t)))
	}
	r := e.receiver(e.session(), credit(10))
	for _, t := range texts {
		e.take(r, t)
	}
}

func presettledReceive(e *env) {
	texts := numbered(20)
	e.put(texts...)
	s := e.session()
	l := e.receiver(s, &amqp.ReceiverOptions{Credit: 10, RequestedSenderSettleMode: amqp.SenderSettleModeSettled.Ptr()})
	for _, t := range texts {
		want(string(e.receive(l).GetData()), t, "the next message")
	}
	must(l.Close(e.ctx), "detach")
	e.empty()
}

// With rcv-settle-mode second AcceptMessage returns only when the broker has
// settled too [amqp-transport 2.6.12].
func settleSecond(e *env) {
	e.put("a", "b", "c")
	s := e.session()
	l := e.receiver(s, &amqp.ReceiverOptions{Credit: 10, SettlementMode: amqp.ReceiverSettleModeSecond.Ptr()})
	e.take(l, "a")
	must(l.ReleaseMessage(e.ctx, e.receive(l)), "release")
	must(l.Close(e.ctx), "detach")
	l = e.receiver(s, credit(10))
	e.take(l, "b")
	e.take(l, "c")
}

func large(e *env) {
	body := bytes.Repeat([]byte("0123456789abcdef"), 10<<20/16)
	l := e.sender(e.session(), nil)
	r := e.receiver(e.session(), nil)
	for range 2 {
		e.send(l, amqp.NewMessage(body))
		m := e.receive(r)
		wantBytes(m.GetData(), body, "a body of 10 MiB")
		must(r.AcceptMessage(e.ctx, m), "accept")
	}
}

// smallFrames: the smallest frames that a peer may ask for [amqp-transport 2.7.1].
func smallFrames(e *env) {
	body := bytes.Repeat([]byte("x"), 100_000)
	s := e.sessionOn(e.connect(&amqp.ConnOptions{MaxFrameSize: 512}))
	e.send(e.sender(s, nil), amqp.NewMessage(body))
	r := e.receiver(s, nil)
	m := e.receive(r)
	wantBytes(m.GetData(), body, "a body in frames of 512 bytes")
	must(r.AcceptMessage(e.ctx, m), "accept")
}
