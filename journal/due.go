package journal

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"entrepot/queue"
)

// Deadlines. A message in the window has its deadline in its slot; one that
// was spilled has a T row. T rows are never taken back one by one: a row whose
// message is gone is stale, which the live set tells, and goes when an Expire
// record says that its time has been swept.

// DueRun is a run of messages of one queue whose deadline has passed.
type DueRun struct {
	Queue queue.ID
	queue.Run
}

// dueStep is how many T rows are read between two looks at the live sets.
const dueStep = 1024

// Due appends to dst the live messages whose deadline is at or before now, at
// most about limit of them, as runs. upTo is how far that is complete: what
// the leader writes into its Expire record once it has proposed the removals,
// with those it did not propose as exceptions. Until then every call gives
// them again; one that is spilled just now may be given twice.
//
// Errors: what Pebble says of the disk.
func (s *Shard) Due(now int64, limit int, dst []DueRun) (due []DueRun, upTo int64, err error) {
	s.flip.RLock()
	defer s.flip.RUnlock()
	// The window first: a message moves from there to the T rows, never back.
	c := dueCollector{runs: dst, left: limit}
	s.mu.Lock()
	s.dueInWindow(now, &c)
	from := s.dueFrom
	s.mu.Unlock()
	if c.left <= 0 {
		return c.runs, from - 1, nil
	}
	upTo, err = s.dueInRows(from, now, &c)
	return c.runs, upTo, s.found(err)
}

// RestartDue makes the next Due look at all deadlines again, those behind the
// last Expire too: a new leader must find what was out with consumers of the
// one before it.
func (s *Shard) RestartDue() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dueFrom = 0
}

// dueCollector joins neighbours to runs.
type dueCollector struct {
	runs []DueRun
	left int
}

func (c *dueCollector) add(q queue.ID, seq queue.Seq, size uint32) {
	c.left--
	if n := len(c.runs); n > 0 {
		if r := &c.runs[n-1]; r.Queue == q && r.End() == seq {
			r.Count++
			r.Bytes += uint64(size)
			return
		}
	}
	c.runs = append(c.runs, DueRun{q, queue.Run{First: seq, Count: 1, Bytes: uint64(size)}})
}

// dueInWindow looks into the entries that may have something due, and learns
// when to look again. REQUIRES: s.mu.
func (s *Shard) dueInWindow(now int64, c *dueCollector) {
	for _, e := range s.window.entries {
		if e.minDeadline == 0 || e.minDeadline > now {
			continue
		}
		if c.left <= 0 {
			return
		}
		e.minDeadline = 0
		for i := range e.segments {
			s.dueInSegment(e, &e.segments[i], now, c)
		}
	}
}

func (s *Shard) dueInSegment(e *windowEntry, g *segment, now int64, c *dueCollector) {
	for i := range g.count {
		slot := &e.slots[g.slot+i]
		d := slot.deadlineMillis
		if d == 0 || !s.machine.Alive(g.queue, g.first+queue.Seq(i)) {
			continue
		}
		if e.minDeadline == 0 || d < e.minDeadline {
			e.minDeadline = d
		}
		if d <= now {
			c.add(g.queue, g.first+queue.Seq(i), slot.length)
		}
	}
}

// dueRow is one T row.
type dueRow struct {
	millis int64
	queue  queue.ID
	seq    queue.Seq
	size   uint32
}

