package main

import (
	"context"

	"github.com/Azure/go-amqp"
)

// fill puts a backlog into a queue, as a correct client.
func fill(ctx context.Context, addr, queue string, count, size int) error {
	conn, err := amqp.Dial(ctx, "amqp://"+addr, &amqp.ConnOptions{SASLType: amqp.SASLTypeAnonymous()})
	if err != nil {
		return err
	}
	defer conn.Close()
	session, err := conn.NewSession(ctx, nil)
	if err != nil {
		return err
	}
	sender, err := session.NewSender(ctx, queue, nil)
	if err != nil {
		return err
	}
	body := make([]byte, size)
	for range count {
		if err := sender.Send(ctx, amqp.NewMessage(body), nil); err != nil {
			return err
		}
	}
	return nil
}
