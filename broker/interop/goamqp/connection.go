package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/Azure/go-amqp"
)

// connectionTests are about links, sessions and connections.
func connectionTests() []test {
	return []test{
		{"link-stealing", linkStealing},
		{"many-links", manyLinks},
		{"many-sessions", manySessions},
		{"reattach", reattach},
	}
}

// authTests need a broker with users and an idle time-out of one second.
func authTests() []test {
	return []test{
		{"sasl-plain-good", saslGood},
		{"sasl-plain-bad", saslBad},
		{"sasl-anonymous-refused", saslAnonymousRefused},
		{"idle-timeout", idleTimeout},
	}
}

// condition finds the AMQP condition in an error of go-amqp.
func condition(err error) amqp.ErrCond {
	var remote *amqp.Error
	if errors.As(err, &remote) {
		return remote.Condition
	}
	return ""
}

// A link is known by its name and the container's: who attaches it anew takes it
// over [amqp-transport 2.6.1], and the old one is told so. The old one's end and
// the new one's beginning race in the broker, so this is done often.
func linkStealing(e *env) {
	for round := range 50 {
		name := fmt.Sprint("stolen-", round)
		old, thief := e.attachAs(name), e.attachAs(name)
		ctx, cancel := context.WithTimeout(e.ctx, soon)
		_, err := old.Receive(ctx, nil)
		cancel()
		want(condition(err), amqp.ErrCondStolen, fmt.Sprintf("the end of the old link (%v)", err))
		text := fmt.Sprint("for thief ", round)
		e.put(text)
		e.take(thief, text)
		must(thief.Close(e.ctx), "detach")
	}
}

// attachAs attaches a receiver over a connection of its own, by the name of a
// container and a link.
func (e *env) attachAs(name string) *amqp.Receiver {
	conn := e.connect(&amqp.ConnOptions{ContainerID: name})
	return e.receiver(e.sessionOn(conn), &amqp.ReceiverOptions{Name: name, Credit: 1})
}

// One link's refusal ends neither the others nor the session.
func notFound(e *env) {
	s := e.session()
	l := e.sender(s, nil)
	_, err := s.NewReceiver(e.ctx, e.Never, nil)
	want(condition(err), amqp.ErrCondNotFound, fmt.Sprintf("attach a receiver where nothing may be (%v)", err))
	_, err = s.NewSender(e.ctx, e.Never, nil)
	want(condition(err), amqp.ErrCondNotFound, fmt.Sprintf("attach a sender where nothing may be (%v)", err))
	e.send(l, amqp.NewMessage([]byte("a")))
	e.take(e.receiver(s, nil), "a")
}

func manyLinks(e *env) {
	s := e.session()
	queue := e.queue
	const links = 100
	var receivers []*amqp.Receiver
	for i := range links {
		e.queue = fmt.Sprintf("%s.%d", queue, i)
		e.send(e.sender(s, nil), amqp.NewMessage(fmt.Append(nil, "to ", i)))
		receivers = append(receivers, e.receiver(s, nil))
	}
	for i, r := range receivers {
		e.take(r, fmt.Sprint("to ", i))
	}
}

func manySessions(e *env) {
	conn := e.connect(nil)
	for i := range 20 {
		s := e.sessionOn(conn)
		text := fmt.Sprint("by session ", i)
		e.send(e.sender(s, nil), amqp.NewMessage([]byte(text)))
		r := e.receiver(s, nil)
		e.take(r, text)
		must(r.Close(e.ctx), "detach")
		if i%2 == 0 {
			must(s.Close(e.ctx), "end")
		}
	}
}

// A link name can be used again on the same session once it is detached.
func reattach(e *env) {
	s := e.session()
	for i := range 10 {
		l := e.sender(s, &amqp.SenderOptions{Name: "again"})
		e.send(l, amqp.NewMessage(fmt.Append(nil, i)))
		must(l.Close(e.ctx), "detach")
		r := e.receiver(s, &amqp.ReceiverOptions{Name: "again too"})
		e.take(r, fmt.Sprint(i))
		must(r.Close(e.ctx), "detach")
	}
}

// dialAuth connects to the broker that has users.
func (e *env) dialAuth(opts *amqp.ConnOptions) (*amqp.Conn, error) {
	return amqp.Dial(e.ctx, "amqp://"+e.AuthAddr, opts)
}

func saslGood(e *env) {
	conn, err := e.dialAuth(&amqp.ConnOptions{SASLType: amqp.SASLTypePlain(e.User, e.Password)})
	must(err, "connect as a user")
	defer conn.Close()
	s := e.sessionOn(conn)
	e.send(e.sender(s, nil), amqp.NewMessage([]byte("a")))
	e.take(e.receiver(s, nil), "a")
}

func saslBad(e *env) {
	for _, who := range [][2]string{{e.User, "wrong"}, {"nobody", e.Password}, {e.User, ""}, {"", ""}} {
		conn, err := e.dialAuth(&amqp.ConnOptions{SASLType: amqp.SASLTypePlain(who[0], who[1])})
		if err == nil {
			conn.Close()
			fail("user %q with password %q was let in", who[0], who[1])
		}
	}
}

func saslAnonymousRefused(e *env) {
	conn, err := e.dialAuth(withAnonymous(nil))
	if err == nil {
		conn.Close()
		fail("an anonymous client was let in where there are users")
	}
}

// Both sides keep a quiet connection alive with empty frames
// [amqp-transport 2.4.5]: the broker announces one second here, and so do we.
func idleTimeout(e *env) {
	conn, err := e.dialAuth(&amqp.ConnOptions{
		SASLType:    amqp.SASLTypePlain(e.User, e.Password),
		IdleTimeout: time.Second,
	})
	must(err, "connect")
	defer conn.Close()
	s := e.sessionOn(conn)
	select {
	case <-conn.Done():
		fail("the connection ended while it was idle: %v", conn.Err())
	case <-time.After(3 * time.Second):
	}
	e.send(e.sender(s, nil), amqp.NewMessage([]byte("a")))
	e.take(e.receiver(s, nil), "a")
}
