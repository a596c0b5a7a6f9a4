package cluster

import "errors"

var (
	// ErrNotLeader: this node does not lead the group. The records were not
	// applied and never will be; they may be sent to the leader.
	ErrNotLeader = errors.New("cluster: this node is not the leader")

	// ErrStopped: the group is stopping or has stopped. The records were not
	// applied and never will be.
	ErrStopped = errors.New("cluster: the group has stopped")

	// ErrUnknownOutcome: leadership, the disk or the group was lost after the
	// records were handed to the log. They may or may not be applied later: the
	// sender is told neither accepted nor rejected.
	ErrUnknownOutcome = errors.New("cluster: outcome unknown, leadership was lost while the pack was in flight")
)
