package sim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"time"

	"github.com/Azure/go-amqp"
)

// client is one AMQP connection from a host of its own.
type client struct {
	socket  net.Conn
	conn    *amqp.Conn
	session *amqp.Session
}

// dialTime is how long a client tries to connect before it looks for another node.
const dialTime = 5 * time.Second

func (w *world) connect(ctx context.Context, m *machine) (*client, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	host := fmt.Sprintf("c%d", w.hosts.next())
	socket, err := w.net.Dialer(host)(ctx, w.address(m))
	if err != nil {
		return nil, err
	}
	conn, err := amqp.NewConn(ctx, socket, &amqp.ConnOptions{
		ContainerID: host, HostName: m.id, IdleTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second,
	})
	if err != nil {
		_ = socket.Close()
		return nil, err
	}
	session, err := conn.NewSession(ctx, nil)
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return &client{socket, conn, session}, nil
}

// leave ends the connection politely, vanish by its loss.
func (c *client) leave() { _ = c.conn.Close() }

func (c *client) vanish() {
	_ = c.socket.Close()
	_ = c.conn.Close()
}

// end is one of the two.
func (c *client) end(r *rand.Rand) {
	if r.IntN(3) == 0 {
		c.vanish()
	} else {
		c.leave()
	}
}
