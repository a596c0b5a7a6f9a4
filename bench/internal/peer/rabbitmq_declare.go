package peer

import (
	"context"
	"errors"
	"fmt"

	amqp "github.com/Azure/go-amqp"

	"entrepot/bench/internal/load"
)

// Declare makes quorum queues through RabbitMQ's management node: requests in the
// manner of HTTP over a pair of links to /management that have one name, one
// connection per declarer.
func (r *RabbitMQ) Declare(ctx context.Context, queues []string) error {
	idle := make(chan *management, declarers)
	defer func() {
		close(idle)
		for m := range idle {
			_ = m.conn.Close()
		}
	}()
	return load.Each(ctx, queues, declarers, func(ctx context.Context, queue string) error {
		m, err := declareOne(ctx, idle, r.nodes[0].hostPort, queue)
		if err == nil {
			idle <- m
		}
		return err
	})
}

// declareOne declares over a connection that it returns. go-amqp grants credit to
// the responses from a goroutine of its own, so the first request of a connection
// may overtake it, and RabbitMQ then ends the session: that one is tried again.
func declareOne(ctx context.Context, idle <-chan *management, hostPort, queue string) (*management, error) {
	const attempts = 50
	for attempt := 1; ; attempt++ {
		m, err := anIdle(ctx, idle, hostPort)
		if err != nil {
			return nil, err
		}
		err = m.declareQuorumQueue(ctx, queue)
		if err == nil {
			return m, nil
		}
		_ = m.conn.Close() // the first error says it all
		var ended *amqp.SessionError
		overtaken := errors.As(err, &ended) && ended.RemoteErr != nil && ended.RemoteErr.Condition == amqp.ErrCondPreconditionFailed
		if !overtaken || attempt == attempts {
			return nil, fmt.Errorf("declare %s: %w", queue, err)
		}
	}
}

// anIdle takes a connection that no other declarer uses, or makes one.
func anIdle(ctx context.Context, idle <-chan *management, hostPort string) (*management, error) {
	select {
	case m := <-idle:
		return m, nil
	default:
		return dialManagement(ctx, hostPort)
	}
}

// management is one pair of links to the management node.
type management struct {
	conn      *amqp.Conn
	requests  *amqp.Sender
	responses *amqp.Receiver
}

const (
	managementAddress = "/management"
	managementCredit  = 100 // responses; far from 0, as go-amqp renews it late
)

func dialManagement(ctx context.Context, hostPort string) (*management, error) {
	conn, err := amqp.Dial(ctx, "amqp://"+hostPort, &amqp.ConnOptions{SASLType: amqp.SASLTypeAnonymous()})
	if err != nil {
		return nil, fmt.Errorf("management: %w", err)
	}
	m, err := attachManagement(ctx, conn)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("management: %w", err), conn.Close())
	}
	return m, nil
}

func attachManagement(ctx context.Context, conn *amqp.Conn) (*management, error) {
	session, err := conn.NewSession(ctx, nil)
	if err != nil {
		return nil, err
	}
	const linkName = "management-link-pair"
	paired := map[string]any{"paired": true}
	// The receiver first: the sender's attach then comes after its credit, without
	// which RabbitMQ refuses requests.
	responses, err := session.NewReceiver(ctx, managementAddress, &amqp.ReceiverOptions{
		Name: linkName, Properties: paired, TargetAddress: managementAddress, Credit: managementCredit,
	})
	if err != nil {
		return nil, err
	}
	requests, err := session.NewSender(ctx, managementAddress, &amqp.SenderOptions{
		Name: linkName, Properties: paired, SourceAddress: managementAddress,
		SettlementMode: amqp.SenderSettleModeSettled.Ptr(),
	})
	if err != nil {
		return nil, err
	}
	return &management{conn, requests, responses}, nil
}

func (m *management) declareQuorumQueue(ctx context.Context, queue string) error {
	_, err := m.call(ctx, "PUT", "/queues/"+queue, quorumQueue)
	return err
}

// quorumQueue is a declaration.
var quorumQueue = map[string]any{
	"durable":   true,
	"arguments": map[string]any{"x-queue-type": "quorum"},
}

// call makes one request and gives the answer's body.
func (m *management) call(ctx context.Context, method, target string, body any) (any, error) {
	request := &amqp.Message{
		Properties: &amqp.MessageProperties{
			MessageID: target,
			To:        &target,
			Subject:   &method,
			ReplyTo:   new("$me"),
		},
		Value: body,
	}
	if err := m.requests.Send(ctx, request, nil); err != nil {
		return nil, err
	}
	response, err := m.responses.Receive(ctx, nil)
	if err != nil {
		return nil, err
	}
	if err := m.responses.AcceptMessage(ctx, response); err != nil {
		return nil, err
	}
	if status := *response.Properties.Subject; status != "200" && status != "201" {
		return nil, fmt.Errorf("status %s: %v", status, response.Value)
	}
	return response.Value, nil
}

// queueLeader asks a node for the Erlang node that leads a queue, by declaring it
// once more: that answers the same as a GET, whose body must be an AMQP null, which
// go-amqp can't send.
func queueLeader(ctx context.Context, hostPort, queue string) (string, error) {
	const attempts = 50 // see declareOne
	var err error
	for range attempts {
		var m *management
		if m, err = dialManagement(ctx, hostPort); err != nil {
			return "", err
		}
		var info any
		info, err = m.call(ctx, "PUT", "/queues/"+queue, quorumQueue)
		_ = m.conn.Close() // the answer is there
		if err == nil {
			fields, _ := info.(map[string]any)
			leader, _ := fields["leader"].(string)
			return leader, nil
		}
	}
	return "", fmt.Errorf("leader of %s: %w", queue, err)
}
