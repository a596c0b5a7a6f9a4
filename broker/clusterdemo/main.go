// Command clusterdemo starts a cluster on this machine, sends a message to one
// node, receives it from another, and shows what the cluster says of itself.
// The nodes are real processes, and what is done with them is what a user would
// type: every command is shown. They run until Ctrl-C, or end at once (-once).
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"entrepot/broker/brokerproc"
)

// stopTimeout is longer than a node may take after SIGTERM.
const stopTimeout = 20 * time.Second

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	d := demo{out: os.Stdout}
	flag.StringVar(&d.binary, "binary", "bin/entrepot", "the broker")
	flag.IntVar(&d.nodes, "nodes", 3, "how many nodes")
	flag.BoolVar(&d.once, "once", false, "end when the message has arrived")
	flag.StringVar(&d.dir, "dir", "", "data and logs of the nodes, kept; empty: a temporary directory")
	flag.Parse()
	if err := d.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "clusterdemo:", err)
		os.Exit(1)
	}
}

// demo is one run.
type demo struct {
	binary, dir string
	nodes       int
	once        bool
	out         io.Writer
}

func (d *demo) run(ctx context.Context) (err error) {
	if d.nodes < 1 || d.nodes > 9 {
		return fmt.Errorf("-nodes %d: from 1 to 9", d.nodes)
	}
	dir := d.dir
	if dir == "" {
		if dir, err = os.MkdirTemp("", "entrepot-cluster-"); err != nil {
			return err
		}
		defer os.RemoveAll(dir)
	}
	logs := &logFiles{dir: dir}
	defer logs.close()
	cluster, err := brokerproc.StartCluster(ctx, brokerproc.ClusterOptions{
		Binary: d.binary, Dir: dir, Nodes: d.nodes, Edit: logs.give,
	})
	if err != nil {
		return errors.Join(err, logs.err, logs.tails())
	}
	defer func() { err = errors.Join(err, cluster.Stop(stopTimeout)) }()
	d.introduce(cluster, dir)
	if err := d.show(ctx, cluster); err != nil {
		return errors.Join(err, logs.tails())
	}
	if d.once {
		return nil
	}
	fmt.Fprintln(d.out, "\nThe nodes run until Ctrl-C.")
	return d.watch(ctx, cluster)
}

// introduce says where the nodes are.
func (d *demo) introduce(c *brokerproc.Cluster, dir string) {
	fmt.Fprintf(d.out, "%d nodes, with data and logs in %s\n", len(c.Nodes), dir)
	for _, n := range c.Nodes {
		fmt.Fprintf(d.out, "  %s  amqp://%s  http://%s  cluster %s  process %d\n", n.ID, n.AMQP, n.HTTP, n.Cluster, n.Process.PID())
	}
}

// show sends to the first node and receives from the last.
func (d *demo) show(ctx context.Context, c *brokerproc.Cluster) error {
	first, last := c.Nodes[0], c.Nodes[len(c.Nodes)-1]
	body := "hello from " + first.ID
	if _, err := d.command(ctx, "send", "--url", "amqp://"+first.AMQP, "greetings", body); err != nil {
		return err
	}
	got, err := d.command(ctx, "receive", "--url", "amqp://"+last.AMQP, "greetings", "--count", "1", "--timeout", "10s")
	if err != nil {
		return err
	}
	if strings.TrimSpace(got) != body {
		return fmt.Errorf("%s gave %q, sent was %q", last.ID, got, body)
	}
	_, err = d.command(ctx, "cluster", "status", "--http", last.HTTP)
	return err
}

// command runs the broker's own command line and shows it with what it writes.
func (d *demo) command(ctx context.Context, args ...string) (string, error) {
	fmt.Fprintf(d.out, "\n$ %s %s\n", d.binary, quoted(args))
	cmd := exec.CommandContext(ctx, d.binary, args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = io.MultiWriter(&out, d.out), d.out
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("entrepot %s: %w", args[0], err)
	}
	return out.String(), nil
}

// quoted is a command line that a shell would take.
func quoted(args []string) string {
	words := make([]string, len(args))
	for i, arg := range args {
		words[i] = arg
		if strings.Contains(arg, " ") {
			words[i] = "'" + arg + "'"
		}
	}
	return strings.Join(words, " ")
}

// watch tells of nodes that end, until Ctrl-C or until none is left.
func (d *demo) watch(ctx context.Context, c *brokerproc.Cluster) error {
	ended := make(chan string)
	for _, n := range c.Nodes {
		go func() {
			select {
			case <-n.Process.Done():
			case <-ctx.Done():
				return
			}
			select {
			case ended <- n.ID:
			case <-ctx.Done():
			}
		}()
	}
	for left := len(c.Nodes); left > 0; left-- {
		select {
		case <-ctx.Done():
			return nil
		case id := <-ended:
			fmt.Fprintf(d.out, "%s has ended\n", id)
		}
	}
	return errors.New("no node is left")
}

// logFiles are what the nodes write.
type logFiles struct {
	dir   string
	files []*os.File
	err   error
}

// give lets a node write into a file of its own.
func (l *logFiles) give(m *brokerproc.Member) {
	f, err := os.Create(filepath.Join(l.dir, m.ID+".log"))
	if err != nil {
		l.err = errors.Join(l.err, err)
		return
	}
	l.files = append(l.files, f)
	m.Log = f
}

func (l *logFiles) close() {
	for _, f := range l.files {
		_ = f.Close()
	}
}

// tails is an error that says how the logs end: the reason stands there.
func (l *logFiles) tails() error {
	const most = 2000 // bytes of each
	var errs []error
	for _, f := range l.files {
		text, err := os.ReadFile(f.Name())
		if err != nil {
			errs = append(errs, err)
			continue
		}
		text = text[max(0, len(text)-most):]
		errs = append(errs, fmt.Errorf("the end of %s:\n%s", filepath.Base(f.Name()), text))
	}
	return errors.Join(errs...)
}
