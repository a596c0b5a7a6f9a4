package journal

import (
	"sort"
	"time"

	"entrepot/queue"
)

// window is the recent entries of a shard whose bodies are not in Q keys yet:
// everything in (W, applied]. Bodies stay in the packs they came in.
//
// A queue's messages in the window are its newest: its segments cover exactly
// [first of the first segment, Tail). What is alive is the Machine's business;
// the window knows only where a body is.
//
// Owner: the Shard, under its lock.
type window struct {
	entries []*windowEntry // oldest first
	bytes   int64          // what the entries hold, see windowEntry.cost
	queues  map[queue.ID]*windowQueue

	freeEntries []*windowEntry
	freeQueues  []*windowQueue
}

// windowEntry is one applied entry.
type windowEntry struct {
	index     uint64
	appliedAt time.Time // by our clock
	// arrivedMillis is the time of the pack: when its messages came in.
	arrivedMillis int64
	pack          []byte // nil if it has no message
	slots         []slot
	segments      []segment // rows of one queue, in order of appearance
	refused       []uint32  // places of Enqueues that found no queue; wholePack
	// minDeadline is at most the earliest deadline of a live message, 0 if
	// there is none.
	minDeadline int64
}

// slot is where one message is in the pack.
type slot struct {
	offset, length uint32
	deadlineMillis int64
	flags          queue.Flags
}

// segment is a row of neighbouring messages of one queue in one entry:
// slots [slot, slot+count) hold [first, first+count).
type segment struct {
	first queue.Seq
	queue queue.ID
	slot  uint32
	count uint32
}

func (g *segment) end() queue.Seq { return g.first + queue.Seq(g.count) }

// segmentRef is a segment as its queue knows it.
type segmentRef struct {
	entry *windowEntry
	at    int
}

func (r segmentRef) segment() *segment { return &r.entry.segments[r.at] }

// windowQueue is a queue's segments, oldest first.
type windowQueue struct{ segments []segmentRef }

const (
	slotSize  = 24
	entrySize = 160
	segSize   = 48 // with its reference
)

func newWindow() window { return window{queues: map[queue.ID]*windowQueue{}} }

// cost is the memory of an entry, whatever of it is alive.
func (e *windowEntry) cost() int64 {
	return int64(cap(e.pack)) + int64(cap(e.slots))*slotSize + int64(cap(e.segments))*segSize + entrySize
}

// begin makes the entry for a pack that is about to be applied. It joins the
// window by push.
func (w *window) begin(index uint64, now time.Time, arrivedMillis int64) *windowEntry {
	var e *windowEntry
	if n := len(w.freeEntries); n > 0 {
		e, w.freeEntries = w.freeEntries[n-1], w.freeEntries[:n-1]
	} else {
		e = new(windowEntry)
	}
	e.index, e.appliedAt, e.arrivedMillis = index, now, arrivedMillis
	return e
}

// add puts a message into e. REQUIRES: it is the newest one of its queue.
func (w *window) add(e *windowEntry, q queue.ID, seq queue.Seq, s slot) {
	if s.deadlineMillis > 0 && (e.minDeadline == 0 || s.deadlineMillis < e.minDeadline) {
		e.minDeadline = s.deadlineMillis
	}
	at := uint32(len(e.slots))
	e.slots = append(e.slots, s)
	n := len(e.segments)
	if n > 0 {
		if g := &e.segments[n-1]; g.queue == q && g.end() == seq {
			g.count++
			return
		}
	}
	e.segments = append(e.segments, segment{first: seq, queue: q, slot: at, count: 1})
	wq := w.queues[q]
	if wq == nil {
		wq = w.newQueue()
		w.queues[q] = wq
	}
	wq.segments = append(wq.segments, segmentRef{e, n})
}

func (w *window) newQueue() *windowQueue {
	if n := len(w.freeQueues); n > 0 {
		wq := w.freeQueues[n-1]
		w.freeQueues = w.freeQueues[:n-1]
		return wq
	}
	return new(windowQueue)
}

// push appends e, which holds pack if it has a message.
func (w *window) push(e *windowEntry, pack []byte) {
	if len(e.slots) > 0 {
		e.pack = pack
	}
	w.entries = append(w.entries, e)
	w.bytes += e.cost()
}

// first is the oldest message of q in the window.
func (w *window) first(q queue.ID) (queue.Seq, bool) {
	wq := w.queues[q]
	if wq == nil {
		return 0, false
	}
	return wq.segments[0].segment().first, true
}

// from gives the segments of q that hold seq or something behind it.
func (w *window) from(q queue.ID, seq queue.Seq) []segmentRef {
	wq := w.queues[q]
	if wq == nil {
		return nil
	}
	i := sort.Search(len(wq.segments), func(i int) bool { return wq.segments[i].segment().end() > seq })
	return wq.segments[i:]
}

// drop takes the oldest n entries out.
func (w *window) drop(n int) {
	for _, e := range w.entries[:n] {
		w.bytes -= e.cost()
		for i := range e.segments {
			w.dropSegment(e.segments[i].queue)
		}
		w.recycle(e)
	}
	clear(w.entries[:n])
	w.entries = w.entries[n:]
	if len(w.entries) == 0 {
		w.entries = nil
	}
}

// dropSegment takes the oldest segment of q out. A queue that was deleted has
// none any more.
func (w *window) dropSegment(q queue.ID) {
	wq := w.queues[q]
	if wq == nil {
		return
	}
	wq.segments[0] = segmentRef{}
	wq.segments = wq.segments[1:]
	if len(wq.segments) == 0 {
		w.forget(q)
	}
}

// forget drops what is known of a queue. Ids are never used again, so one that
// was deleted gets no segments any more.
func (w *window) forget(q queue.ID) {
	wq := w.queues[q]
	if wq == nil {
		return
	}
	delete(w.queues, q)
	wq.segments = nil
	if len(w.freeQueues) < maxFreeWindow {
		w.freeQueues = append(w.freeQueues, wq)
	}
}

// maxFreeWindow bounds what is kept for use again.
const maxFreeWindow = 64

// recycle keeps the entry's slices for the next one.
func (w *window) recycle(e *windowEntry) {
	if len(w.freeEntries) >= maxFreeWindow {
		return
	}
	*e = windowEntry{slots: e.slots[:0], segments: e.segments[:0], refused: e.refused[:0]}
	w.freeEntries = append(w.freeEntries, e)
}

// oldest is when the oldest entry was applied.
func (w *window) oldest() (time.Time, bool) {
	if len(w.entries) == 0 {
		return time.Time{}, false
	}
	return w.entries[0].appliedAt, true
}

// message fills m from a message of the segment; its payload aliases the pack.
func (r segmentRef) message(seq queue.Seq, m *queue.Message) {
	g := r.segment()
	s := &r.entry.slots[g.slot+uint32(seq-g.first)]
	*m = queue.Message{
		Queue:          g.queue,
		Flags:          s.flags,
		Seq:            seq,
		DeadlineMillis: s.deadlineMillis,
		ArrivedMillis:  r.entry.arrivedMillis,
		Payload:        r.entry.payload(s),
	}
}

func (e *windowEntry) payload(s *slot) []byte {
	return e.pack[s.offset : s.offset+s.length : s.offset+s.length]
}
