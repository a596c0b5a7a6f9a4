package peer

import (
	"context"
	"net"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"entrepot/broker/brokerproc"
)

func start(t *testing.T, name string, args ...string) *process {
	t.Helper()
	p, err := startProcess(exec.Command(name, args...), filepath.Join(t.TempDir(), "log"))
	require.NoError(t, err)
	t.Cleanup(p.kill)
	return p
}

func TestTerminate(t *testing.T) {
	require.NoError(t, start(t, "sleep", "60").terminate(time.Minute))

	deaf := start(t, "sh", "-c", "trap '' TERM; echo deaf; while :; do sleep 1; done")
	log := deaf.cmd.Stdout.(interface{ Name() string }).Name()
	require.Eventually(t, func() bool { return exec.Command("grep", "-q", "deaf", log).Run() == nil },
		10*time.Second, 5*time.Millisecond)
	require.ErrorContains(t, deaf.terminate(10*time.Millisecond), "did not end")
	require.NotPanics(t, deaf.kill, "it is gone already")
}

func TestWaitPort(t *testing.T) {
	address, err := brokerproc.FreeAddress()
	require.NoError(t, err)

	short := start(t, "true")
	require.ErrorContains(t, short.waitPort(t.Context(), address), "ended before")

	long := start(t, "sleep", "60")
	over, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, long.waitPort(over, address), context.DeadlineExceeded)

	listener, err := net.Listen("tcp", address)
	require.NoError(t, err)
	defer func() { _ = listener.Close() }()
	require.NoError(t, long.waitPort(t.Context(), address))
}
