package peer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"entrepot/bench/internal/load"
	"entrepot/bench/internal/load/goamqp"
	"entrepot/bench/internal/load/rawamqp"
	"entrepot/bench/internal/procstat"
	"entrepot/broker/brokerproc"
)

// RabbitMQ is one RabbitMQ 4 node with quorum queues, or a cluster of them, spoken
// to in its native AMQP 1.0. It may live in a chroot, such as a Debian trixie
// beside an older system; then the bench must be root.
type RabbitMQ struct {
	root     string // the chroot; "" for none
	home     string // inside root: data, logs, configuration
	epmdPort string
	epmd     *process // Erlang's port mapper: ours, so that no node of others is touched
	nodes    []rabbitNode
}

type rabbitNode struct {
	hostPort string
	distPort string // for the other nodes
	process  *process
}

var _ Cluster = (*RabbitMQ)(nil)

// DefaultRabbitMQRoot is where Install looks if rabbitmq-server is not on PATH.
const DefaultRabbitMQRoot = "/opt/trixie"

// scriptDir has RabbitMQ's own scripts on Debian.
const scriptDir = "usr/lib/rabbitmq/bin"

// NewRabbitMQ describes so many nodes that live in the chroot root ("" for none)
// and, if there is no chroot, keep everything under dir.
func NewRabbitMQ(root string, nodes int, dir string) *RabbitMQ {
	r := &RabbitMQ{root: root, home: dir, nodes: make([]rabbitNode, nodes)}
	if root != "" {
		r.home = "/var/lib/entrepot-bench"
	}
	return r
}

// Name is the peer's name.
func (r *RabbitMQ) Name() string { return "rabbitmq" }

// Install looks for the server's script, and for /proc in the chroot.
func (r *RabbitMQ) Install(ctx context.Context) (string, error) {
	script := r.script("rabbitmq-server")
	if _, err := os.Stat(filepath.Join(r.root, script)); err != nil {
		return "", fmt.Errorf("rabbitmq-server: %w (%w)", ErrNotInstalled, err)
	}
	if r.root != "" {
		if os.Geteuid() != 0 {
			return "", fmt.Errorf("rabbitmq-server in a chroot: %w for anyone but root", ErrNotInstalled)
		}
		if _, err := os.Stat(filepath.Join(r.root, "proc/self")); err != nil {
			return "", fmt.Errorf("rabbitmq-server: %w: /proc is not mounted in %s", ErrNotInstalled, r.root)
		}
	}
	replicas := fmt.Sprintf(", quorum queues x%d", len(r.nodes))
	out, err := r.command(ctx, 0, "/usr/bin/dpkg-query", "-W", "-f", "${Version}", "rabbitmq-server").Output()
	if err != nil {
		return "unknown version" + replicas, nil
	}
	return strings.TrimSpace(string(out)) + replicas, nil
}

// script is one of the server's scripts, inside the root.
func (r *RabbitMQ) script(name string) string {
	if r.root == "" {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return filepath.Join("/", scriptDir, name)
}

// DataDir is outside the root: what this process sees.
func (r *RabbitMQ) DataDir() string { return filepath.Join(r.root, r.home, "data") }

// LogFiles have what the start scripts say; the nodes' own logs are in their home.
func (r *RabbitMQ) LogFiles() []string {
	var files []string
	for i := range r.nodes {
		files = append(files, r.logFile(i))
	}
	return files
}

func (r *RabbitMQ) logFile(node int) string { return r.path(fmt.Sprintf("log-%d.out", node)) }

// Start launches empty nodes and their port mapper.
func (r *RabbitMQ) Start(ctx context.Context) error {
	if err := r.prepare(); err != nil {
		return err
	}
	epmd := r.command(ctx, 0, "epmd", "-address", "127.0.0.1", "-port", r.epmdPort)
	var err error
	if r.epmd, err = startProcess(epmd, r.path("log.epmd")); err != nil {
		return fmt.Errorf("epmd: %w", err)
	}
	if err := r.Launch(ctx); err != nil {
		r.epmd.kill()
		return err
	}
	for _, node := range r.nodes {
		if err := node.process.waitPort(ctx, node.hostPort); err != nil {
			return errors.Join(err, r.Stop())
		}
	}
	if err := r.waitCluster(ctx); err != nil {
		return errors.Join(err, r.Stop())
	}
	return nil
}

// waitCluster returns when the nodes have found each other: a quorum queue that is
// declared before has fewer replicas.
func (r *RabbitMQ) waitCluster(ctx context.Context) error {
	if len(r.nodes) == 1 {
		return nil
	}
	for node := range r.nodes {
		cmd := r.command(ctx, node, r.script("rabbitmqctl"), "await_online_nodes", strconv.Itoa(len(r.nodes)))
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("await_online_nodes: %w: %s", err, out)
		}
	}
	return nil
}

