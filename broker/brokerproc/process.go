// Package brokerproc runs a real entrepot process for the suites that look at
// the broker from outside: make interop, make crash and the hostile-input
// suite. It builds the binary, starts it on free loopback ports, waits until it
// is ready, reads what it says of itself, and ends it in a clean or an unclean
// way. It knows only what an operator knows: flags, HTTP, signals, /proc.
package brokerproc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// Options say how a broker is started. Binary and DataDir are needed; the
// addresses default to free ports of the loopback.
type Options struct {
	Binary     string // path of the entrepot binary, see Build
	DataDir    string
	AMQP, HTTP string // HOST:PORT
	Durability string // "fsync", "os"; empty: the broker's default
	Config     string // contents of the configuration file; empty: none
	// AMQPInConfig: Config itself listens on AMQP, with settings that no flag has.
	AMQPInConfig bool
	Flags        []string  // further flags of serve
	Prefix       []string  // a command that runs the broker, such as: ip netns exec n1
	User         string    // who reads metrics and status, if Config has users
	Password     string    // of that user
	Log          io.Writer // the broker's standard output and error; nil: dropped
}

// readyTimeout is how long Start waits for /readyz. It is long, because the
// machine may be busy: a caller that promises a time measures it itself.
const readyTimeout = 60 * time.Second

// Process is one running broker. Its methods are for one goroutine, but for
// Done, PID and the readers of state, which any may call.
type Process struct {
	Options
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended
	err  error         // its Wait error; to be read after done
}

// Build compiles ./cmd/entrepot of the module in root into dir, as it is
// shipped (without cgo), and returns the binary's path.
func Build(ctx context.Context, root, dir string) (string, error) {
	binary := filepath.Join(dir, "entrepot")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", binary, "./cmd/entrepot")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build entrepot: %w\n%s", err, out)
	}
	return binary, nil
}

// Start starts a broker and returns when it is ready to serve. On an error
// nothing is left running.
func Start(ctx context.Context, o Options) (*Process, error) {
	p, err := Launch(o)
	if err != nil {
		return nil, err
	}
	if err := p.WaitReady(ctx); err != nil {
		p.Kill()
		return nil, err
	}
	return p, nil
}

// Launch starts a broker and does not wait for it.
func Launch(o Options) (*Process, error) {
	if err := o.fillAddresses(); err != nil {
		return nil, err
	}
	args, err := o.arguments()
	if err != nil {
		return nil, err
	}
	line := slices.Concat(o.Prefix, []string{o.Binary}, args)
	p := &Process{Options: o, cmd: exec.Command(line[0], line[1:]...), done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = o.Log, o.Log
	// The broker must not outlive a suite that is killed, nor get its Ctrl-C.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", o.Binary, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

func (o *Options) fillAddresses() error {
	for _, addr := range []*string{&o.AMQP, &o.HTTP} {
		if *addr != "" {
			continue
		}
		free, err := FreeAddress()
		if err != nil {
			return err
		}
		*addr = free
	}
	return nil
}

// arguments are the command line. The configuration file stands beside the
// data directory, so that it does not look like a part of the store.
func (o *Options) arguments() ([]string, error) {
	args := []string{"serve", "--data", o.DataDir, "--http", o.HTTP}
	if !o.AMQPInConfig {
		args = append(args, "--amqp", o.AMQP)
	}
	if o.Durability != "" {
		args = append(args, "--durability", o.Durability)
	}
	if o.Config != "" {
		path := filepath.Clean(o.DataDir) + ".yaml"
		if err := os.WriteFile(path, []byte(o.Config), 0o600); err != nil {
			return nil, fmt.Errorf("write configuration: %w", err)
		}
		args = append(args, "--config", path)
	}
	return append(args, o.Flags...), nil
}

// WaitReady returns nil as soon as GET /readyz says 200.
func (p *Process) WaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	poll := time.NewTicker(2 * time.Millisecond)
	defer poll.Stop()
	for {
		if p.ready(ctx) {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("the broker ended before it was ready: %w", p.exit())
		case <-ctx.Done():
			return fmt.Errorf("the broker is not ready: %w", ctx.Err())
		case <-poll.C:
		}
	}
}

func (p *Process) ready(ctx context.Context) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.HTTP+"/readyz", nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode == http.StatusOK
}

// Done is closed when the process has ended, for whatever reason.
func (p *Process) Done() <-chan struct{} { return p.done }

// PID is the process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Kill ends the process with SIGKILL and returns when it is gone.
func (p *Process) Kill() {
	_ = p.signal(syscall.SIGKILL) // an error means that it is gone
	<-p.done
}

// Pause stops the process where it is (SIGSTOP), until Resume.
func (p *Process) Pause() error { return p.signal(syscall.SIGSTOP) }

// Resume lets a paused process go on (SIGCONT).
func (p *Process) Resume() error { return p.signal(syscall.SIGCONT) }

func (p *Process) signal(s syscall.Signal) error { return p.cmd.Process.Signal(s) }

// Running tells whether the process has not ended.
func (p *Process) Running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// ErrSlowStop says that a broker did not end in time after SIGTERM.
var ErrSlowStop = errors.New("the broker did not end in time after SIGTERM")

// Terminate sends SIGTERM and waits for the end at most limit, then kills.
// nil means that the process exited by itself, in time, with code 0.
func (p *Process) Terminate(limit time.Duration) error {
	_ = p.signal(syscall.SIGTERM)
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-p.done:
		return p.err
	case <-timer.C:
		p.Kill()
		return ErrSlowStop
	}
}

// exit says why a process that is Done has ended. Never nil.
func (p *Process) exit() error {
	if p.err == nil {
		return errors.New("exit code 0")
	}
	return p.err
}
