package journal

import (
	"cmp"
	"slices"

	"entrepot/queue"
)

// deadRuns are messages that were removed but still have Q keys. Nobody reads
// those any more (the live set decides what is alive); they only take space,
// until the next state row is written and clears them by range tombstones.
//
// The tombstones are on disk before the row that forgets the removals, and
// after a crash the replayed removals bring back what was not cleared, so no
// body is left behind for good.
type deadRuns struct{ queues map[queue.ID]*deadQueue }

// deadQueue is what is dead of one queue.
type deadQueue struct {
	ranges  []seqRange
	mergeAt int // merge when there are so many ranges
}

// seqRange is the messages [from, to).
type seqRange struct{ from, to queue.Seq }

// mergeLeast is how many ranges are not worth a merge. After one, the next comes
// when there are twice as many as it left: messages that expire in no order may
// leave a range each, and sorting all of them for every thousand would be
// quadratic.
const mergeLeast = 1024

// add notes [from, to) of q.
func (d *deadRuns) add(q queue.ID, from, to queue.Seq) {
	if from >= to {
		return
	}
	dq := d.queue(q)
	if n := len(dq.ranges); n > 0 && dq.ranges[n-1].to == from { // the common case: settled in order
		dq.ranges[n-1].to = to
		return
	}
	dq.ranges = append(dq.ranges, seqRange{from, to})
	if len(dq.ranges) >= dq.mergeAt {
		dq.ranges = mergeRanges(dq.ranges)
		dq.mergeAt = max(mergeLeast, 2*len(dq.ranges))
	}
}

func (d *deadRuns) queue(q queue.ID) *deadQueue {
	dq := d.queues[q]
	if dq == nil {
		if d.queues == nil {
			d.queues = map[queue.ID]*deadQueue{}
		}
		dq = &deadQueue{mergeAt: mergeLeast}
		d.queues[q] = dq
	}
	return dq
}

// all notes every message of a queue that is no more.
func (d *deadRuns) all(q queue.ID) {
	d.queue(q).ranges = []seqRange{{0, ^queue.Seq(0)}}
}

// deadRange is one range to be cleared.
type deadRange struct {
	queue queue.ID
	seqRange
}

// take gives the ranges in the order of keys, none touching another, and
// forgets them.
func (d *deadRuns) take() []deadRange {
	var out []deadRange
	for q, dq := range d.queues {
		for _, r := range mergeRanges(dq.ranges) {
			out = append(out, deadRange{q, r})
		}
	}
	slices.SortFunc(out, func(a, b deadRange) int {
		return cmp.Or(cmp.Compare(a.queue, b.queue), cmp.Compare(a.from, b.from))
	})
	d.queues = nil
	return out
}

// mergeRanges sorts ranges and joins what overlaps or touches, in place.
func mergeRanges(r []seqRange) []seqRange {
	slices.SortFunc(r, func(a, b seqRange) int { return cmp.Compare(a.from, b.from) })
	n := 0
	for _, x := range r {
		if n > 0 && x.from <= r[n-1].to {
			r[n-1].to = max(r[n-1].to, x.to)
			continue
		}
		r[n] = x
		n++
	}
	return r[:n]
}
