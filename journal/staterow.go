package journal

import (
	"encoding/binary"
	"errors"
	"math"
)

// stateRowName is the mark that a shard keeps for itself.
const stateRowName = "state"

// stateRow is what ties the state of a shard to its log. Its value, within
// the frame of every S row (uv is an unsigned varint):
//
//	| g u8 | K u64 | W u64 | n uv | n * (index uv, record uv) | machine's meta ... |
//
// K is the entry whose effects the H, B, N, I, M and T rows hold, all of them
// and no later one's. W is the entry up to which the bodies of live messages
// have Q keys: between W and K the log has them, and recovery rebuilds the
// window from there.
//
// For that it must know the sequence number of every Enqueue in (W, K]. They
// count backwards from the queue's tail at K, if one knows which Enqueues were
// refused because the queue did not exist, and which packs because they were
// duplicates or gaps: the list has those, and is nearly always empty.
//
// Invariant: W <= K. The log is never truncated behind W.
type stateRow struct {
	generation uint8
	durable    uint64 // K
	spilled    uint64 // W
	refused    []refusal
	meta       []byte
}

// refusal names an Enqueue that found no queue, or a whole pack that was not
// applied.
type refusal struct {
	index  uint64
	record uint32 // its place in the pack, from 0, or wholePack
}

// wholePack is no record's place: a pack has fewer.
const wholePack = math.MaxUint32

const (
	firstGeneration  = 1
	stateRowFixedLen = 1 + 8 + 8
)

func (r *stateRow) append(b []byte) []byte {
	b = append(b, r.generation)
	b = binary.BigEndian.AppendUint64(b, r.durable)
	b = binary.BigEndian.AppendUint64(b, r.spilled)
	b = binary.AppendUvarint(b, uint64(len(r.refused)))
	for _, f := range r.refused {
		b = binary.AppendUvarint(b, f.index)
		b = binary.AppendUvarint(b, uint64(f.record))
	}
	return append(b, r.meta...)
}

func decodeStateRow(key, b []byte) (stateRow, error) {
	if len(b) < stateRowFixedLen {
		return stateRow{}, corrupt(key, "cut off at %d bytes", len(b))
	}
	r := stateRow{
		generation: b[0],
		durable:    binary.BigEndian.Uint64(b[1:]),
		spilled:    binary.BigEndian.Uint64(b[9:]),
	}
	b = b[stateRowFixedLen:]
	next := func() (v uint64, ok bool) {
		v, n := binary.Uvarint(b)
		b = b[max(n, 0):]
		return v, n > 0
	}
	count, ok := next()
	for ; ok && count > 0; count-- {
		index, ok1 := next()
		record, ok2 := next()
		ok = ok1 && ok2
		r.refused = append(r.refused, refusal{index, uint32(record)})
	}
	if !ok || r.spilled > r.durable {
		return stateRow{}, corrupt(key, "refusals cut off, or W %d behind K %d", r.spilled, r.durable)
	}
	r.meta = b
	return r, nil
}

// readStateRow reads a shard's row; a shard that has none yet is empty.
func (s *Store) readStateRow(sh uint16) (stateRow, error) {
	key := appendMarkKey(nil, sh, stateRowName)
	b, err := s.getPlain(key)
	if errors.Is(err, ErrNotFound) {
		return stateRow{generation: firstGeneration}, nil
	}
	if err != nil {
		return stateRow{}, err
	}
	return decodeStateRow(key, b)
}
