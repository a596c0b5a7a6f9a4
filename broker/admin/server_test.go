package admin

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"entrepot/broker/config"
)

func options(address string) Options {
	return Options{Address: address, Broker: newFake("a/b"), Users: config.NewAuthenticator(nil), Logger: slog.New(slog.DiscardHandler)}
}

func TestAServerAnswersUntilShutdown(t *testing.T) {
	s, err := Start(options("127.0.0.1:0"))
	require.NoError(t, err)
	response, err := http.Get("http://" + s.Address() + "/api/v1/queues/a%2Fb")
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, response.Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, 200, response.StatusCode)

	_, err = Start(options(s.Address()))
	require.ErrorContains(t, err, "address already in use")

	require.NoError(t, s.Shutdown(context.Background()))
	_, err = net.Dial("tcp", s.Address())
	require.Error(t, err)
}

func TestOffLoopbackWantsUsers(t *testing.T) {
	_, err := Start(options("0.0.0.0:0"))
	require.ErrorContains(t, err, "wants users")
	o := options("0.0.0.0:0")
	o.Users = config.NewAuthenticator([]config.User{{Name: "ann"}})
	s, err := Start(o)
	require.NoError(t, err)
	require.NoError(t, s.Shutdown(context.Background()))
}

// The second of two clients gets in when the first has gone.
func TestConnectionsAreBounded(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	listener := newBounded(inner, 1)
	accepted := make(chan net.Conn)
	go func() {
		defer close(accepted)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			accepted <- conn
		}
	}()
	dial := func() net.Conn {
		conn, err := net.Dial("tcp", inner.Addr().String())
		require.NoError(t, err)
		t.Cleanup(func() { _ = conn.Close() })
		return conn
	}
	dial()
	first := <-accepted
	dial()
	select {
	case <-accepted:
		t.Fatal("a second connection was accepted while the first was open")
	default:
	}
	require.Len(t, listener.slots, 1)
	require.NoError(t, first.Close())
	second := <-accepted
	require.NoError(t, listener.Close())
	require.NoError(t, second.Close())
	require.Error(t, second.Close(), "closing twice gives one slot back")
	_, open := <-accepted
	require.False(t, open)
	require.Empty(t, listener.slots)
}
