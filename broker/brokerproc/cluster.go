package brokerproc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// ClusterOptions say how a cluster of processes is started. Binary and Dir are
// needed.
type ClusterOptions struct {
	Binary string
	Dir    string // member n1 has its data in Dir/n1
	Nodes  int    // members n1, n2, ...; 0: 3
	Shards int    // 0: as many as nodes
	// Edit may change a member before its first start: its log, its flags and,
	// when it shall not be on loopback, its addresses. nil: as it is.
	Edit func(*Member)
}

// Member is how one node of a cluster is started: what Options say, and where
// the other members reach it.
type Member struct {
	Options
	ID      string // n1, n2, ...
	Cluster string // HOST:PORT for the other members
}

// Node is a member with its process. Its addresses stay the same over restarts.
type Node struct {
	Member
	Process *Process // of the last start; nil before the first
}

// Running tells whether there is a process now.
func (n *Node) Running() bool { return n.Process != nil && n.Process.Running() }

// Cluster is some nodes of one cluster. Its methods are for one goroutine, but
// for those of different nodes, which may be called side by side.
type Cluster struct {
	ClusterOptions
	Nodes []*Node // those it began with, then those that were added
	peers string  // --cluster-peers of every node
}

// StartCluster starts the processes and returns when all of them are ready. On
// an error nothing is left running.
func StartCluster(ctx context.Context, o ClusterOptions) (*Cluster, error) {
	c, err := PlanCluster(o)
	if err != nil {
		return nil, err
	}
	err = c.StartAll(ctx)
	if err != nil {
		c.KillAll()
		return nil, err
	}
	return c, nil
}

// PlanCluster chooses addresses and directories and starts nothing.
func PlanCluster(o ClusterOptions) (*Cluster, error) {
	if o.Nodes == 0 {
		o.Nodes = 3
	}
	c := &Cluster{ClusterOptions: o}
	for range o.Nodes {
		if _, err := c.plan(); err != nil {
			return nil, err
		}
	}
	peers := make([]string, len(c.Nodes))
	for i, n := range c.Nodes {
		peers[i] = n.ID + "=" + n.Cluster
	}
	c.peers = strings.Join(peers, ",")
	return c, nil
}

// plan makes the next node.
func (c *Cluster) plan() (*Node, error) {
	addresses, err := FreeAddresses(3)
	if err != nil {
		return nil, err
	}
	id := "n" + strconv.Itoa(len(c.Nodes)+1)
	n := &Node{Member: Member{ID: id, Cluster: addresses[0]}}
	n.Options = Options{Binary: c.Binary, DataDir: filepath.Join(c.Dir, id), AMQP: addresses[1], HTTP: addresses[2]}
	if c.Edit != nil {
		c.Edit(&n.Member)
	}
	c.Nodes = append(c.Nodes, n)
	return n, nil
}

// AddNode plans one more node, with the next id, whose peers are the nodes
// that the cluster began with. It is not started, and no member before
// "entrepot cluster add" has made it one.
func (c *Cluster) AddNode() (*Node, error) { return c.plan() }

// Node finds a node by its id; nil: there is none.
func (c *Cluster) Node(id string) *Node {
	for _, n := range c.Nodes {
		if n.ID == id {
			return n
		}
	}
	return nil
}

// Launch starts a node that does not run, on what it has on disk, and does not
// wait for it.
func (c *Cluster) Launch(n *Node) error {
	if n.Running() {
		return fmt.Errorf("node %s runs already", n.ID)
	}
	o := n.Options
	o.Flags = append([]string{
		"--node", n.ID, "--cluster-listen", n.Cluster, "--cluster-peers", c.peers, "--shards", strconv.Itoa(c.Shards),
	}, o.Flags...)
	p, err := Launch(o)
	if err != nil {
		return fmt.Errorf("node %s: %w", n.ID, err)
	}
	n.Process = p
	return nil
}

// Start starts a node that does not run and waits until it is ready.
func (c *Cluster) Start(ctx context.Context, n *Node) error {
	if err := c.Launch(n); err != nil {
		return err
	}
	return c.WaitReady(ctx, n)
}

// StartAll starts every node that does not run, and waits until all are ready:
// they need a majority for that, so none is waited for before all are started.
func (c *Cluster) StartAll(ctx context.Context) error {
	for _, n := range c.Nodes {
		if n.Running() {
			continue
		}
		if err := c.Launch(n); err != nil {
			return err
		}
	}
	return c.WaitReady(ctx, c.Nodes...)
}

// WaitReady waits until /readyz of every one of these nodes says 200.
func (c *Cluster) WaitReady(ctx context.Context, nodes ...*Node) error {
	for _, n := range nodes {
		if err := n.Process.WaitReady(ctx); err != nil {
			return fmt.Errorf("node %s: %w", n.ID, err)
		}
	}
	return nil
}

// KillAll ends every process with SIGKILL, all at about the same time.
func (c *Cluster) KillAll() {
	c.each(func(n *Node) error { n.Process.Kill(); return nil })
}

// Stop ends every process with SIGTERM, and kills those that take longer than
// limit. nil: all of them ended by themselves, with code 0.
func (c *Cluster) Stop(limit time.Duration) error {
	return c.each(func(n *Node) error {
		if err := n.Process.Terminate(limit); err != nil {
			return fmt.Errorf("node %s: %w", n.ID, err)
		}
		return nil
	})
}

// each does something for all nodes that run, side by side.
func (c *Cluster) each(do func(*Node) error) error {
	var wait sync.WaitGroup
	errs := make([]error, len(c.Nodes))
	for i, n := range c.Nodes {
		if n.Running() {
			wait.Go(func() { errs[i] = do(n) })
		}
	}
	wait.Wait()
	return errors.Join(errs...)
}

// Wipe removes the data of a node that does not run, as a lost disk does.
func (c *Cluster) Wipe(n *Node) error {
	if n.Running() {
		return fmt.Errorf("node %s runs", n.ID)
	}
	return os.RemoveAll(n.DataDir)
}
