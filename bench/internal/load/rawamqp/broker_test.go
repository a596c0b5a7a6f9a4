package rawamqp

import (
	"bytes"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"entrepot/protocol/amqp"
	"entrepot/protocol/amqp/wire"
)

// memory is a broker in this process, on the same engine in the accepting role: one
// queue of messages, which all links share. It costs as little as a broker can, so
// benchmarks against it show what the client costs.
type memory struct {
	hostPort string
	outcome  wire.StateKind // what it answers to messages
	discard  bool           // keep nothing
	refuse   bool           // refuse all links
	delay    time.Duration  // of each write

	mu       sync.Mutex
	messages [][]byte
	settled  int // deliveries that a receiver has accepted
}

func newMemory(tb testing.TB) *memory {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(tb, err)
	m := &memory{hostPort: listener.Addr().String(), outcome: wire.StateAccepted}
	var connections sync.WaitGroup
	connections.Go(func() {
		for {
			socket, err := listener.Accept()
			if err != nil {
				return
			}
			connections.Go(func() { m.serve(socket) })
		}
	})
	tb.Cleanup(func() {
		_ = listener.Close()
		connections.Wait()
	})
	return m
}

func (m *memory) client() *Client {
	return &Client{HostPort: m.hostPort, Address: func(queue string) string { return queue }}
}

// serve is one connection, until the client closes it.
func (m *memory) serve(socket net.Conn) {
	defer func() { _ = socket.Close() }()
	engine := amqp.NewConn(&amqp.Config{
		Role: amqp.Accepting, ContainerID: "memory",
		SASL: amqp.SASL{Mechanisms: []wire.Symbol{amqp.MechanismAnonymous}},
	}, time.Now())
	var event amqp.Event
	var output []byte
	input := make([]byte, 256<<10)
	for {
		n, err := socket.Read(input)
		if err != nil {
			return
		}
		engine.Receive(input[:n], time.Now())
		for engine.Next(&event) {
			m.handle(engine, &event)
		}
		output = engine.TakeOutput(output)
		<-time.After(m.delay) // a slow broker, not a wait for something
		if _, err := socket.Write(output); err != nil || engine.Done() {
			return
		}
	}
}

func (m *memory) handle(engine *amqp.Conn, event *amqp.Event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	link := event.Link
	switch event.Kind {
	case amqp.EventSASLInit:
		engine.Authenticate(true)
	case amqp.EventOpened:
		engine.Open()
	case amqp.EventLinkAttached:
		if m.refuse {
			link.Refuse(&amqp.Error{Scope: amqp.ScopeLink, Condition: wire.CondNotFound, Description: "no such queue"})
			return
		}
		link.Accept(amqp.AcceptOptions{})
		if !link.Sender() {
			link.GrantTo(1024)
		}
	case amqp.EventDelivery:
		if !m.discard {
			m.messages = append(m.messages, bytes.Clone(event.Delivery.Payload))
		}
		link.Settle(event.Delivery.ID, event.Delivery.ID, wire.DeliveryState{Kind: m.outcome}, true)
		if link.Credit() <= 512 {
			link.GrantTo(1024)
		}
	case amqp.EventLinkFlow:
		for link.Sender() && link.Ready() > 0 && len(m.messages) > 0 {
			_, _ = link.Deliver(&amqp.Outgoing{Body: m.messages[0]}) // Ready said that it may
			m.messages = m.messages[1:]
		}
	case amqp.EventOutcome:
		if event.Outcome.State.Kind == wire.StateAccepted {
			m.settled++
		}
	}
}

// fill puts n messages into the queue.
func (m *memory) fill(n int, message []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for range n {
		m.messages = append(m.messages, message)
	}
}

func (m *memory) state() (waiting, settled int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.messages), m.settled
}
