package cluster

import (
	"slices"
	"sync"
	"time"

	"entrepot/queue"
)

// Batcher gathers the records of many callers into packs and sends the packs
// off, one after the other, to whoever leads: to our own Raft or over the mesh.
//
// The rule: whatever gathered while the last pack was being written is the next
// pack, if there is a record in it that somebody waits for (see EndLater). Nothing
// waits for a timer here. A pack is cut by whoever makes it possible:
// by End, if nothing is in flight (so a single record pays no hand-over), else
// by the goroutine that applies the log, when it learns that the pack before is
// committed: before it applies that one if packs are small, after it has told
// the waiters and stepped back for them if packs are big (see fewRecords).
//
// One pack is outstanding at a time, unless Config.Outstanding says otherwise. A
// second one would be taken by Raft's leader loop in a random order with the commit
// of the first (a Go select over both), and half of the time the first would wait
// for the fsync of the second. With more voters a second one could be written here
// while the first replicates, but it makes more and smaller packs of the same
// records: three nodes on two cores, two against one in turn, gave 1.9-2.3 against
// 1.3-1.4 ms p50 at 2,000/s, and 25-42 against 23-31 us a message at full speed. Towards
// another node see remoteWindow.
//
// What was cut stays in the line until it is known to be applied, and is sent
// again whenever it may have been lost: see line.go. So the waiters do not notice
// who leads, but for the time it takes.
//
// The zero-allocation path per record is Begin, Builder.X, Wait, End. The
// batcher has no goroutine of its own.
type Batcher struct {
	limits  limits
	propose func(data []byte) // hands a pack to Raft; must not block
	// forward queues a pack for another node, false: it did not; must not block.
	forward func(leader string, epoch uint64, o queue.Origin, data []byte) bool
	// seqOf is how far the Machine of this replica knows an origin.
	seqOf   func(node uint64) (last uint64, known bool)
	now     func() time.Time
	later   func(time.Duration, func())
	clock   *clock
	observe func(PackStats)
	wake    chan struct{} // cap 1: the way is free and packs may wait; see cutter

	mu   sync.Mutex // guards all that follows
	role role
	open *Pack
	// full packs wait for their turn, oldest first.
	full      []*Pack
	fullBytes int

	route  route
	origin uint64 // the node's part of our packs' origins
	seq    uint64 // the last number given
	epoch  uint64 // grows with every rewind
	line   []*Pack
	next   int    // line[:next] were sent in this epoch
	flying int    // so many of them are on their way
	toldAt uint64 // the newest entry that a leader said one of ours was applied in
	// handing is being sealed and handed over by a goroutine without the lock.
	handing *Pack
	// storing is the one of our own that our LogStore has not finished, if any.
	storing *Pack
	// holding: the FSM's goroutine, between committed and the end of applied,
	// keeps the cutting of the next pack for itself.
	holding bool
	stalled bool // the leader takes none: wait for the timer, see stall
	probing bool // it did not take the last one: one at a time
	paused  bool // the lead is being handed over
	busy    bool // the last pack told was a big one: step back before the next

	free     []*Pack
	untold   int           // packs off the line whose waiters are being told
	refusing bool          // a goroutine runs refuse
	idle     chan struct{} // not nil: close it when nothing is left to be told
	totals   Totals

	sealer  sealer     // used by whoever set handing
	telling sync.Mutex // held while waiters are called
}

// role is what the batcher may do with records.
type role uint8

const (
	gathering role = iota // take them, and send them when the way is free
	draining              // send what was gathered, refuse the rest with ErrStopped
	stopped               // refuse with ErrStopped
)

type limits struct {
	packBytes, packRecords int
	outstanding            int // fixed
}

// Totals count what this node gathered and the group applied since the start.
type Totals struct {
	Packs, Records, Bytes uint64
}

