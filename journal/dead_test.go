package journal

import (
	"testing"

	"github.com/stretchr/testify/require"

	"entrepot/queue"
)

// Messages that die in no order leave a range each until neighbours meet. A merge
// for every so many ranges is quadratic: a million took minutes. Doubling keeps the
// number of merges at the logarithm.
func TestRangesThatDieInNoOrder(t *testing.T) {
	const n = 1 << 20
	var d deadRuns
	for i := range uint64(n) {
		seq := queue.Seq(i*2654435761%n) + 1 // every number once: the factor is odd
		d.add(1, seq, seq+1)
	}
	require.Equal(t, []deadRange{{1, seqRange{1, n + 1}}}, d.take(), "all have died: one range is left")
	require.Empty(t, d.take(), "taken once")
}

func TestDeadRangesAreInTheOrderOfKeys(t *testing.T) {
	var d deadRuns
	d.add(2, 5, 6)
	d.add(1, 9, 12)
	d.add(1, 3, 4)
	d.add(1, 4, 5)
	d.all(3)
	require.Equal(t, []deadRange{
		{1, seqRange{3, 5}}, {1, seqRange{9, 12}}, {2, seqRange{5, 6}}, {3, seqRange{0, ^queue.Seq(0)}},
	}, d.take(), "neighbours are one range, and queues follow each other")
}
