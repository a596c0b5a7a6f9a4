package peer

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"entrepot/bench/internal/load"
	"entrepot/bench/internal/load/natsjs"
	"entrepot/broker/brokerproc"
)

// NATS is one NATS server with JetStream on files.
type NATS struct {
	name         string
	syncInterval string // "always", or a duration: the server's default is 2m
	dir          string
	program      string
	hostPort     string
	process      *process
}

// NewNATS describes a server that keeps everything under dir.
func NewNATS(name, syncInterval, dir string) *NATS {
	return &NATS{name: name, syncInterval: syncInterval, dir: dir}
}

// Name is the peer's name.
func (n *NATS) Name() string { return n.name }

// Install finds nats-server on PATH, or where go install puts it.
func (n *NATS) Install(ctx context.Context) (string, error) {
	program, err := goTool(ctx, "nats-server")
	if err != nil {
		return "", fmt.Errorf("nats-server: %w (go install github.com/nats-io/nats-server/v2@v2.15.2)", ErrNotInstalled)
	}
	n.program = program
	out, err := exec.CommandContext(ctx, program, "--version").Output()
	if err != nil {
		return "", fmt.Errorf("nats-server --version: %w", err)
	}
	version := strings.TrimSpace(string(out))
	return strings.TrimPrefix(version, "nats-server: ") + ", sync_interval " + n.syncInterval, nil
}

// goTool finds a program on PATH, or in GOBIN or GOPATH/bin.
func goTool(ctx context.Context, name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	out, err := exec.CommandContext(ctx, "go", "env", "GOBIN", "GOPATH").Output()
	if err != nil {
		return "", err
	}
	gobin, gopath, _ := strings.Cut(string(out), "\n")
	if gobin == "" {
		gobin = filepath.Join(strings.TrimSpace(gopath), "bin")
	}
	return exec.LookPath(filepath.Join(gobin, name))
}

// DataDir is where the streams are.
func (n *NATS) DataDir() string { return filepath.Join(n.dir, "store") }

// LogFile is the server's.
func (n *NATS) LogFile() string { return filepath.Join(n.dir, "log") }

// Start launches a server without streams.
func (n *NATS) Start(ctx context.Context) error {
	if err := emptyDir(n.dir); err != nil {
		return err
	}
	hostPort, err := brokerproc.FreeAddress()
	if err != nil {
		return err
	}
	n.hostPort = hostPort
	config := fmt.Sprintf(`server_name: bench
listen: %q
max_connections: 100000
jetstream { store_dir: %q, sync_interval: %q, max_mem: 1G, max_file: 100G }
`, hostPort, n.DataDir(), n.syncInterval)
	if err := os.WriteFile(n.configPath(), []byte(config), 0o600); err != nil {
		return err
	}
	if err := n.Launch(ctx); err != nil {
		return err
	}
	return n.process.waitPort(ctx, n.hostPort)
}

func (n *NATS) configPath() string { return filepath.Join(n.dir, "nats.conf") }

// Launch starts the server over what is stored.
func (n *NATS) Launch(context.Context) (err error) {
	n.process, err = startProcess(exec.Command(n.program, "-c", n.configPath()), n.LogFile())
	return err
}

// Kill is SIGKILL.
func (n *NATS) Kill() { n.process.kill() }

// Stop is Kill.
func (n *NATS) Stop() error {
	n.Kill()
	return nil
}

// Wipe removes the streams, the configuration and the log.
func (n *NATS) Wipe() error { return os.RemoveAll(n.dir) }

// PIDs is the one process.
func (n *NATS) PIDs() []int { return []int{n.process.pid()} }

// Declare makes a stream per queue.
func (n *NATS) Declare(ctx context.Context, queues []string) error {
	return n.client().Declare(ctx, queues, declarers)
}

// NeedsDeclare is true: publishing without a stream is an error.
func (n *NATS) NeedsDeclare() bool { return true }

// Client is nats.go; there is no AMQP.
func (n *NATS) Client(kind ClientKind) (load.Client, error) {
	if kind != Fastest {
		return nil, fmt.Errorf("%s: AMQP: %w", n.name, load.ErrUnsupported)
	}
	return n.client(), nil
}

func (n *NATS) client() *natsjs.Client { return &natsjs.Client{URL: "nats://" + n.hostPort} }
