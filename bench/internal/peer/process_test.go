package peer

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"entrepot/bench/internal/procstat"
	"entrepot/broker/brokerproc"
)

func start(t *testing.T, name string, args ...string) *process {
	t.Helper()
	p, err := startProcess(exec.Command(name, args...), filepath.Join(t.TempDir(), "log"))
	require.NoError(t, err)
	t.Cleanup(p.kill)
	return p
}

func TestKillEndsTheWholeGroup(t *testing.T) {
	p := start(t, "sh", "-c", "sleep 60 & sleep 60 & wait")
	require.Eventually(t, func() bool { return len(procstat.Tree(p.pid())) == 3 }, 10*time.Second, 5*time.Millisecond)
	members := procstat.Tree(p.pid())
	p.kill()
	for _, pid := range members[1:] { // orphans are reaped by init, in its own time
		require.Eventually(t, func() bool { return ended(pid) }, 10*time.Second, 5*time.Millisecond)
	}
	require.NotPanics(t, p.kill, "it is gone already")
}

// ended tells that a process is gone or a zombie.
func ended(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || bytes.Contains(stat, []byte(") Z "))
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
