package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"entrepot/broker/brokerproc"
	"entrepot/broker/crash/workload"
)

// fleet is the processes under test: one standalone broker, or the members of a
// cluster, whose connections go through a network that can be broken.
//
// The faults call it, one goroutine for each node at a time; addresses may be
// asked by any.
type fleet struct {
	binary  string
	cluster *brokerproc.Cluster
	network network // nil: standalone
	log     *logs
	// ended is told of a process that has ended though nobody ended it.
	ended func(node string)

	mu      sync.Mutex
	members []*brokerproc.Node
	ending  map[*brokerproc.Process]bool // those that somebody ends, or has ended
	next    int                          // which member operators ask next
}

// newFleet plans nodes below dir, in a network of a kind (see newNetwork), and
// starts nothing.
func newFleet(binary, dir, kind string, nodes int) (*fleet, error) {
	f := &fleet{binary: binary, log: &logs{dir: dir, open: map[string]*os.File{}}, ending: map[*brokerproc.Process]bool{}}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	var failed error
	if nodes > 1 {
		if f.network, failed = newNetwork(kind, f.whose); failed != nil {
			return nil, failed
		}
	}
	cluster, err := brokerproc.PlanCluster(brokerproc.ClusterOptions{
		Binary: binary, Dir: dir, Nodes: nodes,
		Edit: func(m *brokerproc.Member) {
			if err := f.edit(m); err != nil {
				failed = err
			}
		},
	})
	if err == nil {
		err = failed
	}
	if err != nil {
		return nil, errors.Join(err, f.close())
	}
	f.cluster = cluster
	f.members = slices.Clone(cluster.Nodes)
	return f, nil
}

// edit puts the network between a new member and the others, and keeps its log.
func (f *fleet) edit(m *brokerproc.Member) error {
	log, err := f.log.of(m.ID)
	if err != nil {
		return err
	}
	m.Log = log
	if f.network == nil {
		return nil
	}
	return f.network.place(m)
}

// whose names the node that has a local TCP port.
func (f *fleet) whose(port int) string {
	for _, n := range f.nodes() {
		if n.Running() && ownsPort(n.Process.PID(), port) {
			return n.ID
		}
	}
	return ""
}

// nodes are the members now.
func (f *fleet) nodes() []*brokerproc.Node {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.members)
}

// addresses are where clients connect.
func (f *fleet) addresses() []string {
	var list []string
	for _, n := range f.nodes() {
		list = append(list, n.AMQP)
	}
	return list
}

// login is who clients and operators are: the same at all nodes.
func (f *fleet) login() workload.Login {
	n := f.nodes()[0]
	return workload.Login{User: n.User, Password: n.Password}
}

// launch starts a node that does not run, and watches it.
func (f *fleet) launch(n *brokerproc.Node) error {
	if n.Running() {
		return nil
	}
	if f.network == nil {
		p, err := brokerproc.Launch(n.Options)
		if err != nil {
			return err
		}
		n.Process = p
	} else if err := f.cluster.Launch(n); err != nil {
		return err
	}
	p := n.Process
	go func() {
		<-p.Done()
		if !f.meantToEnd(p) {
			f.ended(n.ID)
		}
	}()
	return nil
}

// expect says whether a node's process, which may be none, is meant to go on. Its
// next one is.
func (f *fleet) expect(n *brokerproc.Node, goesOn bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ending[n.Process] = !goesOn
}

func (f *fleet) meantToEnd(p *brokerproc.Process) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ending[p]
}

// kill ends a node with SIGKILL.
func (f *fleet) kill(n *brokerproc.Node) {
	f.expect(n, false)
	if n.Running() {
		n.Process.Kill()
	}
}

// stop ends a node with SIGTERM; an error if that takes too long or fails.
func (f *fleet) stop(n *brokerproc.Node) error {
	f.expect(n, false)
	if !n.Running() {
		return nil
	}
	return n.Process.Terminate(stopLimit)
}

// startAll starts what does not run and waits until all nodes are ready.
func (f *fleet) startAll(ctx context.Context) error {
	for _, n := range f.nodes() {
		if err := f.launch(n); err != nil {
			return err
		}
	}
	for _, n := range f.nodes() {
		if err := n.Process.WaitReady(ctx); err != nil {
			return fmt.Errorf("node %s: %w", n.ID, err)
		}
	}
	return nil
}

