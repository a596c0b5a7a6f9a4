package journal

import (
	"errors"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"entrepot/queue"
)

// encoded is what a round takes with it from under the lock, beside the rows
// that are in its batch already.
type encoded struct {
	applied uint64 // K after the round
	dead    []deadRange
	deleted []queue.ID // queues that are no more
	keep    []queue.Ref
	// modified: the shard may have M rows.
	modified bool
}

// encode puts the rows of everything that changed into b, as of now, and
// makes what is pending the round's own. n entries leave the window by this
// round; spilled is W after it.
func (s *Shard) encode(b *pebble.Batch, n int, spilled uint64) (encoded, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	enc := encoded{applied: s.applied, dead: s.dead.take(), modified: s.modifiedEver}
	var err error
	s.machine.TakeDirty(func(q queue.ID, st *queue.State, pages []queue.PageNo) {
		if st == nil {
			enc.deleted = append(enc.deleted, q)
			return
		}
		err = errors.Join(err, s.encodeQueue(b, q, st, pages))
	})
	for at := range s.fresh.modified {
		if !s.machine.Alive(at.Queue, at.Seq) {
			delete(s.fresh.modified, at)
		}
	}
	keep, sweepErr := s.sweepRows(b)
	enc.keep = keep
	row := stateRow{
		generation: s.space.g, durable: s.applied, spilled: spilled,
		refused: s.refusals(n), meta: s.machine.AppendMeta(nil),
	}
	key := appendMarkKey(nil, s.sh, stateRowName)
	err = errors.Join(err, sweepErr, b.Set(key, plainValue(key, row.append(nil)), nil))
	s.committing, s.fresh = s.fresh, newPending()
	s.changes, s.changedSince = 0, time.Time{}
	return enc, err
}

// refusals are the refused Enqueues in what stays in the window.
// REQUIRES: s.mu.
func (s *Shard) refusals(n int) []refusal {
	var out []refusal
	for _, e := range s.window.entries[n:] {
		for _, record := range e.refused {
			out = append(out, refusal{e.index, record})
		}
	}
	return out
}

// encodeQueue puts a queue's H row and its changed B rows into b.
// REQUIRES: s.mu.
func (s *Shard) encodeQueue(b *pebble.Batch, q queue.ID, st *queue.State, pages []queue.PageNo) error {
	c := &s.scratch
	c.key = s.space.queueKey(c.key[:0], kindHead, q)
	c.value = sealed(c.key, queue.AppendState(append(c.value[:0], valueVersion), st))
	if err := b.Set(c.key, c.value, nil); err != nil {
		return err
	}
	for _, page := range pages {
		c.key = s.space.pageKey(c.key[:0], q, page)
		value, ok := s.machine.AppendPage(append(c.value[:0], valueVersion), q, page)
		c.value = value
		var err error
		if ok {
			c.value = sealed(c.key, value)
			err = b.Set(c.key, c.value, nil)
		} else {
			err = b.Delete(c.key, nil)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// finishBatch adds the rows that need no lock, or a look at older rows. Only
// rounds change committing, so it may be read here.
func (s *Shard) finishBatch(b *pebble.Batch, enc encoded) error {
	for _, q := range enc.deleted {
		if err := s.deleteRows(b, q); err != nil {
			return err
		}
	}
	for _, r := range enc.dead {
		if !enc.modified {
			break
		}
		from, to := s.space.seqKey(nil, kindModified, r.queue, r.from), s.space.seqKey(nil, kindModified, r.queue, r.to)
		if err := b.DeleteRange(from, to, nil); err != nil {
			return err
		}
	}
	for q, d := range s.committing.declared {
		if err := s.putNames(b, q, d.name, d.spec); err != nil {
			return err
		}
	}
	for q, spec := range s.committing.specs {
		name, err := s.store.getPlain(s.space.queueKey(nil, kindID, q))
		if err != nil {
			if err := s.tolerate(err); err != nil {
				return err
			}
			continue
		}
		if err := s.putNames(b, q, string(name), spec); err != nil {
			return err
		}
	}
	for at, m := range s.committing.modified {
		if err := s.putModified(b, at, m); err != nil {
			return err
		}
	}
	return s.putDeadlines(b, enc.keep)
}

// putNames puts a declaration's N and I rows into b.
func (s *Shard) putNames(b *pebble.Batch, q queue.ID, name string, spec []byte) error {
	c := &s.scratch
	c.key = s.space.nameKey(c.key[:0], name)
	if err := b.Set(c.key, nameValue(c.key, q, spec), nil); err != nil {
		return err
	}
	c.key = s.space.queueKey(c.key[:0], kindID, q)
	return b.Set(c.key, plainValue(c.key, []byte(name)), nil)
}

// putModified puts an M row into b.
func (s *Shard) putModified(b *pebble.Batch, at queue.Ref, m modification) error {
	key := s.space.seqKey(nil, kindModified, at.Queue, at.Seq)
	_, err := s.store.db.get(key, func(v []byte) error {
		older, err := decodeModifiedValue(key, v)
		m = m.over(older)
		return err
	})
	if err != nil {
		return s.tolerate(err)
	}
	return b.Set(key, modifiedValue(key, m), nil)
}

// putDeadlines puts the T rows of the spilled bodies and of what a sweep spares
// into b, behind the sweep.
func (s *Shard) putDeadlines(b *pebble.Batch, keep []queue.Ref) error {
	for _, at := range keep {
		if err := s.keepDeadline(b, at); err != nil {
			return err
		}
	}
	for i := range s.scratch.bodies {
		m := &s.scratch.bodies[i]
		if m.deadlineMillis == 0 {
			continue
		}
		at := queue.Ref{Queue: m.queue, Seq: m.seq}
		if err := s.putDeadline(b, m.deadlineMillis, at, len(m.payload)); err != nil {
			return err
		}
	}
	return nil
}

// deleteRows deletes all rows of a queue that is no more. T rows go stale. Its
// name may have been declared again since: that N row stays.
func (s *Shard) deleteRows(b *pebble.Batch, q queue.ID) error {
	idKey := s.space.queueKey(nil, kindID, q)
	name, err := s.store.getPlain(idKey)
	if errors.Is(err, ErrNotFound) {
		return nil // it never had rows
	}
	if err == nil {
		err = s.deleteName(b, s.space.nameKey(nil, string(name)), q)
	}
	if err := s.tolerate(err); err != nil {
		return err
	}
	pages := s.space.queueKey(nil, kindPage, q)
	modified := s.space.queueKey(nil, kindModified, q)
	return errors.Join(b.Delete(idKey, nil),
		b.Delete(s.space.queueKey(nil, kindHead, q), nil),
		b.DeleteRange(pages, prefixEnd(pages), nil),
		b.DeleteRange(modified, prefixEnd(modified), nil))
}

// deleteName deletes the N row at key if it leads to q.
func (s *Shard) deleteName(b *pebble.Batch, key []byte, q queue.ID) error {
	owner, _, err := s.nameRow(key)
	if err != nil || owner != q {
		return err
	}
	return b.Delete(key, nil)
}
