package broker

import (
	"time"

	"entrepot/queue"
)

// dispatchLoop owns the queue.Dispatcher of a reign: it tells it what came into the
// mailbox and carries out what it asks for.
type dispatchLoop struct {
	reign     *reign
	shard     *shard
	d         *queue.Dispatcher
	consumers map[queue.ConsumerID]*attachRequest
	batches   map[recipient]*notices // of this round
	proposals proposals
	marks     map[queue.ID]queue.Effect // not written yet
	marksAt   int64                     // since when, by the shard's time
	now       int64                     // of this round, Unix milliseconds
}

// markDelay is how long a mark waits for a pack that is written anyway, before it
// gets one of its own: after a crash within it, a message that was delivered may
// once more come as if for the first time.
const markDelay = 100 // ms

func (l *dispatchLoop) init(r *reign) {
	*l = dispatchLoop{
		reign:     r,
		shard:     r.shard,
		d:         queue.NewDispatcher(queue.DispatcherConfig{Epoch: r.term}),
		consumers: map[queue.ConsumerID]*attachRequest{},
		batches:   map[recipient]*notices{},
		marks:     map[queue.ID]queue.Effect{},
	}
	l.proposals.reign = r
}

// run dispatches until the reign ends.
func (l *dispatchLoop) run() {
	r := l.reign
	defer l.proposals.hurry() // whoever leads then
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	var inputs []dispatchInput
	for {
		l.resetTimer(timer)
		ticked := false
		select {
		case <-r.ended:
			l.salvage(r.mail.close())
			return
		case <-r.mail.signal:
			inputs = r.mail.take(inputs)
		case <-timer.C:
			ticked = true
		}
		if !r.awaitLease() {
			l.salvage(inputs)
			l.salvage(r.mail.close())
			return
		}
		l.now = r.nowMillis()
		l.d.SetNow(l.now)
		for i := range inputs {
			l.input(&inputs[i])
		}
		clear(inputs) // the messages in them
		inputs = inputs[:0]
		if ticked {
			l.d.Tick(l.now)
		}
		l.effects()
	}
}

// salvage takes care of what came too late for this dispatcher: what a client has
// said of a delivery is said for good.
func (l *dispatchLoop) salvage(inputs []dispatchInput) {
	var orphans []toldOutcome
	for i := range inputs {
		orphans = inputs[i].salvage(orphans)
	}
	l.shard.removeTold(orphans)
}

// resetTimer wakes the loop when the dispatcher or a mark wants it.
func (l *dispatchLoop) resetTimer(timer *time.Timer) {
	wait, now := time.Hour.Milliseconds(), l.reign.nowMillis()
	if next := l.d.NextTick(); next != 0 {
		wait = next - now
	}
	if len(l.marks) > 0 {
		wait = min(wait, l.marksAt+markDelay-now)
	}
	if at, rests := l.proposals.restUntil(); rests {
		wait = min(wait, at-now)
	}
	timer.Reset(time.Duration(max(wait, 1)) * time.Millisecond)
}

func (l *dispatchLoop) input(in *dispatchInput) {
	d := l.d
	switch in.kind {
	case inputEnqueued:
		d.Enqueued(in.queue, in.messages)
	case inputRemoved:
		d.Removed(in.queue, in.runs)
	case inputOutcome:
		d.Outcome(in.consumer, in.seq, in.ref, in.outcome)
	case inputLate:
		d.Late(in.consumer, in.seq, in.ref, in.outcome)
	case inputSent:
		d.Sent(in.consumer, in.seq)
	case inputLimit:
		d.SetLimit(in.consumer, in.limit)
	case inputDrain:
		l.drain(in)
	case inputReturn:
		d.Return(in.consumer, in.seq)
	case inputAttach:
		l.attach(in)
	case inputDetach:
		d.Detach(in.consumer)
		delete(l.consumers, in.consumer)
	case inputDeleted:
		d.DeletedQueue(in.queue)
	case inputLoaded:
		l.loaded(in)
	case inputProposed:
		l.proposals.answered(in.proposed, d)
	case inputDue:
		l.expire(in.due)
	case inputConfigure:
		d.Configure(in.queue, uint32(in.limit))
	}
}

func (l *dispatchLoop) attach(in *dispatchInput) {
	req := in.attach
	l.consumers[in.consumer] = req
	state, ok := l.activate(in.queue)
	if !ok { // deleted meanwhile
		l.notify(&queue.Effect{Kind: queue.EffectGone, Consumer: in.consumer})
		return
	}
	if req.from != 0 {
		state.Head = req.from
	}
	l.d.Attach(in.consumer, in.queue, req.options, queue.Snapshot{
		State:         state,
		MaxDeliveries: req.maxDeliveries,
	})
}

// declareLag bounds how long a queue is waited for that another node has heard of.
const declareLag = time.Second

