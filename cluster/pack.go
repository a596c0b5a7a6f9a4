package cluster

import (
	"slices"
	"time"

	"entrepot/journal"
	"entrepot/queue"
)

// Waiter is told what became of the records it waits for.
//
// REQUIRES: its dynamic type is comparable, in practice a pointer.
type Waiter interface {
	// Done is called once per run of neighbouring records of this waiter in a
	// pack, in the order of the records, and each token is told exactly once.
	// Packs are told in their order too, except around a change of leader.
	// results is nil when every one of them was applied with nothing to say, else
	// it has one reply per token. With err set (ErrStopped: certainly not applied;
	// ErrUnknownOutcome) results is nil.
	//
	// Both slices belong to the batcher again when Done returns. Calls never
	// overlap. Done runs in the goroutine that applies the log, or in the one that
	// reads what the leader says: it must not block, and it may use the Batcher.
	Done(tokens []uint64, results []queue.Reply, err error)
}

// Pack is a pack being filled, between Begin and End, and then on its way.
//
// Its life: open (filled by callers) -> full (waits its turn; most packs skip
// this) -> in line (sealed and numbered, see line) -> told. Owner of every field
// is the Batcher, under its lock, except where it says otherwise. Packs are used
// again: what is allocated per pack is the exact-size copy of its bytes, which
// the log and the journal's window keep.
type Pack struct {
	// Builder takes the records.
	Builder *queue.PackBuilder
	// due: somebody waits for one of them, see EndLater.
	due bool

	waits   waits
	records int // how many; set when the pack is taken

	seq     uint64       // its number in the line
	data    []byte       // sealed; nil until then
	carries queue.Origin // what data says, or will: not the line's after renew
	takenAt time.Time
	commit  time.Duration // from takenAt until it was known to be committed

	// handed: Raft or the mesh has data, and may have it still: it never changes
	// again. It is also what may have been applied although nobody told us.
	handed bool
	// sentIn is the line's epoch in which the pack was sent last; flying: sent in
	// the present one, and not heard of.
	sentIn uint64
	flying bool
	// landed: the leader says it was applied before. The replies come when this
	// replica applies it.
	landed bool
	// claimed: somebody is telling the waiters, or has.
	claimed bool
	// written: the LogStore is writing it, or has.
	written bool
}

func newPack() *Pack {
	p := &Pack{Builder: new(queue.PackBuilder)}
	p.Builder.Reset(nil)
	return p
}

// Wait registers w for the record just appended; token is w's own name for it.
// A record without a Wait has nobody to tell.
//
// REQUIRES: between Begin and End, after the record was appended.
func (p *Pack) Wait(w Waiter, token uint64) {
	p.waits.add(w, token, p.Builder.Len()-1)
}

// sealer turns filled packs into bytes. Owner: whoever hands over, see line.
type sealer struct {
	keepBytes int // a builder's buffer above that is given away
	compress  bool
	scratch   []byte
}

// seal ends the pack and returns its bytes, exactly as long as they are: the
// log and the window keep them, often for seconds, and count their length, so
// slack would be memory that nobody counts. The builder keeps its buffer for the
// next pack, except after a record above keepBytes, whose buffer has little
// slack (it was grown to fit) and is given away rather than copied. The time is
// stamped later.
//
// REQUIRES: no caller fills the pack any more.
func (s *sealer) seal(p *Pack, o queue.Origin) []byte {
	built := p.Builder.Finish(0, o)
	if s.compress {
		if small := journal.CompressPack(s.scratch, built); !same(small, built) {
			p.Builder.Reset(built[:0])
			if cap(small) <= 2*s.keepBytes {
				s.scratch = small[:0]
			}
			return slices.Clone(small)
		}
	}
	if len(built) > s.keepBytes {
		p.Builder.Reset(nil)
		return built
	}
	data := append([]byte(nil), built...)
	p.Builder.Reset(built[:0])
	return data
}

// renumbered is a copy of a pack with another origin.
func renumbered(data []byte, o queue.Origin) []byte {
	data = slices.Clone(data)
	h, err := queue.ReadPackHeader(data)
	if err != nil {
		panic(err) // we have written it
	}
	h.Origin = o
	h.Append(data[:0])
	return data
}

// reset makes the pack fit to be filled again.
func (p *Pack) reset() {
	if p.Builder.Len() > 0 { // refused, never sealed
		p.Builder.Reset(p.Builder.Finish(0, queue.Origin{}))
	}
	p.waits.reset()
	*p = Pack{Builder: p.Builder, waits: p.waits}
}

// waits says who waits for which record of a pack.
type waits struct {
	tokens  []uint64
	records []int32 // records[i] is the number in the pack of the record of tokens[i]
	runs    []run
	results []queue.Reply // scratch
}

// run is a run of neighbouring tokens with one waiter: those from the end of the
// run before it up to end.
type run struct {
	waiter Waiter
	end    int
}

func (w *waits) add(waiter Waiter, token uint64, record int) {
	w.tokens = append(w.tokens, token)
	w.records = append(w.records, int32(record))
	if last := len(w.runs) - 1; last >= 0 && w.runs[last].waiter == waiter {
		w.runs[last].end = len(w.tokens)
		return
	}
	w.runs = append(w.runs, run{waiter: waiter, end: len(w.tokens)})
}

// tell calls every waiter. replies is nil or has one entry per record.
func (w *waits) tell(replies []queue.Reply, err error) {
	start := 0
	for _, r := range w.runs {
		r.waiter.Done(w.tokens[start:r.end], w.pick(replies, start, r.end), err)
		start = r.end
	}
}

// pick selects the replies of the tokens from..end-1.
func (w *waits) pick(replies []queue.Reply, from, end int) []queue.Reply {
	if replies == nil {
		return nil
	}
	w.results = w.results[:0]
	for _, record := range w.records[from:end] {
		w.results = append(w.results, replies[record])
	}
	return w.results
}

func (w *waits) reset() {
	clear(w.runs) // let go of the waiters
	clear(w.results)
	w.tokens, w.records, w.runs, w.results = w.tokens[:0], w.records[:0], w.runs[:0], w.results[:0]
}
