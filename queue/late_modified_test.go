package queue

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestARemovalDoesNotSortWhatIsUnknown: after a change of leaders the failures of very many
// deliveries may be told at once, and a pack has a thousand removals.
func TestARemovalDoesNotSortWhatIsUnknown(t *testing.T) {
	const unknown = 10_000
	d := NewDispatcher(DispatcherConfig{Epoch: 1})
	d.Attach(1, 1, AttachOptions{}, Snapshot{State: State{Head: 1, Tail: unknown + 2, Count: unknown + 1}})
	for seq := Seq(1); seq <= unknown; seq++ {
		d.Late(1, seq, uint64(seq), Outcome{Kind: Modified, Failed: true})
	}
	d.Effects()
	other := []Run{{First: unknown + 1, Count: 1}}
	require.Zero(t, testing.AllocsPerRun(10, func() {
		d.Removed(1, other)
		d.Effects()
	}))
	d.Removed(1, []Run{{First: 7, Count: 1}, {First: 9, Count: unknown}})
	require.Len(t, d.Effects(), unknown-8+1, "who has told of what is gone hears so")
	require.Len(t, d.runtimes[1].unknown, 7)
}
