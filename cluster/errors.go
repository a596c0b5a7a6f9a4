package cluster

import "errors"

var (
	// ErrNotLeader: this node does not lead the group. Waiters are never told so:
	// their packs go to whoever leads.
	ErrNotLeader = errors.New("cluster: this node is not the leader")

	// ErrStopped: the group is stopping or has stopped. The records were not
	// applied and never will be.
	ErrStopped = errors.New("cluster: the group has stopped")

	// ErrUnknownOutcome: the disk failed or the group stopped after the records were
	// handed to the log or sent to a leader, or this replica was filled from a stream
	// that may hold them. They may or may not be applied: the sender is told neither
	// accepted nor rejected.
	ErrUnknownOutcome = errors.New("cluster: outcome unknown, the group ended while the pack was in flight")
)
