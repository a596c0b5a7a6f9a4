package broker

import (
	"testing"

	"github.com/stretchr/testify/require"

	"entrepot/protocol/amqp"
	"entrepot/queue"
)

// TestWaitingForAConfirmationDoesNotAllocate: every message that a client leaves to us to
// settle waits for that.
func TestWaitingForAConfirmationDoesNotAllocate(t *testing.T) {
	var s consumer
	said, out := amqp.Outcome{ID: 1}, queue.Outcome{Kind: queue.Accepted}
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		delete(s.unconfirmed, s.await(&said, 1, &out))
	}))
}
