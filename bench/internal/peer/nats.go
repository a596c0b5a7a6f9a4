package peer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"entrepot/bench/internal/load"
	"entrepot/bench/internal/load/natsjs"
	"entrepot/broker/brokerproc"
)

// NATS is one NATS server with JetStream on files, or a cluster of them with
// streams that have a replica on each.
type NATS struct {
	name         string
	syncInterval string // "always", or a duration: the server's default is 2m
	dir          string
	program      string
	nodes        []natsNode
}

type natsNode struct {
	hostPort string // for clients
	route    string // HOST:PORT for the other nodes
	process  *process
}

var _ Cluster = (*NATS)(nil)

// NewNATS describes a broker of so many servers that keeps everything under dir.
func NewNATS(name, syncInterval string, nodes int, dir string) *NATS {
	return &NATS{name: name, syncInterval: syncInterval, dir: dir, nodes: make([]natsNode, nodes)}
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
	version := strings.TrimPrefix(strings.TrimSpace(string(out)), "nats-server: ")
	return fmt.Sprintf("%s, R%d, sync_interval %s", version, len(n.nodes), n.syncInterval), nil
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

// path is a file of one node.
func (n *NATS) path(node int, name string) string {
	return filepath.Join(n.dir, fmt.Sprintf("%s-%d", name, node))
}

// LogFiles are the servers'.
func (n *NATS) LogFiles() []string {
	var files []string
	for i := range n.nodes {
		files = append(files, n.path(i, "log"))
	}
	return files
}

// Start launches servers without streams.
func (n *NATS) Start(ctx context.Context) error {
	if err := emptyDir(n.dir); err != nil {
		return err
	}
	for i := range n.nodes {
		for _, address := range []*string{&n.nodes[i].hostPort, &n.nodes[i].route} {
			free, err := brokerproc.FreeAddress()
			if err != nil {
				return err
			}
			*address = free
		}
	}
	for i := range n.nodes {
		if err := os.WriteFile(n.path(i, "conf"), []byte(n.config(i)), 0o600); err != nil {
			return err
		}
	}
	if err := n.Launch(ctx); err != nil {
		return err
	}
	for i := range n.nodes {
		if err := n.nodes[i].process.waitPort(ctx, n.nodes[i].hostPort); err != nil {
			return errors.Join(err, n.Stop())
		}
	}
	if err := n.client(0).WaitReady(ctx); err != nil {
		return errors.Join(err, n.Stop())
	}
	return nil
}

func (n *NATS) config(node int) string {
	text := fmt.Sprintf(`server_name: n%d
listen: %q
max_connections: 100000
jetstream { store_dir: %q, sync_interval: %q, max_mem: 1G, max_file: 100G }
`, node, n.nodes[node].hostPort, filepath.Join(n.DataDir(), strconv.Itoa(node)), n.syncInterval)
	if len(n.nodes) == 1 {
		return text
	}
	var routes []string
	for _, peer := range n.nodes {
		routes = append(routes, "nats-route://"+peer.route)
	}
	return text + fmt.Sprintf("cluster { name: bench, listen: %q, routes: [%s] }\n", n.nodes[node].route, strings.Join(routes, ", "))
}

// Launch starts the servers over what is stored.
func (n *NATS) Launch(context.Context) (err error) {
	for i := range n.nodes {
		if n.nodes[i].process, err = startProcess(exec.Command(n.program, "-c", n.path(i, "conf")), n.path(i, "log")); err != nil {
			return errors.Join(err, n.Stop())
		}
	}
	return nil
}

// Kill is SIGKILL.
func (n *NATS) Kill() {
	for i := range n.nodes {
		n.KillNode(i)
	}
}

// KillNode is SIGKILL for one.
func (n *NATS) KillNode(node int) {
	if p := n.nodes[node].process; p != nil {
		p.kill()
		n.nodes[node].process = nil
	}
}

// Stop is Kill.
func (n *NATS) Stop() error {
	n.Kill()
	return nil
}

// Wipe removes the streams, the configuration and the logs.
func (n *NATS) Wipe() error { return os.RemoveAll(n.dir) }

// Nodes is how many servers there are.
func (n *NATS) Nodes() int { return len(n.nodes) }

// NodePIDs is the one process of a server.
func (n *NATS) NodePIDs(node int) []int {
	if n.nodes[node].process == nil {
		return nil
	}
	return []int{n.nodes[node].process.pid()}
}

// PIDs are those of all servers.
func (n *NATS) PIDs() []int { return allPIDs(n) }

// Declare makes a stream per queue.
func (n *NATS) Declare(ctx context.Context, queues []string) error {
	return n.client(0).Declare(ctx, queues, declarers)
}

// NeedsDeclare is true: publishing without a stream is an error.
func (n *NATS) NeedsDeclare() bool { return true }

// Leader is the server that leads a queue's stream.
func (n *NATS) Leader(ctx context.Context, queue string) (int, error) {
	name, err := n.client(n.living()).Leader(ctx, queue)
	if err != nil {
		return 0, err
	}
	node, err := strconv.Atoi(strings.TrimPrefix(name, "n"))
	if err != nil || node >= len(n.nodes) {
		return 0, fmt.Errorf("stream %s is led by %q", queue, name)
	}
	return node, nil
}

// living is a server that runs.
func (n *NATS) living() int {
	return max(slices.IndexFunc(n.nodes, func(node natsNode) bool { return node.process != nil }), 0)
}

// Transfer asks the stream's leader to step down.
func (n *NATS) Transfer(ctx context.Context, queue string) error {
	return n.client(n.living()).StepDown(ctx, queue)
}

// Client is nats.go; there is no AMQP.
func (n *NATS) Client(kind ClientKind) (load.Client, error) { return n.ClientAt(0, kind) }

// ClientAt is nats.go on one server.
func (n *NATS) ClientAt(node int, kind ClientKind) (load.Client, error) {
	if kind != Fastest {
		return nil, fmt.Errorf("%s: AMQP: %w", n.name, load.ErrUnsupported)
	}
	return n.client(node), nil
}

func (n *NATS) client(node int) *natsjs.Client {
	return &natsjs.Client{URL: "nats://" + n.nodes[node].hostPort, Replicas: len(n.nodes)}
}
