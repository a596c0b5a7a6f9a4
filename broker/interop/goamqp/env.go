package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"time"

	"github.com/Azure/go-amqp"
)

// env is what a test works with: a broker, a queue of its own, and short ways
// to say what clients do. Every failure ends the test.
type env struct {
	config
	ctx     context.Context
	queue   string
	closers []func()
}

const (
	// soon is how long a message that must come may take.
	soon = 10 * time.Second
	// quiet is how long a message that must not come is waited for.
	quiet = 300 * time.Millisecond
)

func (e *env) close() {
	for i := len(e.closers) - 1; i >= 0; i-- {
		e.closers[i]()
	}
}

// connect opens a connection, closed at the end of the test.
func (e *env) connect(opts *amqp.ConnOptions) *amqp.Conn {
	conn, err := amqp.Dial(e.ctx, "amqp://"+e.Addr, withAnonymous(opts))
	must(err, "connect")
	e.closers = append(e.closers, func() { conn.Close() })
	return conn
}

func withAnonymous(opts *amqp.ConnOptions) *amqp.ConnOptions {
	if opts == nil {
		opts = &amqp.ConnOptions{}
	}
	if opts.SASLType == nil {
		opts.SASLType = amqp.SASLTypeAnonymous()
	}
	return opts
}

// session is a session on a connection of its own.
func (e *env) session() *amqp.Session { return e.sessionOn(e.connect(nil)) }

func (e *env) sessionOn(conn *amqp.Conn) *amqp.Session {
	s, err := conn.NewSession(e.ctx, nil)
	must(err, "begin")
	return s
}

// cuttable is a session whose connection can be torn off without a word.
func (e *env) cuttable() (s *amqp.Session, cut func()) {
	socket, err := net.Dial("tcp", e.Addr)
	must(err, "connect")
	conn, err := amqp.NewConn(e.ctx, socket, withAnonymous(nil))
	must(err, "open")
	e.closers = append(e.closers, func() { conn.Close() })
	return e.sessionOn(conn), func() { socket.Close() }
}

func (e *env) sender(s *amqp.Session, opts *amqp.SenderOptions) *amqp.Sender {
	l, err := s.NewSender(e.ctx, e.queue, opts)
	must(err, "attach a sender")
	return l
}

func (e *env) receiver(s *amqp.Session, opts *amqp.ReceiverOptions) *amqp.Receiver {
	l, err := s.NewReceiver(e.ctx, e.queue, opts)
	must(err, "attach a receiver")
	return l
}

// credit are the options of a plain receiver.
func credit(n int32) *amqp.ReceiverOptions { return &amqp.ReceiverOptions{Credit: n} }

func (e *env) send(l *amqp.Sender, m *amqp.Message) {
	must(l.Send(e.ctx, m, nil), "send")
}

// put sends text messages over a connection of its own.
func (e *env) put(texts ...string) {
	l := e.sender(e.session(), nil)
	for _, t := range texts {
		e.send(l, amqp.NewMessage([]byte(t)))
	}
}

// receive returns the next message, which must come.
func (e *env) receive(l *amqp.Receiver) *amqp.Message {
	ctx, cancel := context.WithTimeout(e.ctx, soon)
	defer cancel()
	m, err := l.Receive(ctx, nil)
	must(err, "receive")
	return m
}

// take receives the message with this text and accepts it.
func (e *env) take(l *amqp.Receiver, text string) *amqp.Message {
	m := e.receive(l)
	want(string(m.GetData()), text, "the next message")
	must(l.AcceptMessage(e.ctx, m), "accept")
	return m
}

// nothing checks that no message comes.
func (e *env) nothing(l *amqp.Receiver) {
	ctx, cancel := context.WithTimeout(e.ctx, quiet)
	defer cancel()
	m, err := l.Receive(ctx, nil)
	if err == nil {
		fail("%q came, but nothing should", m.GetData())
	}
	if !isTimeout(err) {
		must(err, "receive")
	}
}

// empty checks that the queue has nothing for a new consumer.
func (e *env) empty() {
	s := e.session()
	l := e.receiver(s, credit(10))
	e.nothing(l)
	must(l.Close(e.ctx), "detach")
}

// header is a message's header, which a broker need not send if it says nothing.
func header(m *amqp.Message) amqp.MessageHeader {
	if m.Header == nil {
		return amqp.MessageHeader{Priority: 4}
	}
	return *m.Header
}

func numbered(n int) []string {
	texts := make([]string, n)
	for i := range texts {
		texts[i] = fmt.Sprintf("m%d", i)
	}
	return texts
}

func wantBytes(got, want []byte, what string) {
	if !bytes.Equal(got, want) {
		fail("%s: got %d bytes, want %d, and they differ", what, len(got), len(want))
	}
}
