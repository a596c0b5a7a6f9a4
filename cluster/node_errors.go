package cluster

import "errors"

// Errors of a Node, wrapped with what they are about.
var (
	// ErrOtherNode: the data directory belongs to a node of another id.
	ErrOtherNode = errors.New("cluster: the data belong to another node")
	// ErrRefused: the cluster does not want this node, and waiting does not help: it
	// was wiped or removed, or its data belong to another cluster.
	ErrRefused = errors.New("cluster: this node is refused")

	// ErrNotFound: no such node or shard.
	ErrNotFound = errors.New("cluster: not found")
	// ErrInvalid: the request can't be meant so.
	ErrInvalid = errors.New("cluster: invalid")
	// ErrConflict: it can't be done as things are.
	ErrConflict = errors.New("cluster: not possible now")
	// ErrUnavailable: no leader, no majority, or nobody answered in time.
	ErrUnavailable = errors.New("cluster: unavailable")
)
