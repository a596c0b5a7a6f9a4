package journal

import "entrepot/queue"

// A Declare of version 2 gives a name and lets the Machine find the id, so two
// nodes may declare one name at the same time: the first in the log makes the
// queue, the second is told of it. Which names are taken only the store knows.
// Their rows are read before Apply takes its lock; what has no row yet, and
// which queues still exist, is looked at under it. Since Apply alone makes and
// deletes queues, that is the truth at the record's place in the log.

// lockToApply takes s.mu for applying a pack, once the window has room and the
// rows of the names in it have been read into s.taken.
func (s *Shard) lockToApply(r queue.PackReader) error {
	head := r.Header()
	if head.Flags&queue.PackNames == 0 {
		return s.lockWithRoom()
	}
	for {
		s.mu.Lock()
		space, rounds := s.space, s.rounds
		s.mu.Unlock()
		if err := s.readTaken(r, space); err != nil {
			return err
		}
		if err := s.lockWithRoom(); err != nil {
			return err
		}
		if s.space == space && s.rounds == rounds {
			return nil
		}
		s.mu.Unlock() // names have moved to rows since those were read
	}
}

// readTaken reads into s.taken, for each Declare of version 2 in its order, the
// queue that its name leads to by its row, 0 if there is none.
func (s *Shard) readTaken(r queue.PackReader, space space) error {
	s.taken = s.taken[:0]
	for {
		more, err := r.Next(&s.rec)
		if err != nil || !more {
			return err
		}
		if !s.rec.NewID {
			continue
		}
		q, _, err := s.nameRow(space.nameKey(nil, string(s.rec.Name)))
		if err != nil {
			return err
		}
		s.taken = append(s.taken, q)
	}
}

// applyRecord applies the record in s.rec to the Machine, unless it declares a
// name that is taken. REQUIRES: s.mu.
func (s *Shard) applyRecord(nowMillis int64) queue.Reply {
	if s.rec.NewID {
		q := s.taken[0]
		s.taken = s.taken[1:]
		if pending, _, ok := s.pendingName(string(s.rec.Name)); ok {
			q = pending
		}
		if _, exists := s.machine.Queue(q); exists {
			return queue.Reply{Kind: queue.KindDeclare, Status: queue.Exists, Queue: q}
		}
	}
	return s.machine.Apply(&s.rec, nowMillis)
}
