package main

import (
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// wire is a connection from n1 to n2 through a network, both of its ends.
type wire struct {
	*proxies
	dialled, accepted net.Conn
}

func newWire(t *testing.T) *wire {
	t.Helper()
	n := newProxies(func(int) string { return "n1" })
	t.Cleanup(func() { require.NoError(t, n.close()) })
	real, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { real.Close() })
	address, err := n.publish("n2", real.Addr().String())
	require.NoError(t, err)
	w := &wire{proxies: n}
	w.dialled, err = net.Dial("tcp", address)
	require.NoError(t, err)
	w.accepted, err = real.Accept()
	require.NoError(t, err)
	for _, c := range []net.Conn{w.dialled, w.accepted} {
		t.Cleanup(func() { c.Close() })
		require.NoError(t, c.SetDeadline(time.Now().Add(20*time.Second)))
	}
	return w
}

// come reads what must come.
func come(t *testing.T, c net.Conn, want string) {
	t.Helper()
	got := make([]byte, len(want))
	_, err := io.ReadFull(c, got)
	require.NoError(t, err)
	require.Equal(t, want, string(got))
}

// silent: nothing comes for a moment, not even an end.
func silent(t *testing.T, c net.Conn) {
	t.Helper()
	require.NoError(t, c.SetReadDeadline(time.Now().Add(50*time.Millisecond)))
	_, err := c.Read(make([]byte, 1))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.NoError(t, c.SetReadDeadline(time.Now().Add(20*time.Second)))
}

func say(t *testing.T, c net.Conn, what string) {
	t.Helper()
	_, err := c.Write([]byte(what))
	require.NoError(t, err)
}

func TestAShutGateHoldsOneDirectionBack(t *testing.T) {
	w := newWire(t)
	w.gate(direction{"n1", "n2"}).shut()
	say(t, w.dialled, "there")
	silent(t, w.accepted)
	say(t, w.accepted, "back")
	come(t, w.dialled, "back")
	require.NoError(t, w.heal())
	come(t, w.accepted, "there")
}

func TestAnEndIsHeldBackToo(t *testing.T) {
	w := newWire(t)
	w.gate(direction{"n1", "n2"}).shut()
	say(t, w.dialled, "last words")
	require.NoError(t, w.dialled.Close())
	silent(t, w.accepted)
	require.NoError(t, w.heal())
	come(t, w.accepted, "last words")
	_, err := w.accepted.Read(make([]byte, 1))
	require.Error(t, err)
	require.NotErrorIs(t, err, os.ErrDeadlineExceeded)
}

func TestNoConnectionIsMadeThroughAShutGate(t *testing.T) {
	w := newWire(t)
	w.gate(direction{"n2", "n1"}).shut() // an answer could not come
	late, err := net.Dial("tcp", w.listeners["n2"].Addr().String())
	require.NoError(t, err, "the network takes the call, and is silent")
	defer late.Close()
	silent(t, late)
	require.Len(t, w.carried, 1, "the one that was there before")
	require.NoError(t, w.heal())
	require.Eventually(t, func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return len(w.carried) == 2
	}, 20*time.Second, time.Millisecond)
}

func TestResetEndsConnectionsAtOnce(t *testing.T) {
	w := newWire(t)
	say(t, w.dialled, "one") // the proxy has both ends by now
	come(t, w.accepted, "one")
	w.gate(direction{"n1", "n2"}).shut()
	w.reset("n2", "n1")
	for _, c := range []net.Conn{w.dialled, w.accepted} {
		_, err := c.Read(make([]byte, 1))
		require.Error(t, err)
		require.NotErrorIs(t, err, os.ErrDeadlineExceeded)
	}
}

func TestASlowGateDelaysEverythingAlike(t *testing.T) {
	const delay = 100 * time.Millisecond
	w := newWire(t)
	w.gate(direction{"n1", "n2"}).slow(delay)
	start := time.Now()
	say(t, w.dialled, "one")
	come(t, w.accepted, "one")
	require.GreaterOrEqual(t, time.Since(start), delay)
	start = time.Now()
	say(t, w.accepted, "two")
	come(t, w.dialled, "two")
	require.Less(t, time.Since(start), delay, "the other direction is quick")
}

func TestWhoDialledIsAskedOfTheKernel(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	defer c.Close()
	port := c.LocalAddr().(*net.TCPAddr).Port
	require.True(t, ownsPort(os.Getpid(), port))
	require.False(t, ownsPort(os.Getppid(), port), "another process of the same network")
	require.False(t, ownsPort(1<<30, port), "there is no such process")
	require.NoError(t, c.Close())
	require.False(t, ownsPort(os.Getpid(), port))
}
