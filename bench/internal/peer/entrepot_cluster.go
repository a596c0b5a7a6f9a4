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
	"time"

	"entrepot/bench/internal/load"
	"entrepot/bench/internal/load/goamqp"
	"entrepot/bench/internal/load/rawamqp"
	"entrepot/broker/brokerproc"
)

// EntrepotCluster is our own broker on several nodes, as many shards as nodes.
type EntrepotCluster struct {
	build      entrepotBuild
	name       string
	durability string
	dir        string
	nodes      int
	cluster    *brokerproc.Cluster
	logs       []*os.File
	api        api
}

var (
	_ Cluster = (*EntrepotCluster)(nil)
	_ Talker  = (*EntrepotCluster)(nil)
)

// NewEntrepotCluster describes a cluster of so many nodes of the given binary and
// durability that keeps everything under dir. An empty binary is built from this
// module.
func NewEntrepotCluster(name, binary, durability string, nodes int, dir string) *EntrepotCluster {
	return &EntrepotCluster{
		build: entrepotBuild{binary: binary}, name: name, durability: durability, nodes: nodes, dir: dir, api: newAPI(),
	}
}

// Name is the peer's name.
func (e *EntrepotCluster) Name() string { return e.name }

// Install builds the binary, if none was given.
func (e *EntrepotCluster) Install(ctx context.Context) (string, error) {
	version, err := e.build.install(ctx, e.dir)
	return fmt.Sprintf("%s, %d nodes, durability %s", version, e.nodes, e.durability), err
}

// DataDir has the --data of every node, and nothing else.
func (e *EntrepotCluster) DataDir() string { return filepath.Join(e.dir, "data") }

// LogFiles are the nodes'.
func (e *EntrepotCluster) LogFiles() []string {
	var files []string
	for i := range e.nodes {
		files = append(files, filepath.Join(e.dir, "log-"+strconv.Itoa(i)))
	}
	return files
}

// readyLimit is how long a cluster may take to form.
const readyLimit = time.Minute

// Start forms a cluster on empty stores. It is ready when all replicas of all
// shards are there and every node leads its share: what comes before is not what
// is measured.
func (e *EntrepotCluster) Start(ctx context.Context) error {
	if err := emptyDir(e.dir); err != nil {
		return err
	}
	for _, name := range e.LogFiles() {
		log, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
		if err != nil {
			return errors.Join(err, e.closeLogs())
		}
		e.logs = append(e.logs, log)
	}
	next := 0
	cluster, err := brokerproc.PlanCluster(brokerproc.ClusterOptions{
		Binary: e.build.binary, Dir: e.DataDir(), Nodes: e.nodes,
		Edit: func(m *brokerproc.Member) {
			m.Durability, m.Log = e.durability, e.logs[next]
			next++
		},
	})
	if err != nil {
		return errors.Join(err, e.closeLogs())
	}
	e.cluster = cluster
	if err := e.form(ctx); err != nil {
		return errors.Join(err, e.Stop())
	}
	return nil
}

func (e *EntrepotCluster) form(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	if err := e.cluster.StartAll(ctx); err != nil {
		return err
	}
	_, err := e.cluster.WaitStatus(ctx, func(s *brokerproc.Status) bool {
		for _, n := range e.cluster.Nodes {
			if s.Leads(n.ID) == 0 {
				return false
			}
		}
		return s.Caught()
	})
	return err
}

// Launch starts the nodes over what is stored.
func (e *EntrepotCluster) Launch(context.Context) error {
	var errs []error
	for _, n := range e.cluster.Nodes {
		errs = append(errs, e.cluster.Launch(n))
	}
	return errors.Join(errs...)
}

// Kill is SIGKILL for all.
func (e *EntrepotCluster) Kill() { e.cluster.KillAll() }

// KillNode is SIGKILL for one.
func (e *EntrepotCluster) KillNode(node int) { e.cluster.Nodes[node].Process.Kill() }

// Stop kills the nodes, as it does with the other clusters: one of which all end
// at the same time has nobody to hand anything over to.
func (e *EntrepotCluster) Stop() error {
	e.cluster.KillAll()
	return e.closeLogs()
}

func (e *EntrepotCluster) closeLogs() error {
	var errs []error
	for _, log := range e.logs {
		errs = append(errs, log.Close())
	}
	e.logs = nil
	return errors.Join(errs...)
}

// Wipe removes the stores and the logs.
func (e *EntrepotCluster) Wipe() error { return os.RemoveAll(e.dir) }

// Nodes is how many there are.
func (e *EntrepotCluster) Nodes() int { return e.nodes }

