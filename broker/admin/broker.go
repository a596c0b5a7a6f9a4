// Package admin is the HTTP side of a broker: health, metrics, and the queues
// as a REST API (openapi.yaml describes it, a test holds the two together).
//
// It knows nothing of how a broker works: what it needs is the interface
// Broker, which the package broker fulfils and a fake fulfils in the tests.
package admin

import (
	"context"
	"errors"
)

// Broker is what the admin interface shows and changes. All methods may be
// called from many goroutines at a time. None of them may wait for a slow
// client, and all of them work when queues, the node or the disk are full.
type Broker interface {
	// Health says why the process should be killed and started again; nil
	// while there is no such reason. It answers at once, from memory.
	Health() error
	// Ready says why the node can't serve clients now (it starts, it stops);
	// nil when it can. It answers at once, from memory. A node that is full
	// or low on disk is ready: consumers are what helps it.
	Ready() error

	// Queues lists the queues whose names begin with prefix and come after the
	// name after, in the order of their names, at most limit (at least 1) of
	// them. Both strings may be empty.
	Queues(ctx context.Context, prefix, after string, limit int) (Page, error)
	// Queue tells of one queue. ErrNotFound: there is none of that name.
	Queue(ctx context.Context, name string) (Queue, error)
	// Declare creates the queue, or gives an existing one new declared values.
	// It returns when the fact is durable; created tells which of both it was.
	// ErrInvalid: the name can't be an address, or a value is wider than the
	// policy. ErrForbidden: the policy for this address wants no queue there.
	Declare(ctx context.Context, name string, d Declaration) (q Queue, created bool, err error)
	// Delete removes the queue with its messages and detaches its links. It
	// returns how many messages went. ErrNotFound: there is none.
	Delete(ctx context.Context, name string) (messages uint64, err error)
	// Purge removes all messages of the queue, also those that are with a
	// consumer: what it then says of them makes no difference. It returns how
	// many went. ErrNotFound: there is no such queue.
	Purge(ctx context.Context, name string) (messages uint64, err error)

	// Cluster is the cluster that this node belongs to. ErrConflict: none, it is
	// standalone.
	Cluster() (Cluster, error)

	// Metrics reads the totals. It costs the same with one queue and with a
	// million, save for the queues whose policy asks for series of their own.
	Metrics() Metrics
}

// The kinds of error that a Broker answers with, to be wrapped with a sentence
// that tells the user what to do. Any other error is the broker's own fault
// and becomes status 500.
var (
	ErrNotFound    = errors.New("not found")   // 404: no queue, node or shard of that name
	ErrInvalid     = errors.New("invalid")     // 400: the request can't be meant so
	ErrForbidden   = errors.New("forbidden")   // 403: a policy says no
	ErrConflict    = errors.New("conflict")    // 409: not as things are now
	ErrUnavailable = errors.New("unavailable") // 503: starting, stopping, no leader
)

// Page is a part of the list of queues.
type Page struct {
	Queues []Queue `json:"queues"`
	// Next is what to give as after for the next page; empty at the end.
	Next string `json:"next,omitempty"`
}

// Queue is what can be told of one queue without reading its messages.
type Queue struct {
	Name string `json:"name"`
	// Shard of the cluster that has it; 0 where there is only one.
	Shard uint16 `json:"shard"`
	// Messages are all in the queue: waiting, or with a consumer that has not
	// settled them.
	Messages uint64 `json:"messages"`
	// Bytes are the sizes of those messages as they came in.
	Bytes uint64 `json:"bytes"`
	// Unsettled are those of Messages that are with a consumer.
	Unsettled uint64 `json:"unsettled"`
	// Consumers and Producers are the links attached now.
	Consumers uint64 `json:"consumers"`
	Producers uint64 `json:"producers"`
	// Policy is the pattern of the policy that holds.
	Policy string `json:"policy"`
	// Declared are the values that were declared for this queue.
	Declared Declaration `json:"declared"`
	// Effective are the values that hold: the policy's, narrowed by Declared.
	Effective Declaration `json:"effective"`
}
