package memnet

import (
	"bytes"
	"context"
	"crypto/rand"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// in gives a network, and a connection from x to y.
func in(t *testing.T, prepare func(n *Network), f func(t *testing.T, n *Network, x, y net.Conn)) {
	synctest.Test(t, func(t *testing.T) {
		n := New(1)
		prepare(n)
		l, err := n.Listen("y:1")
		require.NoError(t, err)
		_, err = n.Listen("y:1")
		require.ErrorIs(t, err, syscall.EADDRINUSE)
		x, err := n.Dialer("x")(t.Context(), "y:1")
		require.NoError(t, err)
		y, err := l.Accept()
		require.NoError(t, err)
		require.Equal(t, "y:1", x.RemoteAddr().String())
		require.Equal(t, x.LocalAddr(), y.RemoteAddr())
		f(t, n, x, y)
		_ = x.Close()
		_ = y.Close()
		require.NoError(t, l.Close())
		require.Zero(t, n.Connections(Any))
	})
}

func fast(*Network) {}

func TestBytesComeAsTheyWent(t *testing.T) {
	in(t, fast, func(t *testing.T, n *Network, x, y net.Conn) {
		sent := make([]byte, 3*socketBytes+11)
		_, _ = rand.Read(sent)
		go func() {
			_, err := x.Write(sent)
			require.NoError(t, err)
			require.NoError(t, x.Close())
		}()
		got, err := io.ReadAll(y)
		require.NoError(t, err)
		require.True(t, bytes.Equal(sent, got))
		_, err = y.Write([]byte("x"))
		require.ErrorIs(t, err, syscall.EPIPE)
		_, err = x.Write([]byte("x"))
		require.ErrorIs(t, err, net.ErrClosed)
	})
}

func TestLatencyAndBandwidth(t *testing.T) {
	in(t, func(n *Network) {
		n.SetLink("x", "y", Link{Latency: 30 * time.Millisecond, BytesPerSecond: 1000})
		n.SetLink(Any, "x", Link{Latency: 5 * time.Millisecond})
	}, func(t *testing.T, n *Network, x, y net.Conn) {
		began := time.Now()
		for range 2 {
			_, err := x.Write(make([]byte, 100))
			require.NoError(t, err)
		}
		_, err := io.ReadFull(y, make([]byte, 200))
		require.NoError(t, err)
		require.Equal(t, 230*time.Millisecond, time.Since(began))
		began = time.Now()
		_, err = y.Write([]byte("a"))
		require.NoError(t, err)
		_, err = io.ReadFull(x, make([]byte, 1))
		require.NoError(t, err)
		require.Equal(t, 5*time.Millisecond, time.Since(began))
	})
}

// One way is held back, the other one is not; nothing is lost.
func TestBlock(t *testing.T) {
	in(t, fast, func(t *testing.T, n *Network, x, y net.Conn) {
		n.Block("x", "y")
		_, err := x.Write([]byte("late"))
		require.NoError(t, err)
		_, err = y.Write([]byte("now"))
		require.NoError(t, err)
		b := make([]byte, 10)
		k, err := x.Read(b)
		require.NoError(t, err)
		require.Equal(t, "now", string(b[:k]))
		require.NoError(t, y.SetReadDeadline(time.Now().Add(time.Hour)))
		_, err = y.Read(b)
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.NoError(t, y.SetReadDeadline(time.Time{}))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = n.Dialer("y")(ctx, "x:1")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		n.Unblock("x", "y")
		k, err = y.Read(b)
		require.NoError(t, err)
		require.Equal(t, "late", string(b[:k]))
		_, err = n.Dialer("y")(t.Context(), "x:1")
		require.ErrorIs(t, err, syscall.ECONNREFUSED)
	})
}

func TestCutAndCrash(t *testing.T) {
	for name, end := range map[string]func(n *Network){
		"cut":   func(n *Network) { n.Cut("y", "x") },
		"crash": func(n *Network) { n.Crash("y") },
		"crash behind a partition": func(n *Network) {
			n.Partition([]string{"x"}, []string{"y"})
			n.Crash("y")
			n.Heal()
		},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, fast, func(t *testing.T, n *Network, x, y net.Conn) {
				waited := make(chan error)
				go func() {
					_, err := y.Read(make([]byte, 1))
					waited <- err
				}()
				synctest.Wait()
				end(n)
				require.ErrorIs(t, <-waited, syscall.ECONNRESET)
				_, err := x.Read(make([]byte, 1))
				require.ErrorIs(t, err, syscall.ECONNRESET)
				_, err = x.Write([]byte("x"))
				require.Error(t, err)
				if strings.HasPrefix(name, "crash") {
					l, err := n.Listen("y:1")
					require.NoError(t, err)
					require.NoError(t, l.Close())
				}
			})
		})
	}
}

// What nobody reads stops the writer, until its deadline.
func TestWriteWaits(t *testing.T) {
	in(t, fast, func(t *testing.T, n *Network, x, y net.Conn) {
		require.NoError(t, x.SetDeadline(time.Now().Add(time.Second)))
		k, err := x.Write(make([]byte, 2*socketBytes))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.Equal(t, socketBytes, k)
	})
}
