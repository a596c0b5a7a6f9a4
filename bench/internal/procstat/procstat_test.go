package procstat

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestCPUTimeOfAStatLine(t *testing.T) {
	// The command's name holds a parenthesis and spaces: fields count from the last ")".
	line := "42 (a b) c) S 1 42 42 0 -1 4194560 100 0 0 0 150 25 0 0 20 0 1 0 100 0 0"
	got, err := cpuTime([]byte(line))
	require.NoError(t, err)
	require.Equal(t, 1750*time.Millisecond, got)

	for _, bad := range []string{"", "42", "42 (a) S 1", "42 (a) S 1 42 42 0 -1 1 1 0 0 0 x 25 0"} {
		_, err := cpuTime([]byte(bad))
		require.Error(t, err, "%q", bad)
	}
}

func TestUsageOfOneself(t *testing.T) {
	machineBefore, err := MachineCPU()
	require.NoError(t, err)
	before, err := Of([]int{os.Getpid()})
	require.NoError(t, err)
	require.Greater(t, before.RSSBytes, uint64(1<<20))
	require.GreaterOrEqual(t, before.PeakRSSBytes, before.RSSBytes)

	for start := time.Now(); time.Since(start) < 50*time.Millisecond; {
	}
	after, err := Of([]int{os.Getpid()})
	require.NoError(t, err)
	require.Positive(t, after.Since(before).CPU, "50 ms of spinning are several ticks")
	machineAfter, err := MachineCPU()
	require.NoError(t, err)
	require.Positive(t, machineAfter-machineBefore)
}

func TestAProcessThatIsGoneIsAnError(t *testing.T) {
	cmd := exec.Command("true")
	require.NoError(t, cmd.Run())
	_, err := Of([]int{os.Getpid(), cmd.Process.Pid})
	require.Error(t, err)
}

func TestTreeHoldsGrandchildren(t *testing.T) {
	cmd := exec.Command("sh", "-c", "sh -c 'cat; :'; :")
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	require.Eventually(t, func() bool { return len(Tree(cmd.Process.Pid)) == 3 },
		10*time.Second, 5*time.Millisecond, "sh, sh and cat")
	require.NoError(t, stdin.Close())
	require.NoError(t, cmd.Wait())
}

func TestDiskBytesCountsBlocks(t *testing.T) {
	dir := t.TempDir()
	empty, err := DiskBytes(dir)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a"), make([]byte, 1<<20), 0o600))
	full, err := DiskBytes(dir)
	require.NoError(t, err)
	require.InDelta(t, 1<<20, full-empty, 64<<10)

	gone, err := DiskBytes(filepath.Join(dir, "nothing"))
	require.NoError(t, err)
	require.Zero(t, gone)
}

func TestFsyncMedian(t *testing.T) {
	d, err := FsyncMedian(t.TempDir(), 8)
	require.NoError(t, err)
	require.Positive(t, d)
}

func TestDeviceWritten(t *testing.T) {
	dir := t.TempDir()
	before, err := DeviceWritten(dir)
	if err != nil {
		t.Skipf("not on a block device: %v", err)
	}
	file, err := os.Create(filepath.Join(dir, "a"))
	require.NoError(t, err)
	_, err = file.Write(make([]byte, 1<<20))
	require.NoError(t, err)
	require.NoError(t, file.Sync())
	require.NoError(t, file.Close())
	after, err := DeviceWritten(dir)
	require.NoError(t, err)
	require.GreaterOrEqual(t, after-before, uint64(1<<20), "what is synced is on the device")
}
