package journal

import (
	"errors"
	"fmt"

	"entrepot/queue"
)

// Applied is what one entry did.
type Applied struct {
	// Skipped: the entry was applied before (index <= AppliedIndex).
	Skipped bool
	// Verdict: of a duplicate or a gap nothing was applied, and what follows is
	// zero. AppliedIndex counts the entry all the same.
	Verdict queue.PackVerdict
	// Records is how many records the pack has.
	Records int
	// Replies has one reply per record; it is the shard's own and changes
	// with the next Apply. AllOK: every one has status OK.
	Replies []queue.Reply
	AllOK   bool
	// Events are the records about active queues that changed something, in
	// order. The slice, and the Runs and Annotations in it, change with the
	// next Apply; payloads alias the pack.
	Events []Event

	runs []queue.Run // of Events
}

// Event is one applied record about an active queue. Which fields have a
// meaning depends on Reply.Kind.
type Event struct {
	Reply   queue.Reply
	Message queue.Message // Enqueue

	Runs   []queue.Run  // Remove: as the record has them
	Reason queue.Reason // Remove

	Count       uint32 // Modify
	Annotations []byte // Modify; aliases the pack
}

// Apply is stage 1: it applies the pack of a committed entry to memory. The
// shard keeps data, which must not be changed afterwards. It blocks while the
// window holds twice its budget. It reads the disk only to look up the names of
// a pack with Declares, and that before it takes the lock.
//
// Errors: a pack that cannot be read (*queue.FormatError inside), of which a
// part may have been applied, and the store's failure. After either the shard
// takes no more. *CorruptionError if a row that the pack needs is damaged: nothing
// of it was applied, and it may be applied again once a Restore has repaired that.
func (s *Shard) Apply(index uint64, data []byte) (Applied, error) {
	s.mu.Lock()
	broken, skipped := s.broken, index <= s.applied
	s.mu.Unlock()
	if broken != nil || skipped {
		return Applied{Skipped: skipped && broken == nil}, broken
	}
	err := s.applyPack(index, data)
	if failed := s.store.failure.get(); failed != nil {
		return Applied{}, failed
	}
	if damaged := (*CorruptionError)(nil); errors.As(err, &damaged) {
		return Applied{}, s.found(err)
	}
	if err != nil {
		return Applied{}, s.store.failure.set(fmt.Errorf("journal: apply entry %d: %w", index, err))
	}
	return s.result, nil
}

// lockWithRoom takes s.mu once the window has room.
func (s *Shard) lockWithRoom() error {
	for {
		if err := s.store.failure.get(); err != nil {
			return err
		}
		s.mu.Lock()
		if !s.full() {
			return nil
		}
		s.mu.Unlock()
		s.wake(s.kick)
		select {
		case <-s.room:
		case <-s.store.failure.failed:
		}
	}
}

// applyPack applies the pack of one entry; its answer is s.result.
func (s *Shard) applyPack(index uint64, data []byte) error {
	plain, err := PlainPack(data)
	if err != nil {
		return err
	}
	r, err := queue.OpenPack(plain)
	if err != nil {
		return err
	}
	if err := s.lockToApply(r); err != nil {
		return err
	}
	defer s.mu.Unlock()
	now, head := s.now(), r.Header()
	if s.changedSince.IsZero() {
		s.changedSince = now
	}
	res := &s.result
	*res = Applied{
		Verdict: s.machine.BeginPack(&head),
		Replies: res.Replies[:0], Events: res.Events[:0], runs: res.runs[:0],
	}
	entry := s.window.begin(index, now, head.NowMillis)
	if res.Verdict == queue.PackFresh {
		err = s.applyRecords(entry, &r)
	} else {
		entry.refused = append(entry.refused, wholePack)
	}
	if err != nil {
		return err
	}
	s.window.push(entry, plain)
	s.applied = index
	s.log.setApplied(index)
	if s.window.bytes > s.store.opts.WindowBytes || s.changes > maxChanges {
		s.wake(s.kick)
	}
	return nil
}

