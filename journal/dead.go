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
type deadRuns struct{ queues map[queue.ID][]seqRange }

// seqRange is the messages [from, to).
type seqRange struct{ from, to queue.Seq }

// mergeAt bounds the ranges of one queue between merges.
const mergeAt = 1024

// add notes [from, to) of q.
func (d *deadRuns) add(q queue.ID, from, to queue.Seq) {
	if from >= to {
		return
	}
	if d.queues == nil {
		d.queues = map[queue.ID][]seqRange{}
	}
	ranges := d.queues[q]
	if n := len(ranges); n > 0 && ranges[n-1].to == from { // the common case: settled in order
		ranges[n-1].to = to
		return
	}
	ranges = append(ranges, seqRange{from, to})
	if len(ranges)%mergeAt == 0 {
		ranges = mergeRanges(ranges)
	}
	d.queues[q] = ranges
}

// all notes every message of a queue that is no more.
func (d *deadRuns) all(q queue.ID) {
	if d.queues == nil {
		d.queues = map[queue.ID][]seqRange{}
	}
	d.queues[q] = []seqRange{{0, ^queue.Seq(0)}}
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
	for q, ranges := range d.queues {
		for _, r := range mergeRanges(ranges) {
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
