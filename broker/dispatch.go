package broker

import (
	"time"

	"entrepot/queue"
)

// dispatchLoop owns the shard's queue.Dispatcher: it tells it what came into the
// mailbox and carries out what it asks for.
type dispatchLoop struct {
	shard     *shard
	d         *queue.Dispatcher
	consumers map[queue.ConsumerID]*attachRequest
	batches   map[*conn]*notices // for connections, of this round
	proposals proposals
	marks     map[queue.ID]queue.Effect // not written yet
	marksAt   time.Time                 // since when
	now       time.Time
}

// markDelay is how long a mark waits for a pack that is written anyway, before it
// gets one of its own: after a crash within it, a message that was delivered may
// once more come as if for the first time.
const markDelay = 100 * time.Millisecond

func (s *shard) dispatchLoop() {
	l := &dispatchLoop{
		shard:     s,
		consumers: map[queue.ConsumerID]*attachRequest{},
		batches:   map[*conn]*notices{},
		marks:     map[queue.ID]queue.Effect{},
	}
	l.d = queue.NewDispatcher(queue.DispatcherConfig{Epoch: <-s.leads})
	l.proposals.shard = s
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	var inputs []dispatchInput
	for {
		l.resetTimer(timer)
		select {
		case <-s.ended:
			s.mail.close()
			return
		case <-s.mail.signal:
			l.now = time.Now()
			l.d.SetNow(l.now.UnixMilli())
			inputs = s.mail.take(inputs)
			for i := range inputs {
				l.input(&inputs[i])
			}
			clear(inputs) // the messages in them
		case l.now = <-timer.C:
			l.d.Tick(l.now.UnixMilli())
		}
		l.effects()
	}
}

// resetTimer wakes the loop when the dispatcher or a mark wants it.
func (l *dispatchLoop) resetTimer(timer *time.Timer) {
	wait := time.Hour
	if next := l.d.NextTick(); next != 0 {
		wait = time.Until(time.UnixMilli(next))
	}
	if len(l.marks) > 0 {
		wait = min(wait, time.Until(l.marksAt.Add(markDelay)))
	}
	timer.Reset(max(wait, time.Millisecond))
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
	state, ok := l.shard.journal.SetActive(in.queue, true)
	if !ok { // deleted meanwhile
		delete(l.consumers, in.consumer)
		req.conn.post(req.consumer.queueGone)
		return
	}
	if req.from != 0 {
		state.Head = req.from
	}
	l.d.Attach(in.consumer, in.queue, req.options, queue.Snapshot{
		State:         state,
		MaxDeliveries: req.consumer.addr.limits().MaxDeliveries,
	})
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
		l.shard.broker.fatal(in.load.err)
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
			l.shard.loads.post(*e)
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
	if len(l.marks) == 0 || !l.proposals.any() && l.now.Sub(l.marksAt) < markDelay {
		return
	}
	for id, e := range l.marks {
		l.proposals.mark(&e)
		delete(l.marks, id)
	}
}

// notices are what one connection hears in one round, in order.
type notices struct {
	list []notice
}

type notice struct {
	consumer *consumer
	effect   queue.Effect
}

// notify gathers an effect for the connection of its consumer.
func (l *dispatchLoop) notify(e *queue.Effect) {
	req := l.consumers[e.Consumer]
	if req == nil {
		return
	}
	b := l.batches[req.conn]
	if b == nil {
		b = &notices{}
		l.batches[req.conn] = b
	}
	b.list = append(b.list, notice{req.consumer, *e})
	switch e.Kind {
	case queue.EffectDrained:
		b.list[len(b.list)-1].effect.Ref = req.drain
	case queue.EffectGone:
		delete(l.consumers, e.Consumer)
	}
}

func (l *dispatchLoop) sendNotices() {
	for c, b := range l.batches {
		delete(l.batches, c)
		c.post(b.tell) // a connection that is gone has detached its consumers
	}
}

// tell runs in the connection's owner.
func (b *notices) tell() {
	for i := range b.list {
		s, e := b.list[i].consumer, &b.list[i].effect
		if s.over || s.id != e.Consumer { // it has begun anew since, see browseAgain
			continue
		}
		switch e.Kind {
		case queue.EffectDeliver:
			s.receive(&e.Message)
		case queue.EffectDrained:
			s.drained(e.Ref)
		case queue.EffectConfirmed:
			s.confirmed(e.Ref, true)
		case queue.EffectOutcomeFailed:
			s.confirmed(e.Ref, false)
		case queue.EffectGone:
			s.queueGone()
		}
	}
}

// loadLoop reads pages that the dispatcher asks for, so that it never waits for
// the disk.
func (s *shard) loadLoop() {
	var todo []queue.Effect
	for {
		select {
		case <-s.ended:
			return
		case <-s.loads.signal:
		}
		todo = s.loads.take(todo)
		for i := range todo {
			e := &todo[i]
			loaded, err := s.journal.Load(e.Queue, e.From, e.MaxMessages, e.MaxBytes, nil)
			s.mail.post(dispatchInput{kind: inputLoaded, queue: e.Queue,
				load: &loadResult{id: e.Load, messages: loaded.Messages, next: loaded.Next, err: err}})
		}
		clear(todo)
	}
}