// prepare chooses ports and writes the configuration into an empty home.
func (r *RabbitMQ) prepare() error {
	ports := []*string{&r.epmdPort}
	for i := range r.nodes {
		ports = append(ports, &r.nodes[i].hostPort, &r.nodes[i].distPort)
	}
	for _, port := range ports {
		hostPort, err := brokerproc.FreeAddress()
		if err != nil {
			return err
		}
		_, *port, _ = net.SplitHostPort(hostPort)
	}
	if err := emptyDir(r.path("")); err != nil {
		return err
	}
	files := map[string]string{"enabled_plugins": "[].\n", ".erlang.cookie": "entrepotbench"}
	for i := range r.nodes {
		r.nodes[i].hostPort = "127.0.0.1:" + r.nodes[i].hostPort
		files[fmt.Sprintf("node-%d.conf", i)] = r.config(i)
	}
	for name, text := range files {
		if err := os.WriteFile(r.path(name), []byte(text), 0o400); err != nil {
			return err
		}
	}
	return nil
}

func (r *RabbitMQ) config(node int) string {
	text := "listeners.tcp.1 = " + r.nodes[node].hostPort + `
disk_free_limit.absolute = 2GB
log.console = false
log.file.level = warning
collect_statistics_interval = 60000
`
	if len(r.nodes) == 1 {
		return text
	}
	text += "cluster_formation.peer_discovery_backend = classic_config\n"
	for i := range r.nodes {
		text += fmt.Sprintf("cluster_formation.classic_config.nodes.%d = %s\n", i+1, erlangName(i))
	}
	return text
}

// erlangName is what the Erlang node is called.
func erlangName(node int) string { return fmt.Sprintf("bench%d@localhost", node) }

// path is a file of the nodes' home as this process sees it.
func (r *RabbitMQ) path(name string) string { return filepath.Join(r.root, r.home, name) }

// Launch starts the nodes over what is stored.
func (r *RabbitMQ) Launch(context.Context) (err error) {
	for i := range r.nodes {
		// Not bound to the context: Stop and Kill end it.
		cmd := r.command(context.Background(), i, r.script("rabbitmq-server"))
		if r.nodes[i].process, err = startProcess(cmd, r.logFile(i)); err != nil {
			r.Kill()
			return err
		}
	}
	return nil
}

// command runs a program inside the root with a node's environment.
func (r *RabbitMQ) command(ctx context.Context, node int, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	if r.root != "" {
		cmd.Path, cmd.Err = filepath.Join("/", program), nil // LookPath looked outside the root
		if !strings.Contains(program, "/") {
			cmd.Path = filepath.Join("/usr/bin", program)
		}
		cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: r.root}
		cmd.Dir = "/"
	}
	cmd.Env = []string{
		"HOME=" + r.home,
		"LANG=C.UTF-8",
		"PATH=/usr/sbin:/usr/bin:/sbin:/bin",
		"ERL_EPMD_ADDRESS=127.0.0.1",
		"ERL_EPMD_PORT=" + r.epmdPort,
		"RABBITMQ_NODENAME=" + erlangName(node),
		"RABBITMQ_DIST_PORT=" + r.nodes[node].distPort,
		"RABBITMQ_MNESIA_BASE=" + r.home + "/data",
		"RABBITMQ_LOG_BASE=" + r.home + "/log",
		fmt.Sprintf("RABBITMQ_CONFIG_FILE=%s/node-%d.conf", r.home, node),
		"RABBITMQ_ENABLED_PLUGINS_FILE=" + r.home + "/enabled_plugins",
		fmt.Sprintf("RABBITMQ_PID_FILE=%s/pid-%d", r.home, node),
		"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1}",
	}
	return cmd
}

