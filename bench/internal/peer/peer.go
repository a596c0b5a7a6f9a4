// Package peer starts, kills and asks the brokers that are measured: Entrepot and
// those it is measured against. Everything listens on free ports of the loopback
// and keeps its data in a directory of its own.
package peer

import (
	"context"
	"errors"
	"os"

	"entrepot/bench/internal/load"
)

// Broker is one broker under test. It is used by one goroutine, but for Declare
// and the clients.
//
// The life of one is: Install once; then for every run Start, any number of
// Kill and Launch, Stop, and Wipe.
type Broker interface {
	// Name is what reports call it, "nats-2m".
	Name() string
	// Install finds or builds the program and returns its version. An error that
	// wraps ErrNotInstalled says what is missing and how to get it.
	Install(ctx context.Context) (version string, err error)

	// Start launches the broker on an empty data directory and returns when it
	// serves clients.
	Start(ctx context.Context) error
	// Launch starts the broker over the data that is there and does not wait.
	Launch(ctx context.Context) error
	// Kill ends all processes with SIGKILL and returns when they are gone.
	Kill()
	// Stop ends the broker.
	Stop() error
	// Wipe removes all data and logs of a broker that has ended.
	Wipe() error

	// PIDs are the processes that make up the broker: of all its living nodes.
	PIDs() []int
	// DataDir is where all data is.
	DataDir() string
	// LogFiles have what each node wrote to its standard output and error since
	// Start; they are there until Wipe.
	LogFiles() []string

	// Declare makes durable, empty queues, several requests at a time.
	Declare(ctx context.Context, queues []string) error
	// NeedsDeclare says that a client's attach does not make the queue.
	NeedsDeclare() bool
	// Client gives the load client of a kind; load.ErrUnsupported if it has none.
	Client(kind ClientKind) (load.Client, error)
}

// Cluster is a Broker of several nodes, numbered from 0, which hold every queue
// three times. Client, which a Broker has too, is for node 0.
type Cluster interface {
	Broker
	// Nodes is how many there are; 1 is a broker without replicas.
	Nodes() int
	// NodePIDs are the processes of one node; none if it was killed.
	NodePIDs(node int) []int
	// KillNode ends one node with SIGKILL and returns when it is gone.
	KillNode(node int)
	// ClientAt gives a load client that connects to one node and no other.
	ClientAt(node int, kind ClientKind) (load.Client, error)
	// Leader is the node that orders a queue's messages, as a living node knows.
	// An error if nobody leads it now.
	Leader(ctx context.Context, queue string) (int, error)
	// Transfer orders that another node leads the queue, as an operator does
	// before maintenance, and returns when that has been taken.
	Transfer(ctx context.Context, queue string) error
}

// Depther is a Broker that can tell how many messages a queue holds.
type Depther interface {
	Depth(ctx context.Context, queue string) (uint64, error)
}

// Talker is a Cluster that counts the bytes that its nodes send each other.
type Talker interface {
	// BytesBetween is the sum over all nodes, since their start.
	BytesBetween(ctx context.Context) (uint64, error)
}

// ClientKind is a family of load clients.
type ClientKind int

const (
	// Fastest is our own engine for AMQP, and nats.go.
	Fastest ClientKind = iota
	// GoAMQP is Azure/go-amqp.
	GoAMQP
)

// ErrNotInstalled says that a broker cannot be measured on this machine.
var ErrNotInstalled = errors.New("not installed")

// declarers is how many declarations are under way at a time, with every broker
// that needs one request for each.
const declarers = 16

// emptyDir makes dir, without contents.
func emptyDir(dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	return os.MkdirAll(dir, 0o700)
}
