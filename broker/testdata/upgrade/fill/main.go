// Command fill leaves a broker of release 7f96b03 in a state that says something
// about every kind of row: see ../README.md. It is run by ../make.sh, in a work tree
// of that release.
//
//	fill URL first   what is in the store's own rows when it is stopped or killed
//	fill URL second  what is in the log only when it is killed; it never returns,
//	                 because a consumer must be there when the broker dies
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"strings"
	"time"

	"github.com/Azure/go-amqp"
)

func main() {
	ctx := context.Background()
	conn, err := amqp.Dial(ctx, os.Args[1], nil)
	check(err)
	s, err := conn.NewSession(ctx, nil)
	check(err)
	if os.Args[2] == "first" {
		first(ctx, s)
		check(conn.Close())
		return
	}
	second(ctx, s)
	fmt.Println("filled")
	select {}
}

func first(ctx context.Context, s *amqp.Session) {
	send(ctx, s, "telemetry", 0, 300, nil)
	take(ctx, s, "telemetry", 10, accept) // 0..9 are gone
	send(ctx, s, "limited", 0, 3, nil)    // declared by make.sh: five messages, three deliveries
	modified(ctx, s)

	// "Never" is the end of this century: a header's ttl can't say that.
	never := time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
	send(ctx, s, "deadlines", 0, 1, func(m *amqp.Message) {
		m.Properties = &amqp.MessageProperties{AbsoluteExpiryTime: &never}
	})
}

func second(ctx context.Context, s *amqp.Session) {
	send(ctx, s, "telemetry", 300, 310, nil)
	take(ctx, s, "telemetry", 5, accept) // 10..14 are gone
	send(ctx, s, "late", 0, 2, nil)      // a queue that is only in the log
	send(ctx, s, "deadlines", 1, 2, func(m *amqp.Message) {
		m.Header = &amqp.MessageHeader{Durable: true, TTL: 5 * time.Second}
	})
	send(ctx, s, "out", 0, 3, nil)
	// Two of three are with a consumer that has said nothing.
	r, err := s.NewReceiver(ctx, "out", &amqp.ReceiverOptions{Credit: 2})
	check(err)
	for range 2 {
		_, err = r.Receive(ctx, nil)
		check(err)
	}
	time.Sleep(500 * time.Millisecond) // until it is on record that they were given out
}

// modified has one message that was modified with an annotation, one that was
// released, and one that nobody has seen.
func modified(ctx context.Context, s *amqp.Session) {
	send(ctx, s, "returned", 0, 3, nil)
	did := 0
	take(ctx, s, "returned", 2, func(r *amqp.Receiver, m *amqp.Message) error {
		did++
		if did == 2 {
			return r.ReleaseMessage(ctx, m)
		}
		return r.ModifyMessage(ctx, m, &amqp.ModifyMessageOptions{
			DeliveryFailed: true, UndeliverableHere: true, Annotations: amqp.Annotations{"x-opt-why": "tried"},
		})
	})
}

func accept(r *amqp.Receiver, m *amqp.Message) error { return r.AcceptMessage(context.Background(), m) }

// send sends the messages from..to-1 of an address.
func send(ctx context.Context, s *amqp.Session, address string, from, to int, edit func(*amqp.Message)) {
	sender, err := s.NewSender(ctx, address, nil)
	check(err)
	for i := from; i < to; i++ {
		m := amqp.NewMessage([]byte(fmt.Sprintf("%s %d %s", address, i, strings.Repeat(".", 200))))
		m.ApplicationProperties = map[string]any{"n": int64(i)}
		if edit != nil {
			edit(m)
		}
		check(sender.Send(ctx, m, nil))
	}
	check(sender.Close(ctx))
}

// take receives n messages of an address and does something with each.
func take(ctx context.Context, s *amqp.Session, address string, n int, do func(*amqp.Receiver, *amqp.Message) error) {
	r, err := s.NewReceiver(ctx, address, &amqp.ReceiverOptions{Credit: int32(n)})
	check(err)
	for range n {
		m, err := r.Receive(ctx, nil)
		check(err)
		check(do(r, m))
	}
	check(r.Close(ctx))
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
