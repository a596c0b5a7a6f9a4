package peer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// process is a child that runs as a daemon would: in a process group of its own,
// with its output in a file.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has been waited for
}

// startProcess starts cmd with its output appended to logPath.
func startProcess(cmd *exec.Cmd, logPath string) (*process, error) {
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }() // the child has its own descriptor
	cmd.Stdout, cmd.Stderr = log, log
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, done: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // how it ended is in its log
		close(p.done)
	}()
	return p, nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// kill ends the whole group with SIGKILL.
func (p *process) kill() {
	_ = syscall.Kill(-p.pid(), syscall.SIGKILL) // an error: it is gone already
	<-p.done
}

// waitPort returns when hostPort takes connections; an error if the process ends
// before, or ctx.
func (p *process) waitPort(ctx context.Context, hostPort string) error {
	poll := time.NewTicker(2 * time.Millisecond)
	defer poll.Stop()
	for {
		conn, err := net.Dial("tcp", hostPort)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-p.done:
			return errors.New("the process ended before its port opened")
		case <-ctx.Done():
			return fmt.Errorf("port %s: %w", hostPort, ctx.Err())
		case <-poll.C:
		}
	}
}
