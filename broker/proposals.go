package broker

import (
	"entrepot/queue"
)

// proposals turns what the dispatcher wants to become facts into records, and
// tells it when one will not be a fact.
//
// Owner: the dispatch loop, but for Done.
type proposals struct {
	reign *reign

	// A record that is being gathered: runs of one queue that go for one reason.
	queue  queue.ID
	reason queue.Reason
	runs   []queue.Run

	open    []openProposal // not answered yet, in the order of tokens
	last    uint64         // the last token
	written bool           // since the last flush
}

// openProposal is a record that is not answered. Which fields have a meaning
// depends on kind, the effect that wanted it.
type openProposal struct {
	token uint64
	kind  queue.EffectKind
	queue queue.ID
	runs  []queue.Run // EffectRemove
	seq   queue.Seq   // EffectModify, EffectMark
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
	p.runs = p.runs[:0]
	p.propose(openProposal{kind: queue.EffectRemove, queue: p.queue, runs: runs},
		func(b *queue.PackBuilder) { b.Remove(p.queue, p.reason, runs) })
}

func (p *proposals) modify(e *queue.Effect) {
	p.writeRuns()
	p.propose(openProposal{kind: queue.EffectModify, queue: e.Queue, seq: e.Seq},
		func(b *queue.PackBuilder) { b.Modify(e.Queue, e.Seq, e.Count, e.Annotations) })
}

func (p *proposals) mark(e *queue.Effect) {
	p.writeRuns()
	p.propose(openProposal{kind: queue.EffectMark, queue: e.Queue, seq: e.Seq},
		func(b *queue.PackBuilder) { b.Mark(e.Queue, e.Seq, e.Epoch) })
}

func (p *proposals) propose(o openProposal, fill func(*queue.PackBuilder)) {
	p.last++
	o.token = p.last
	p.open = append(p.open, o)
	pack := p.reign.shard.batcher.Begin(0)
	fill(pack.Builder)
	pack.Wait(p, p.last)
	p.reign.shard.batcher.EndMore()
	p.written = true
}

// any tells whether a pack will be written by the next flush.
func (p *proposals) any() bool { return p.written || len(p.runs) > 0 }

// flush sends off what was gathered.
func (p *proposals) flush() {
	p.writeRuns()
	if p.written {
		p.written = false
		p.reign.shard.batcher.Flush()
	}
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
