package journal

import (
	"errors"
	"fmt"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/stretchr/testify/require"

	"entrepot/queue"
)

// A flush that a cut-out range has cancelled is an event of Pebble's like a failed one.
// It is tried again: no reason to end. (make chaos found a node that did.)
func TestACancelledFlushIsNoFailure(t *testing.T) {
	r := newRig(t, memOptions())
	defer func() { _ = r.store.Close() }()
	r.declare(1)
	r.store.backgroundError(fmt.Errorf("flush: %w", pebble.ErrCancelledCompaction))
	r.enqueue(1, "a")
	require.Equal(t, []string{"a"}, payloads(r.all(1, 10)))

	r.store.backgroundError(errors.New("the disk is gone"))
	_, err := r.try(r.pack(func(b *queue.PackBuilder) { b.Enqueue(1, 0, 0, []byte("b")) }))
	require.ErrorContains(t, err, "the disk is gone")
}