func newBatcher(cfg *Config, clock *clock) *Batcher {
	b := &Batcher{
		limits: limits{packBytes: cfg.MaxPackBytes, packRecords: cfg.MaxPackRecords, outstanding: min(max(cfg.Outstanding, 1), applyRoom/2)},
		now:    time.Now, later: func(d time.Duration, f func()) { time.AfterFunc(d, f) }, clock: clock, observe: cfg.OnPack, wake: make(chan struct{}, 1),
		origin: cfg.Origin, sealer: sealer{keepBytes: cfg.MaxPackBytes, compress: cfg.Compress},
		seqOf: func(uint64) (uint64, bool) { return 0, true },
	}
	if b.observe == nil {
		b.observe = func(PackStats) {}
	}
	if cfg.Streams != nil {
		b.seqOf = cfg.Streams.OriginSeq
	}
	b.open = b.freshPack()
	return b
}

// Begin locks the batcher and returns the pack to append one record to.
// sizeBytes is about what the record will take, 0 if it is small: a record that
// does not fit beside what is there opens a new pack, so one bigger than
// MaxPackBytes has a pack of its own. Every Begin is followed by End or EndMore,
// soon and without calling the Batcher in between.
//
// Begin always returns a pack. While nobody leads it gathers, see Backlog; if the
// group is stopping, the waiters are told so from another goroutine.
func (b *Batcher) Begin(sizeBytes int) *Pack {
	b.mu.Lock()
	if n := b.open.Builder.Len(); n > 0 &&
		(n >= b.limits.packRecords || b.open.Builder.Size()+sizeBytes > b.limits.packBytes) {
		b.closeOpen()
	}
	return b.open
}

// End unlocks the batcher, and sends the pack off if the way is free.
func (b *Batcher) End() {
	b.open.due = true
	b.release()
}

// release unlocks the batcher, and sends off what is due if the way is free.
func (b *Batcher) release() {
	p := b.take()
	if p == nil && b.role != gathering {
		b.refuseLater()
	}
	b.mu.Unlock()
	if p != nil {
		b.send(p)
	}
}

// EndMore unlocks the batcher. The caller has more records at hand and promises
// End or Flush before it waits for anything, so that a burst that came in one
// read travels in one pack instead of being torn after its first record.
func (b *Batcher) EndMore() {
	b.open.due = true
	b.mu.Unlock()
}

// EndLater unlocks the batcher. Nobody waits for the record: it goes with the next one
// that somebody waits for, or when a pack is full, or at the next Hurry, which the
// caller promises before long.
func (b *Batcher) EndLater() { b.release() }

// Flush does what End does, after a row of EndMore.
func (b *Batcher) Flush() {
	b.mu.Lock()
	b.release()
}

// Hurry is Flush for what EndLater has left.
func (b *Batcher) Hurry() {
	b.mu.Lock()
	b.open.due = b.open.Builder.Len() > 0
	b.release()
}

// Backlog is how many bytes wait for their turn. It grows when records come faster
// than the disk or the followers take them, or when nobody leads: the time to hold
// back credit.
func (b *Batcher) Backlog() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.backlog()
}

func (b *Batcher) backlog() int {
	n := b.fullBytes
	if b.open.Builder.Len() > 0 {
		n += b.open.Builder.Size()
	}
	for _, p := range b.line[b.next:] {
		n += len(p.data)
	}
	return n
}

// closeOpen moves the open pack behind the full ones. REQUIRES: b.mu.
func (b *Batcher) closeOpen() {
	b.full = append(b.full, b.open)
	b.fullBytes += b.open.Builder.Size()
	b.open = b.freshPack()
}

// takeFull takes the oldest full pack. REQUIRES: b.mu; there is one.
func (b *Batcher) takeFull() *Pack {
	p := b.full[0]
	b.full = slices.Delete(b.full, 0, 1)
	b.fullBytes -= p.Builder.Size()
	return p
}

// freshPack takes a used pack or makes one.
func (b *Batcher) freshPack() *Pack {
	if n := len(b.free); n > 0 {
		p := b.free[n-1]
		b.free[n-1] = nil
		b.free = b.free[:n-1]
		return p
	}
	return newPack()
}

// maxFree bounds the packs kept for use again, and so their buffers.
const maxFree = 4

// recycle keeps p for use again. REQUIRES: b.mu, and everyone in p was told.
func (b *Batcher) recycle(p *Pack) {
	if len(b.free) < maxFree && p != b.handing {
		p.reset()
		b.free = append(b.free, p)
	}
}

func (b *Batcher) addStats(s *Stats) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s.BacklogBytes = b.backlog()
	s.InFlight = b.flying
	s.Totals = b.totals
}
