package queue

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAttachInTheSameMomentKeepsTheQueueActive: the owner makes a queue active
// when it attaches, and inactive when it carries out Idle, which is later. An
// Idle from before the Attach would cut the new consumer off from all facts.
func TestAttachInTheSameMomentKeepsTheQueueActive(t *testing.T) {
	d := attached(DispatcherConfig{}, AttachOptions{}, 1)
	d.Detach(1)
	d.Attach(2, 1, AttachOptions{}, Snapshot{State: State{Head: 1, Tail: 1}})
	require.Empty(t, d.Effects())
	d.Detach(2)
	effects := d.Effects()
	require.Len(t, effects, 1)
	require.Equal(t, EffectIdle, effects[0].Kind)
}