// dueInRows reads the T rows of [from, now].
func (s *Shard) dueInRows(from, now int64, c *dueCollector) (upTo int64, err error) {
	it, err := s.store.db.newIter(&pebble.IterOptions{
		LowerBound: s.space.deadlineKey(nil, max(from, 0), 0, 0),
		UpperBound: s.space.deadlineKey(nil, now+1, 0, 0),
	})
	if err != nil {
		return 0, fmt.Errorf("journal: read deadlines: %w", err)
	}
	defer it.Close()
	rows := make([]dueRow, 0, dueStep)
	for ok := it.First(); ok; {
		for rows = rows[:0]; ok && len(rows) < dueStep; ok = it.Next() {
			r := dueRow{}
			r.millis, r.queue, r.seq = deadlineOf(it.Key())
			if r.size, err = decodeDeadlineValue(it.Key(), it.Value()); err != nil {
				return 0, err
			}
			rows = append(rows, r)
		}
		if at, full := s.addLive(rows, c); full {
			return at - 1, it.Error()
		}
	}
	if err := it.Error(); err != nil {
		return 0, readError(s.space.deadlineKey(nil, max(from, 0), 0, 0), err)
	}
	return now, nil
}

// addLive collects the rows whose messages live. full: the limit was reached
// at a row of that time.
func (s *Shard) addLive(rows []dueRow, c *dueCollector) (at int64, full bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range rows {
		if !s.machine.Alive(r.queue, r.seq) {
			continue
		}
		if c.left <= 0 {
			return r.millis, true
		}
		c.add(r.queue, r.seq, r.size)
	}
	return 0, false
}

// swept follows an Expire record. REQUIRES: s.mu.
func (s *Shard) swept(rec *queue.Record) {
	s.dueFrom = max(s.dueFrom, rec.DeadlineMillis+1)
	for _, at := range rec.Except {
		s.excepted[at] = struct{}{}
	}
}

// sweepRows deletes the T rows that Expire records have made stale, but for
// the exceptions that still live. It gives those: their rows must be written
// again behind the deletion. REQUIRES: s.mu.
func (s *Shard) sweepRows(b *pebble.Batch) (keep []queue.Ref, err error) {
	upTo := s.machine.SweptMillis()
	if upTo <= s.sweptRow {
		return nil, nil
	}
	s.sweptRow = upTo
	for at := range s.excepted {
		if s.machine.Alive(at.Queue, at.Seq) {
			keep = append(keep, at)
		} else {
			delete(s.excepted, at)
		}
	}
	return keep, b.DeleteRange(s.space.prefix(nil, kindDeadline), s.space.deadlineKey(nil, upTo+1, 0, 0), nil)
}

// loadExcepted finds the exceptions of the Expire records that were applied: after a
// sweep the only rows before its time.
func (s *Shard) loadExcepted() error {
	if s.sweptRow <= 0 {
		return nil
	}
	it, err := s.store.db.newIter(&pebble.IterOptions{
		LowerBound: s.space.prefix(nil, kindDeadline),
		UpperBound: s.space.deadlineKey(nil, s.sweptRow+1, 0, 0),
	})
	if err != nil {
		return fmt.Errorf("journal: read deadlines: %w", err)
	}
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		if len(it.Key()) != deadlineKeyLen {
			return corrupt(it.Key(), "the key has %d bytes", len(it.Key()))
		}
		if _, q, seq := deadlineOf(it.Key()); s.machine.Alive(q, seq) {
			s.excepted[queue.Ref{Queue: q, Seq: seq}] = struct{}{}
		}
	}
	if err := it.Error(); err != nil {
		return readError(s.space.prefix(nil, kindDeadline), err)
	}
	return nil
}

// keepDeadline writes the T row of a spilled message again.
func (s *Shard) keepDeadline(b *pebble.Batch, at queue.Ref) error {
	millis, size, ok, err := s.readDeadline(at)
	if err != nil || !ok {
		return s.tolerate(err) // not ok: it is in the window, and gets its row by a spill
	}
	return s.putDeadline(b, millis, at, size)
}

func (s *Shard) putDeadline(b *pebble.Batch, millis int64, at queue.Ref, size int) error {
	op := b.SetDeferred(deadlineKeyLen, deadlineValueLen)
	s.space.deadlineKey(op.Key[:0], millis, at.Queue, at.Seq)
	putDeadlineValue(op.Value, size)
	return op.Finish()
}