// NodePIDs is the one process of a node.
func (e *EntrepotCluster) NodePIDs(node int) []int {
	if n := e.cluster.Nodes[node]; n.Running() {
		return []int{n.Process.PID()}
	}
	return nil
}

// PIDs are those of all nodes.
func (e *EntrepotCluster) PIDs() []int { return allPIDs(e) }

// NeedsDeclare is false: the built-in policy makes a queue on first use.
func (e *EntrepotCluster) NeedsDeclare() bool { return false }

// clusterDeclarers is how many declarations of a cluster are under way at a time:
// each waits for a majority, and a million of them are made. Packs, and with them
// what a declaration costs, get better with more.
const clusterDeclarers = 512

// Declare uses the admin interface of all nodes, each for its share.
func (e *EntrepotCluster) Declare(ctx context.Context, queues []string) error {
	type share struct {
		hostPort string
		queues   []string
	}
	var shares []share
	for part := range slices.Chunk(queues, max((len(queues)+e.nodes-1)/e.nodes, 1)) {
		shares = append(shares, share{e.cluster.Nodes[len(shares)].HTTP, part})
	}
	return load.Each(ctx, shares, e.nodes, func(ctx context.Context, s share) error {
		return e.api.declare(ctx, s.hostPort, s.queues, clusterDeclarers/e.nodes)
	})
}

// living is the HTTP address of a node that runs.
func (e *EntrepotCluster) living() (string, error) {
	for _, n := range e.cluster.Nodes {
		if n.Running() {
			return n.HTTP, nil
		}
	}
	return "", errors.New("no node runs")
}

// shard is the shard of a queue. One that does not exist yet is made: else it has
// none.
func (e *EntrepotCluster) shard(ctx context.Context, queue string) (uint16, error) {
	hostPort, err := e.living()
	if err != nil {
		return 0, err
	}
	if err := e.api.declare(ctx, hostPort, []string{queue}, 1); err != nil {
		return 0, err
	}
	info, err := e.api.show(ctx, hostPort, queue)
	return info.Shard, err
}

// Leader is the node that leads the queue's shard.
func (e *EntrepotCluster) Leader(ctx context.Context, queue string) (int, error) {
	shard, err := e.shard(ctx, queue)
	if err != nil {
		return 0, err
	}
	status, err := e.cluster.Status(ctx)
	if err != nil {
		return 0, err
	}
	for _, s := range status.Shards {
		for i, n := range e.cluster.Nodes {
			if s.ID == shard && s.Leader == n.ID {
				return i, nil
			}
		}
	}
	return 0, fmt.Errorf("shard %d has no leader", shard)
}

// Transfer moves the shard, with the tool that operators use.
func (e *EntrepotCluster) Transfer(ctx context.Context, queue string) error {
	shard, err := e.shard(ctx, queue)
	if err != nil {
		return err
	}
	leader, err := e.Leader(ctx, queue)
	if err != nil {
		return err
	}
	to := e.cluster.Nodes[(leader+1)%e.nodes].ID
	hostPort, err := e.living()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, e.build.binary, "cluster", "transfer", strconv.Itoa(int(shard)), to, "--http", hostPort)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%v: %w: %s", cmd.Args, err, out)
	}
	return nil
}

// BytesBetween sums up what the nodes have sent to each other.
func (e *EntrepotCluster) BytesBetween(ctx context.Context) (uint64, error) {
	var sum float64
	for _, n := range e.cluster.Nodes {
		m, err := n.Process.Metrics(ctx)
		if err != nil {
			return 0, err
		}
		sum += m.Sum("entrepot_peer_written_bytes_total")
	}
	return uint64(sum), nil
}

// Client speaks AMQP 1.0.
func (e *EntrepotCluster) Client(kind ClientKind) (load.Client, error) {
	if e.cluster == nil { // asked before the first start, for what there is
		return &rawamqp.Client{}, nil
	}
	return e.ClientAt(0, kind)
}

// ClientAt speaks AMQP 1.0 with one node.
func (e *EntrepotCluster) ClientAt(node int, kind ClientKind) (load.Client, error) {
	return entrepotClient(e.cluster.Nodes[node].AMQP, kind), nil
}

// entrepotClient speaks AMQP 1.0 with the node that listens there.
func entrepotClient(hostPort string, kind ClientKind) load.Client {
	address := func(queue string) string { return queue }
	if kind == GoAMQP {
		return &goamqp.Client{URL: "amqp://" + hostPort, Address: address}
	}
	return &rawamqp.Client{HostPort: hostPort, Address: address}
}