// caughtUp waits until every shard has a leader and every replica all that the leader has
// now.
func (f *fleet) caughtUp(ctx context.Context) error {
	if f.network == nil {
		return nil
	}
	led := func(s *brokerproc.Status) bool {
		return len(s.Shards) > 0 && !slices.ContainsFunc(s.Shards, func(shard brokerproc.ShardStatus) bool { return shard.Leader == "" })
	}
	now, err := f.cluster.WaitStatus(ctx, led)
	if err != nil {
		return err
	}
	_, err = f.cluster.WaitStatus(ctx, func(s *brokerproc.Status) bool { return s.CaughtUpWith(&now) })
	return err
}

// terms are the shards' terms: where one has changed, its leader may have. An error
// if nobody tells.
func (f *fleet) terms(ctx context.Context) (map[uint16]uint64, error) {
	terms := map[uint16]uint64{}
	if f.network == nil {
		return terms, nil
	}
	ctx, cancel := context.WithTimeout(ctx, operateLimit)
	defer cancel()
	s, err := f.cluster.WaitStatus(ctx, func(s *brokerproc.Status) bool { return len(s.Shards) > 0 && s.Health != "unavailable" })
	for _, shard := range s.Shards {
		terms[shard.ID] = shard.Term
	}
	return terms, err
}

// steady waits until no leader has changed for a while: until every node has its
// share again after a fault.
func (f *fleet) steady(ctx context.Context, quiet time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, operateLimit)
	defer cancel()
	before, err := f.terms(ctx)
	for since := time.Now(); err == nil && time.Since(since) < quiet; {
		if err := sleep(ctx, operatePause); err != nil {
			return nil // a busy machine: the oracle is told of changes
		}
		var now map[uint16]uint64
		if now, err = f.terms(ctx); err == nil && !maps.Equal(before, now) {
			before, since = now, time.Now()
		}
	}
	return err
}

// shards is how many there are; an error if nobody tells.
func (f *fleet) shards(ctx context.Context) (int, error) {
	s, err := f.cluster.Status(ctx)
	return len(s.Shards), err
}

// operate runs "entrepot cluster ARGS" against any node that runs, until it works
// or ctx ends, and gives its standard output: what an operator would do who knows that something is broken.
func (f *fleet) operate(ctx context.Context, args ...string) (out []byte, err error) {
	for {
		if n := f.someNode(); n != nil {
			cmd := exec.CommandContext(ctx, f.binary, append(append([]string{"cluster"}, args...), "--http", n.HTTP, "--timeout", "20s")...)
			cmd.Env = append(os.Environ(), "ENTREPOT_USER="+n.User, "ENTREPOT_PASSWORD="+n.Password)
			var progress bytes.Buffer
			cmd.Stderr = &progress
			if out, err = cmd.Output(); err == nil {
				return out, nil
			}
			err = fmt.Errorf("%v: %w: %s", cmd.Args[1:], err, bytes.TrimSpace(progress.Bytes()))
		}
		select {
		case <-ctx.Done():
			return out, fmt.Errorf("%w (%w)", ctx.Err(), err)
		case <-time.After(operatePause):
		}
	}
}

const operatePause = 300 * time.Millisecond

// someNode is a member that runs, another one each time; nil if none runs.
func (f *fleet) someNode() *brokerproc.Node {
	f.mu.Lock()
	defer f.mu.Unlock()
	for range f.members {
		f.next++
		if n := f.members[f.next%len(f.members)]; !f.ending[n.Process] && n.Running() {
			return n
		}
	}
	return nil
}

// replace plans a new node in the place of an old one, which is no member any
// more.
func (f *fleet) replace(old *brokerproc.Node) (*brokerproc.Node, error) {
	n, err := f.cluster.AddNode()
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.members[slices.Index(f.members, old)] = n
	return n, nil
}

// close kills what runs.
func (f *fleet) close() error {
	for _, n := range f.nodes() {
		f.kill(n)
	}
	defer f.log.close()
	if f.network != nil {
		return f.network.close()
	}
	return nil
}

// logs are the nodes' outputs, one file for each.
type logs struct {
	dir  string
	open map[string]*os.File
}

func (l *logs) of(node string) (*os.File, error) {
	file, err := os.Create(filepath.Join(l.dir, node+".log"))
	if err == nil {
		l.open[node] = file
	}
	return file, err
}

// tail is the end of a node's log.
func (l *logs) tail(node string) []byte {
	text, err := os.ReadFile(filepath.Join(l.dir, node+".log"))
	if err != nil {
		return []byte(err.Error())
	}
	const most = 2 << 10
	return text[max(0, len(text)-most):]
}

func (l *logs) close() {
	for _, file := range l.open {
		file.Close()
	}
}
