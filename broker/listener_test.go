package broker

import (
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// A client whose machine is gone is found out though it may have no idle time-out,
// and a small frame never waits for the one before it to be acknowledged.
func TestSocketsHaveKeepAliveAndNoDelay(t *testing.T) {
	b := startBroker(t, testConfig(t.TempDir()))
	openPeer(t, b, "c")
	c := connOf(t, b, "c")
	require.NoError(t, c.socket.raw.Control(func(fd uintptr) {
		for _, option := range [][2]int{{syscall.SOL_SOCKET, syscall.SO_KEEPALIVE}, {syscall.IPPROTO_TCP, syscall.TCP_NODELAY}} {
			on, err := syscall.GetsockoptInt(int(fd), option[0], option[1])
			require.NoError(t, err)
			require.NotZero(t, on)
		}
	}))
}
