package journal

import "entrepot/queue"

// bodyMissing: a live message has no Q key. That is corruption, unless it was
// removed since the load was planned, or before a crash that has kept the table with
// its tombstone and lost the state row: the log has the removal, but in a group that
// has no leader yet nobody may say that it is committed.
func (s *Shard) bodyMissing(q queue.ID, seq queue.Seq) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.machine.Alive(q, seq) || s.applied < s.replayTo {
		return nil
	}
	return corrupt(s.space.seqKey(nil, kindMessage, q, seq), "a live message has no body")
}

// bodyReader reads bodies of one queue in ascending order.
type bodyReader struct {
	space space
	queue queue.ID
	it    *iterator
	begun bool
	key   []byte
}

// maxSteps is how far a reader goes step by step before it seeks.
const maxSteps = 16

// at gives the body of seq. It aliases the iterator.
func (r *bodyReader) at(seq queue.Seq) (body storedMessage, ok bool, err error) {
	valid := r.begun && r.it.Valid()
	if valid && seqOf(r.it.Key()) < seq {
		for i := 0; i < maxSteps && valid && seqOf(r.it.Key()) < seq; i++ {
			valid = r.it.Next()
		}
	}
	if !r.begun || valid && seqOf(r.it.Key()) < seq {
		r.begun = true
		r.key = r.space.seqKey(r.key[:0], kindMessage, r.queue, seq)
		valid = r.it.SeekGE(r.key)
	}
	if !valid {
		if err := r.it.Error(); err != nil {
			return storedMessage{}, false, readError(r.space.seqKey(nil, kindMessage, r.queue, seq), err)
		}
		return storedMessage{}, false, nil
	}
	if seqOf(r.it.Key()) != seq {
		return storedMessage{}, false, nil
	}
	v, err := r.it.ValueAndErr()
	if err != nil {
		return storedMessage{}, false, readError(r.it.Key(), err)
	}
	body, err = decodeMessageValue(r.it.Key(), v)
	return body, err == nil, err
}

// readDeadline reads deadline and size of a message that was spilled.
func (s *Shard) readDeadline(at queue.Ref) (millis int64, size int, ok bool, err error) {
	key := s.space.seqKey(nil, kindMessage, at.Queue, at.Seq)
	found, err := s.store.db.get(key, func(v []byte) error {
		m, err := decodeMessageValue(key, v)
		millis, size = m.deadlineMillis, len(m.payload)
		return err
	})
	return millis, size, found && err == nil, err
}