// applyRecords applies the records of a fresh pack. REQUIRES: s.mu.
func (s *Shard) applyRecords(entry *windowEntry, r *queue.PackReader) error {
	res, nowMillis := &s.result, entry.arrivedMillis
	res.AllOK = true
	var last queue.ID
	var lastActive bool
	for {
		more, err := r.Next(&s.rec)
		if err != nil || !more {
			return err
		}
		reply := s.applyRecord(nowMillis)
		res.Replies = append(res.Replies, reply)
		if reply.Queue != last || res.Records == 0 {
			last = reply.Queue
			_, lastActive = s.active[last]
			s.changes++
		}
		if reply.Status == queue.OK {
			s.follow(entry, &reply)
		} else {
			res.AllOK = false
			if s.rec.Kind == queue.KindEnqueue {
				entry.refused = append(entry.refused, uint32(res.Records))
			}
		}
		if lastActive && reply.Status == queue.OK {
			res.addEvent(&s.rec, &reply, nowMillis)
		}
		res.Records++
	}
}

// follow does for the store what the Machine did for the record in s.rec: it
// keeps what the Machine does not. REQUIRES: s.mu.
func (s *Shard) follow(entry *windowEntry, reply *queue.Reply) {
	rec := &s.rec
	switch rec.Kind {
	case queue.KindEnqueue:
		s.window.add(entry, rec.Queue, reply.Seq, slot{
			offset: uint32(rec.PayloadOffset), length: uint32(len(rec.Payload)),
			deadlineMillis: rec.DeadlineMillis, flags: rec.Flags,
		})
		if entry.index <= s.replayTo {
			s.orphans[rec.Queue] = reply.Seq + 1
		}
	case queue.KindRemove:
		if reply.Removed > 0 {
			end := s.diskEnd(rec.Queue)
			for _, run := range rec.Runs {
				s.died(rec.Queue, run.First, min(run.End(), end), reply.Bytes/uint64(len(rec.Runs)))
			}
		}
	case queue.KindPurge:
		s.died(rec.Queue, reply.Seq, min(reply.Next, s.diskEnd(rec.Queue)), reply.Bytes)
	case queue.KindDelete:
		s.dead.all(rec.Queue)
		s.deadBytes += reply.Bytes
		s.window.forget(rec.Queue)
		s.fresh.drop(rec.Queue)
		delete(s.active, rec.Queue)
		delete(s.orphans, rec.Queue)
		s.changes++
	case queue.KindModify:
		s.fresh.modify(queue.Ref{Queue: rec.Queue, Seq: rec.Seq}, rec.Count, rec.Annotations)
		s.modifiedEver = true
		s.changes++
	case queue.KindDeclare:
		s.fresh.declare(reply.Queue, rec.Name, rec.Spec)
		s.changes += 3
	case queue.KindUpdate:
		s.fresh.update(rec.Queue, rec.Spec)
		s.changes++
	case queue.KindExpire:
		s.swept(rec)
	case queue.KindCheck:
		s.noteCheck(entry.index)
	}
}

// died notes removed messages that have Q keys. REQUIRES: s.mu.
func (s *Shard) died(q queue.ID, from, to queue.Seq, bytes uint64) {
	if from < to {
		s.dead.add(q, from, to)
		s.deadBytes += bytes
	}
}

// addEvent tells what rec did to an active queue.
func (a *Applied) addEvent(rec *queue.Record, reply *queue.Reply, nowMillis int64) {
	a.Events = append(a.Events, Event{Reply: *reply})
	e := &a.Events[len(a.Events)-1]
	switch rec.Kind {
	case queue.KindEnqueue:
		e.Message = queue.Message{
			Queue: rec.Queue, Seq: reply.Seq, Flags: rec.Flags,
			DeadlineMillis: rec.DeadlineMillis, ArrivedMillis: nowMillis, Payload: rec.Payload,
		}
	case queue.KindRemove:
		at := len(a.runs)
		a.runs = append(a.runs, rec.Runs...)
		e.Runs, e.Reason = a.runs[at:len(a.runs):len(a.runs)], rec.Reason
	case queue.KindModify:
		e.Count, e.Annotations = rec.Count, rec.Annotations
	}
}