// Kill is SIGKILL for the Erlang VMs; their helpers end with them.
func (r *RabbitMQ) Kill() {
	for i := range r.nodes {
		r.KillNode(i)
	}
}

// KillNode is SIGKILL for one.
func (r *RabbitMQ) KillNode(node int) {
	p := r.nodes[node].process
	if p == nil {
		return
	}
	for _, pid := range r.NodePIDs(node) {
		_ = syscall.Kill(pid, syscall.SIGKILL) // an error: it is gone already
	}
	<-p.done
	r.nodes[node].process = nil
}

// Stop kills the nodes and their port mapper: an orderly end takes a minute with
// some hundred queues.
func (r *RabbitMQ) Stop() error {
	r.Kill()
	r.epmd.kill()
	return nil
}

// Wipe removes the nodes' home.
func (r *RabbitMQ) Wipe() error { return os.RemoveAll(r.path("")) }

// Nodes is how many there are.
func (r *RabbitMQ) Nodes() int { return len(r.nodes) }

// NodePIDs are the script, the VM and its helpers.
func (r *RabbitMQ) NodePIDs(node int) []int {
	if r.nodes[node].process == nil {
		return nil
	}
	return procstat.Tree(r.nodes[node].process.pid())
}

// PIDs are those of all nodes.
func (r *RabbitMQ) PIDs() []int { return allPIDs(r) }

// NeedsDeclare is true: an attach does not make a queue.
func (r *RabbitMQ) NeedsDeclare() bool { return true }

// Leader is the node of a queue's Raft leader.
func (r *RabbitMQ) Leader(ctx context.Context, queue string) (int, error) {
	name, err := queueLeader(ctx, r.nodes[r.living()].hostPort, queue)
	if err != nil {
		return 0, err
	}
	for i := range r.nodes {
		if erlangName(i) == name {
			return i, nil
		}
	}
	return 0, fmt.Errorf("queue %s is led by %q", queue, name)
}

// living is a node that runs.
func (r *RabbitMQ) living() int {
	return max(slices.IndexFunc(r.nodes, func(n rabbitNode) bool { return n.process != nil }), 0)
}

// Transfer calls what RabbitMQ's own rebalancing calls for each queue.
func (r *RabbitMQ) Transfer(ctx context.Context, queue string) error {
	leader, err := r.Leader(ctx, queue)
	if err != nil {
		return err
	}
	expression := fmt.Sprintf(`{ok, Q} = rabbit_amqqueue:lookup(rabbit_misc:r(<<"/">>, queue, <<%q>>)), rabbit_quorum_queue:transfer_leadership(Q, '%s').`,
		queue, erlangName((leader+1)%len(r.nodes)))
	out, err := r.command(ctx, leader, r.script("rabbitmqctl"), "eval", expression).CombinedOutput()
	if err != nil {
		return fmt.Errorf("transfer: %w: %s", err, out)
	}
	return nil
}

// Client speaks AMQP 1.0.
func (r *RabbitMQ) Client(kind ClientKind) (load.Client, error) { return r.ClientAt(0, kind) }

// ClientAt speaks AMQP 1.0 with one node.
func (r *RabbitMQ) ClientAt(node int, kind ClientKind) (load.Client, error) {
	hostPort := r.nodes[node].hostPort
	address := func(queue string) string { return "/queues/" + queue } // RabbitMQ's address format v2
	if kind == GoAMQP {
		return &goamqp.Client{URL: "amqp://" + hostPort, Address: address}, nil
	}
	return &rawamqp.Client{HostPort: hostPort, Address: address}, nil
}
