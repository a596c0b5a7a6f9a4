package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// relaxedRole has a copy of this test binary, started by the test, play the broker.
const relaxedRole = "TEST_RELAXED_TIMERS"

// A process that relaxes its timers goes on once, as the same process with the same
// arguments and surroundings, and with the slack. If somebody has set one, it stays.
func TestRelaxTimers(t *testing.T) {
	if role := os.Getenv(relaxedRole); role != "" {
		if role == "set" {
			runtime.LockOSThread()
			_, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_SET_TIMERSLACK, 70_000, 0)
			require.Zero(t, errno)
		}
		relaxTimers()
		_, marked := os.LookupEnv(relaxedEnv)
		fmt.Printf("pid %d slack %d args %d marked %v\n", os.Getpid(), timerSlack(), len(os.Args), marked)
		return
	}
	if slack := timerSlack(); slack != kernelSlackNanos {
		t.Skipf("the timer slack here is %d ns", slack)
	}
	self, err := os.Executable()
	require.NoError(t, err)
	for _, c := range []struct {
		role, mark string
		slack      int
		why        string
	}{
		{"plain", "", timerSlackNanos, "it is started as usual"},
		{"plain", "1", timerSlackNanos, "the mark is that of another process, its parent for one"},
		{"set", "", 70_000, "somebody has set one"},
	} {
		cmd := exec.Command(self, "-test.run=^TestRelaxTimers$", "-test.v")
		cmd.Env = append(os.Environ(), relaxedRole+"="+c.role)
		if c.mark != "" {
			cmd.Env = append(cmd.Env, relaxedEnv+"="+c.mark)
		}
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		require.NoError(t, err, c.why)
		require.Contains(t, string(out), fmt.Sprintf("pid %d slack %d args 3 marked false\n", cmd.Process.Pid, c.slack), c.why)
	}
}
