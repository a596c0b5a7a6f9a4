package broker

import (
	"entrepot/queue"
)

// proposals turns what the dispatcher wants to become facts into records, and
// tells it when one will not be a fact.
//
// A record that nobody waits for rests: what a client has settled by itself goes into
// the log with the next message, instead of keeping that one waiting behind a pack of
// its own. At 2,000 messages a second that is every second fsync. It does not rest while
// producers of this node wait for room in the queue; those of other nodes get it up to
// restMillis later.
//
// Owner: the dispatch loop, but for Done.
type proposals struct {
	reign *reign

	// A record that is being gathered: runs of one queue that go for one reason.
	queue  queue.ID
	reason queue.Reason
	runs   []queue.Run
	urgent bool // somebody waits for it

	open    []openProposal // not answered yet, in the order of tokens
	last    uint64         // the last token
	written bool           // something urgent, since the last flush
	hurried uint64         // up to this token none rests
}

// restMillis is about how long a record rests at most: the loop's timer is as late as
// timers are. If the leader crashes meanwhile, what was settled comes once more.
const restMillis = 2

// openProposal is a record that is not answered. Which fields have a meaning
// depends on kind, the effect that wanted it.
type openProposal struct {
	token uint64
	kind  queue.EffectKind
	queue queue.ID
	runs  []queue.Run // EffectRemove
	seq   queue.Seq   // EffectModify, EffectMark
	at    int64       // when it was proposed, by the shard's time
}

// maxRuns is how many runs a Remove record carries at most.
const maxRuns = 512

// remove gathers an EffectRemove. Neighbouring messages become one run: a consumer
// that settles in order costs a few bytes for a thousand messages.
func (p *proposals) remove(e *queue.Effect) {
	if p.queue != e.Queue || p.reason != e.Reason || len(p.runs) == maxRuns {
		p.writeRuns()
		p.queue, p.reason = e.Queue, e.Reason
	}
	p.urgent = p.urgent || e.Awaited || p.reign.shard.watched.waits(e.Queue)
	if n := len(p.runs); n > 0 && p.runs[n-1].End() == e.Run.First && p.runs[n-1].Count < 1<<30 {
		p.runs[n-1].Count += e.Run.Count
		p.runs[n-1].Bytes += e.Run.Bytes
		return
	}
	p.runs = append(p.runs, e.Run)
}

// writeRuns makes a record of what was gathered.
func (p *proposals) writeRuns() {
	if len(p.runs) == 0 {
		return
	}
	runs := append([]queue.Run(nil), p.runs...)
	urgent := p.urgent
	p.runs, p.urgent = p.runs[:0], false
	p.propose(openProposal{kind: queue.EffectRemove, queue: p.queue, runs: runs}, urgent,
		func(b *queue.PackBuilder) { b.Remove(p.queue, p.reason, runs) })
}

func (p *proposals) modify(e *queue.Effect) {
	p.writeRuns()
	p.propose(openProposal{kind: queue.EffectModify, queue: e.Queue, seq: e.Seq}, true,
		func(b *queue.PackBuilder) { b.Modify(e.Queue, e.Seq, e.Count, e.Annotations) })
}

func (p *proposals) mark(e *queue.Effect) {
	p.writeRuns()
	p.propose(openProposal{kind: queue.EffectMark, queue: e.Queue, seq: e.Seq}, false,
		func(b *queue.PackBuilder) { b.Mark(e.Queue, e.Seq, e.Epoch) })
}

func (p *proposals) propose(o openProposal, urgent bool, fill func(*queue.PackBuilder)) {
	p.last++
	o.token, o.at = p.last, p.reign.loop.now
	p.open = append(p.open, o)
	pack := p.reign.shard.batcher.Begin(0)
	fill(pack.Builder)
	pack.Wait(p, p.last)
	if !urgent {
		p.reign.shard.batcher.EndLater()
		return
	}
	p.reign.shard.batcher.EndMore()
	p.written = true
}

// any tells whether there is something new that a mark can go with.
func (p *proposals) any() bool { return p.written || len(p.runs) > 0 }

// flush sends off what was gathered, and what has rested long enough by now.
func (p *proposals) flush() {
	p.writeRuns()
	if at, rests := p.restUntil(); rests && at <= p.reign.loop.now {
		p.hurry()
		return
	}
	if p.written {
		p.written = false
		p.reign.shard.batcher.Flush()
	}
}

// hurry sends off all that rests.
func (p *proposals) hurry() {
	p.written, p.hurried = false, p.last
	p.reign.shard.batcher.Hurry()
}

// restUntil tells until when the oldest record that may rest, if there is one, does.
func (p *proposals) restUntil() (at int64, rests bool) {
	if len(p.open) == 0 || p.hurried == p.last {
		return 0, false
	}
	n := max(p.hurried+1, p.open[0].token) - p.open[0].token // tokens have no gaps
	return p.open[n].at + restMillis, true
}

// Done implements cluster.Waiter, on the group's goroutine.
func (p *proposals) Done(tokens []uint64, _ []queue.Reply, err error) {
	p.reign.mail.post(dispatchInput{kind: inputProposed,
		proposed: &proposalResult{token: tokens[len(tokens)-1], failed: err != nil}})
}

// answered tells the dispatcher what became of the proposals up to a token: each
// once, in the order in which they were made.
func (p *proposals) answered(r *proposalResult, d *queue.Dispatcher) {
	n := 0
	for n < len(p.open) && p.open[n].token <= r.token {
		p.open[n].answer(d, r.failed)
		n++
	}
	p.open = append(p.open[:0], p.open[n:]...)
}

func (o *openProposal) answer(d *queue.Dispatcher, failed bool) {
	switch {
	case o.kind == queue.EffectRemove && failed:
		d.RemoveFailed(o.queue, o.runs)
	case o.kind == queue.EffectRemove:
		// The events of its pack have told it already, as those of all removals.
	case o.kind == queue.EffectModify && failed:
		d.ModifyFailed(o.queue, o.seq)
	case o.kind == queue.EffectModify:
		d.Modified(o.queue, o.seq)
	case o.kind == queue.EffectMark && failed:
		d.MarkFailed(o.queue)
	case o.kind == queue.EffectMark:
		d.Marked(o.queue, o.seq)
	}
}
