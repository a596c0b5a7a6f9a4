package peer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"entrepot/bench/internal/load"
	"entrepot/bench/internal/load/goamqp"
	"entrepot/bench/internal/load/rawamqp"
	"entrepot/bench/internal/procstat"
	"entrepot/broker/brokerproc"
)

// RabbitMQ is one RabbitMQ 4 node with quorum queues, spoken to in its native
// AMQP 1.0. It may live in a chroot, such as a Debian trixie beside an older
// system; then the bench must be root.
type RabbitMQ struct {
	root     string // the chroot; "" for none
	home     string // inside root: data, logs, configuration
	hostPort string
	epmdPort string
	epmd     *process // Erlang's port mapper: ours, so that no node of others is touched
	process  *process
}

// DefaultRabbitMQRoot is where Install looks if rabbitmq-server is not on PATH.
const DefaultRabbitMQRoot = "/opt/trixie"

// scriptDir has RabbitMQ's own start scripts on Debian.
const scriptDir = "usr/lib/rabbitmq/bin"

// NewRabbitMQ describes a node that lives in the chroot root ("" for none) and, if
// there is no chroot, keeps everything under dir.
func NewRabbitMQ(root, dir string) *RabbitMQ {
	r := &RabbitMQ{root: root, home: dir}
	if root != "" {
		r.home = "/var/lib/entrepot-bench"
	}
	return r
}

// Name is the peer's name.
func (r *RabbitMQ) Name() string { return "rabbitmq" }

// Install looks for the server's script, and for /proc in the chroot.
func (r *RabbitMQ) Install(ctx context.Context) (string, error) {
	script := r.server()
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
	out, err := r.command(ctx, "/usr/bin/dpkg-query", "-W", "-f", "${Version}", "rabbitmq-server").Output()
	if err != nil {
		return "unknown version, quorum queues", nil
	}
	return strings.TrimSpace(string(out)) + ", quorum queues", nil
}

// server is the server's script, inside the root.
func (r *RabbitMQ) server() string {
	if r.root == "" {
		if path, err := exec.LookPath("rabbitmq-server"); err == nil {
			return path
		}
	}
	return filepath.Join("/", scriptDir, "rabbitmq-server")
}

// DataDir is outside the root: what this process sees.
func (r *RabbitMQ) DataDir() string { return filepath.Join(r.root, r.home, "data") }

// LogFile has what the start script says; the node's own log is in its home.
func (r *RabbitMQ) LogFile() string { return r.path("log.out") }

// Start launches an empty node and its port mapper.
func (r *RabbitMQ) Start(ctx context.Context) error {
	if err := r.prepare(); err != nil {
		return err
	}
	epmd := r.command(ctx, "epmd", "-address", "127.0.0.1", "-port", r.epmdPort)
	var err error
	if r.epmd, err = startProcess(epmd, r.path("log.epmd")); err != nil {
		return fmt.Errorf("epmd: %w", err)
	}
	if err := r.Launch(ctx); err != nil {
		r.epmd.kill()
		return err
	}
	if err := r.process.waitPort(ctx, r.hostPort); err != nil {
		return errors.Join(err, r.Stop())
	}
	return nil
}

// prepare writes the configuration into an empty home.
func (r *RabbitMQ) prepare() error {
	var ports [2]string
	for i := range ports {
		hostPort, err := brokerproc.FreeAddress()
		if err != nil {
			return err
		}
		_, ports[i], _ = net.SplitHostPort(hostPort)
	}
	r.hostPort, r.epmdPort = "127.0.0.1:"+ports[0], ports[1]
	if err := emptyDir(r.path("")); err != nil {
		return err
	}
	files := map[string]string{
		"enabled_plugins": "[].\n",
		".erlang.cookie":  "entrepotbench",
		"rabbitmq.conf": "listeners.tcp.1 = " + r.hostPort + `
disk_free_limit.absolute = 2GB
log.console = false
log.file.level = warning
collect_statistics_interval = 60000
`}
	for name, text := range files {
		if err := os.WriteFile(r.path(name), []byte(text), 0o400); err != nil {
			return err
		}
	}
	return nil
}

// path is a file of the node's home as this process sees it.
func (r *RabbitMQ) path(name string) string { return filepath.Join(r.root, r.home, name) }

// Launch starts the node over what is stored.
func (r *RabbitMQ) Launch(context.Context) (err error) {
	// Not bound to the context: Stop and Kill end it.
	r.process, err = startProcess(r.command(context.Background(), r.server()), r.LogFile())
	return err
}

// command runs a program inside the root with the node's environment.
func (r *RabbitMQ) command(ctx context.Context, program string, args ...string) *exec.Cmd {
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
		"RABBITMQ_NODENAME=bench@localhost",
		"RABBITMQ_MNESIA_BASE=" + r.home + "/data",
		"RABBITMQ_LOG_BASE=" + r.home + "/log",
		"RABBITMQ_CONFIG_FILE=" + r.home + "/rabbitmq.conf",
		"RABBITMQ_ENABLED_PLUGINS_FILE=" + r.home + "/enabled_plugins",
		"RABBITMQ_PID_FILE=" + r.home + "/pid",
		"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1}",
	}
	return cmd
}

// Kill is SIGKILL for the Erlang VM; its helpers end with it.
func (r *RabbitMQ) Kill() {
	for _, pid := range r.PIDs() {
		_ = syscall.Kill(pid, syscall.SIGKILL) // an error: it is gone already
	}
	<-r.process.done
}

// Stop kills the node and its port mapper: an orderly end takes a minute with some
// hundred queues.
func (r *RabbitMQ) Stop() error {
	r.Kill()
	r.epmd.kill()
	return nil
}

// Wipe removes the node's home.
func (r *RabbitMQ) Wipe() error { return os.RemoveAll(r.path("")) }

// PIDs are the script, the VM and its helpers.
func (r *RabbitMQ) PIDs() []int { return procstat.Tree(r.process.pid()) }

// NeedsDeclare is true: an attach does not make a queue.
func (r *RabbitMQ) NeedsDeclare() bool { return true }

// Client speaks AMQP 1.0.
func (r *RabbitMQ) Client(kind ClientKind) (load.Client, error) {
	address := func(queue string) string { return "/queues/" + queue } // RabbitMQ's address format v2
	if kind == GoAMQP {
		return &goamqp.Client{URL: "amqp://" + r.hostPort, Address: address}, nil
	}
	return &rawamqp.Client{HostPort: r.hostPort, Address: address}, nil
}
