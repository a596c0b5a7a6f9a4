package queue

import "slices"

// runtime is what the Dispatcher knows of one queue while someone is attached
// to it, or an outcome of its messages is under way.
//
// Invariant, while consumers (other than browsers) are attached: every message
// before loadPos that is alive, as far as facts have come, is in the table; of
// those from loadPos on, only settling and parked ones are. So what a load
// brings from before loadPos and is not in the table is dead already.
// Invariant: without consumers nothing is ready: it is all in the store.
type runtime struct {
	q         ID
	consumers []*consumer
	browsers  []*consumer
	hungry    consumerList
	draining  int
	window    int // sum of the consumers' windows

	table      seqTable
	ready      entryList // by seq: for any consumer
	restricted entryList // by seq: not for all of them

	loadPos Seq
	tail    Seq // what the next message will get, as far as facts have come

	bufMessages int // ready and loaded
	bufBytes    int

	load      LoadID // outstanding, 0: none
	loadFrom  Seq
	loadStale bool  // something happened that makes its result useless
	tombs     []Run // removed since the oldest outstanding load was asked for
	loads     int   // outstanding ones, browsers' as well

	late         int   // removals for a deadline that are proposed
	stalledUntil int64 // nothing is proposed or loaded before; 0: not stalled

	modifies fifo[openModify] // proposed, not answered
	claims   map[Seq][]claim  // of known messages that somebody has settled late
	unknown  map[Seq]*unknown // messages that somebody has modified late
	peek     LoadID           // outstanding, for their sake; 0: none
	peekFrom Seq

	suspect         Seq // up to here a delivery by an earlier leader is implied
	deliveredBefore Seq // up to here someone may have had it before the first attach
	high            Seq // the highest that was delivered
	marked          Seq // the highest of which the store knows that it was
	markQueued      bool
	maxDeliveries   uint32
	mean            int // bytes of a message, about
}

// maxTombs bounds what is remembered for outstanding loads. Beyond it their
// results are thrown away and asked for again.
const maxTombs = 4096

// list is the list that a ready entry belongs to.
func (r *runtime) list(e *entry) *entryList {
	if e.only != nil {
		return &r.restricted
	}
	return &r.ready
}

// offer makes the restricted entry e known to the consumers that may have it.
func (r *runtime) offer(e *entry, nowMillis int64) {
	for _, c := range r.consumers {
		if e.seq < c.clearBelow && e.only.admits(c, nowMillis) {
			c.clearBelow = e.seq
		}
	}
}

// noteRemoved remembers a removal for the loads that may not have seen it.
func (r *runtime) noteRemoved(run Run) {
	main := r.load != 0 && run.End() > r.loadPos
	if !main && (r.loads == 0 || len(r.browsers) == 0) {
		return
	}
	if n := len(r.tombs); n > 0 && r.tombs[n-1].End() == run.First {
		if sum := uint64(r.tombs[n-1].Count) + uint64(run.Count); sum <= 1<<32-1 {
			r.tombs[n-1].Count = uint32(sum)
			return
		}
	}
	if len(r.tombs) < maxTombs {
		r.tombs = append(r.tombs, run)
		return
	}
	r.tombs = r.tombs[:0]
	r.loadStale = r.load != 0
	for _, b := range r.browsers {
		b.stale = b.load != 0
	}
}

// sortTombs prepares the tombs for wasRemoved.
func (r *runtime) sortTombs() {
	slices.SortFunc(r.tombs, func(a, b Run) int {
		switch {
		case a.First < b.First:
			return -1
		case a.First > b.First:
			return 1
		}
		return 0
	})
}

// wasRemoved tells whether a loaded message is known to be dead. The cursor,
// which begins with 0, moves along with the messages, which are in order.
// REQUIRES: sortTombs.
func (r *runtime) wasRemoved(s Seq, cursor *int) bool {
	for *cursor < len(r.tombs) && r.tombs[*cursor].End() <= s {
		*cursor++
	}
	return *cursor < len(r.tombs) && r.tombs[*cursor].Contains(s)
}

// loadEnded forgets the tombs when no load needs them.
func (r *runtime) loadEnded() {
	r.loads--
	if r.loads == 0 {
		r.tombs = r.tombs[:0]
	}
}

// notLate: e's removal for its deadline is no longer under way, if it was.
func (r *runtime) notLate(e *entry) {
	if e.late {
		e.late = false
		r.late--
	}
}

// idle tells whether there is nothing left to know but what the store knows.
func (r *runtime) idle() bool {
	return len(r.consumers) == 0 && len(r.browsers) == 0 && r.table.n == 0 &&
		r.modifies.len() == 0 && len(r.unknown) == 0 && r.high <= r.marked
}
