package journal

import (
	"context"
	"io"
	"math/rand/v2"

	"github.com/stretchr/testify/require"

	"entrepot/queue"
)

// openStream opens a stream of the rig's shard.
func (r *rig) openStream() *Stream {
	r.t.Helper()
	st, err := r.shard.OpenStream(context.Background())
	require.NoError(r.t, err)
	return st
}

// streamed is a whole stream.
func (r *rig) streamed() []byte {
	r.t.Helper()
	st := r.openStream()
	b, err := io.ReadAll(st)
	require.NoError(r.t, err)
	require.EqualValues(r.t, st.Size, len(b), "Size is exact")
	require.NoError(r.t, st.Close())
	return b
}

// restore replaces the rig's state by a stream, as Raft does: the log loses all it
// has afterwards.
func (r *rig) restore(stream []byte) {
	r.t.Helper()
	x, err := r.shard.NewRestore()
	require.NoError(r.t, err)
	n, err := x.Write(stream)
	require.NoError(r.t, err)
	require.Equal(r.t, len(stream), n)
	r.commit(x)
}

func (r *rig) commit(x *Restore) {
	r.t.Helper()
	index, err := x.Finish()
	require.NoError(r.t, err)
	require.NoError(r.t, x.Commit())
	require.NoError(r.t, x.Abort(), "after Commit it does nothing")
	require.NoError(r.t, r.log.DeleteRange(r.log.First(), r.log.Last()))
	require.Zero(r.t, r.log.Last(), "Raft deletes everything")
	require.Equal(r.t, index, r.shard.AppliedIndex())
	require.Equal(r.t, index, r.shard.DurableIndex())
	require.Zero(r.t, r.shard.WindowBytes())
	r.next = index + 1
}

// history is what was applied to a shard, by index from 1 on.
type history [][]op

func (h history) twin(upTo uint64) *twin {
	tw := newTwin()
	for _, ops := range h[:upTo] {
		for _, o := range ops {
			tw.apply(o)
		}
	}
	return tw
}

// grow makes n more packs of random records and gives each to the rigs.
func (h *history) grow(rng *rand.Rand, n int, each func(i int), rigs ...*rig) {
	tw := h.twin(uint64(len(*h)))
	for i := range n {
		ops := randomOps(rng, tw)
		*h = append(*h, ops)
		for _, r := range rigs {
			r.do(func(b *queue.PackBuilder) { build(b, ops) })
		}
		if each != nil {
			each(i)
		}
	}
}