// activate asks for a queue's events. Another node may have applied its declaration
// before this one, which leads, has: then it comes in a moment.
func (l *dispatchLoop) activate(id queue.ID) (state queue.State, ok bool) {
	var tooLate <-chan time.Time
	for {
		changed := l.shard.news.next()
		state, ok = l.shard.journal.SetActive(id, true)
		if ok || l.shard.deleted(id) {
			return state, ok
		}
		if tooLate == nil {
			tooLate = time.After(declareLag)
		}
		select {
		case <-changed:
		case <-tooLate:
			return state, false
		case <-l.reign.ended:
			return state, false
		}
	}
}

func (l *dispatchLoop) drain(in *dispatchInput) {
	req := l.consumers[in.consumer]
	if req == nil {
		return
	}
	l.carryOut() // what answers an earlier drain does not answer this one
	req.drain = in.ref
	l.d.Drain(in.consumer, in.limit)
}

func (l *dispatchLoop) loaded(in *dispatchInput) {
	if in.load.err != nil {
		l.shard.failed(in.load.err)
		l.d.LoadFailed(in.queue, in.load.id)
		return
	}
	l.d.Loaded(in.queue, in.load.id, in.load.messages, in.load.next)
}

// effects carries out what the dispatcher asks for, and sends off what became of it.
func (l *dispatchLoop) effects() {
	l.carryOut()
	l.writeMarks()
	l.proposals.flush()
	l.sendNotices()
}

// carryOut carries out what the dispatcher has asked for so far.
func (l *dispatchLoop) carryOut() {
	effects := l.d.Effects()
	for i := range effects {
		e := &effects[i]
		switch e.Kind {
		case queue.EffectRemove:
			l.proposals.remove(e)
		case queue.EffectModify:
			l.proposals.modify(e)
		case queue.EffectMark:
			l.mark(e)
		case queue.EffectLoad:
			l.reign.loads.post(*e)
		case queue.EffectIdle:
			if !l.d.Active(e.Queue) { // or somebody attached in the same round
				l.shard.journal.SetActive(e.Queue, false)
			}
		default:
			l.notify(e)
		}
	}
}

// mark keeps the newest mark of a queue until a pack is written.
func (l *dispatchLoop) mark(e *queue.Effect) {
	if len(l.marks) == 0 {
		l.marksAt = l.now
	}
	l.marks[e.Queue] = *e
}

func (l *dispatchLoop) writeMarks() {
	if len(l.marks) == 0 || !l.proposals.any() && l.now-l.marksAt < markDelay {
		return
	}
	for id, e := range l.marks {
		l.proposals.mark(&e) // it may rest, for restMillis is little beside markDelay
		delete(l.marks, id)
	}
}

// A recipient takes what the dispatcher has for consumers: a connection of this
// node, or another node that has such connections. It is used by its address.
type recipient interface {
	// tell hands over a round's notices, in order; it does not block. Who is gone
	// has detached its consumers, or will.
	tell(*notices)
}

// notices are what one recipient hears in one round, in order.
type notices struct {
	list []notice
}

type notice struct {
	req    *attachRequest
	effect queue.Effect
}

// notify gathers an effect for the recipient of its consumer.
func (l *dispatchLoop) notify(e *queue.Effect) {
	req := l.consumers[e.Consumer]
	if req == nil {
		return
	}
	b := l.batches[req.to]
	if b == nil {
		b = &notices{}
		l.batches[req.to] = b
	}
	b.list = append(b.list, notice{req, *e})
	n := &b.list[len(b.list)-1]
	n.effect.Consumer = req.id
	switch e.Kind {
	case queue.EffectDrained:
		n.effect.Ref = req.drain
	case queue.EffectGone:
		delete(l.consumers, e.Consumer)
	}
}

func (l *dispatchLoop) sendNotices() {
	for to, b := range l.batches {
		delete(l.batches, to)
		to.tell(b)
	}
}

// tell implements recipient.
func (c *conn) tell(b *notices) { c.post(b.carryOut) }

// carryOut runs in the connection's owner.
func (b *notices) carryOut() {
	for i := range b.list {
		s, e := b.list[i].req.consumer, &b.list[i].effect
		if s.over || s.id != e.Consumer { // it has begun anew since, see consumer.attach
			continue
		}
		switch e.Kind {
		case queue.EffectDeliver:
			s.receive(&e.Message)
		case queue.EffectDrained:
			s.drained(e.Ref)
		case queue.EffectConfirmed:
			s.confirmed(e.Ref)
		case queue.EffectOutcomeFailed:
			s.failed(e.Ref)
		case queue.EffectRecall:
			s.recalled(e.Seq)
		case queue.EffectGone:
			s.queueGone()
		}
	}
}

// loadLoop reads pages that the dispatcher asks for, so that it never waits for
// the disk.
func (r *reign) loadLoop() {
	var todo []queue.Effect
	for {
		select {
		case <-r.ended:
			return
		case <-r.loads.signal:
		}
		todo = r.loads.take(todo)
		for i := range todo {
			e := &todo[i]
			loaded, err := r.shard.journal.Load(e.Queue, e.From, e.MaxMessages, e.MaxBytes, nil)
			r.mail.post(dispatchInput{kind: inputLoaded, queue: e.Queue,
				load: &loadResult{id: e.Load, messages: loaded.Messages, next: loaded.Next, err: err}})
		}
		clear(todo)
	}
}
