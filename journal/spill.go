package journal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// Stage 2. One round moves the state of a shard to disk:
//
//	lock    choose the oldest entries; collect their live bodies
//	        write them to tables and ingest those           (table.go)
//	lock    encode all changed rows; take the dead runs; K = applied
//	        ingest tombstones for the dead runs
//	        commit the rows, K, W and the truncation of the log, unsynced
//	lock    drop the entries from the window; W = the last of them
//	        if much has died on disk: cut out dead tables (reclaim.go)
//
// Two indexes instead of one. The rows hold memory as it is, at K; the bodies
// of live messages are in Q keys up to W only, and between W and K they are in
// the log. So a round writes the bodies of the oldest entries alone and gives
// the others more time to be settled, and still the rows need not say what was
// true at an older index. Recovery loads the rows and rebuilds the window from
// the log's entries in (W, K]; the rest of the log is applied as ever.
//
// Liveness is decided by the rows (H and B), never by the presence of a Q key.
// That is why bodies may be written without the lock: one that is settled
// meanwhile is a dead run of the next state row. The order in which the steps
// reach the disk makes a crash between any two harmless:
//
//   - tables without rows: the log has the entries, the window gets them again,
//     the same keys are written again later (or cleared, see Shard.orphans);
//   - tombstones without rows: the removals are in the log and are replayed;
//   - rows without what was behind them: impossible, tables are durable when
//     Ingest returns, and the rows' batch is behind the entries in the WAL.
//
// Measured against a plain batch for the bodies (500,000 x 1 KiB random, no
// consumer, two runs each in turn; BenchmarkFillAndDrain): with one queue 5.8 us of
// CPU and 2.3 KiB written a message against 10.2 us and 4.1 KiB. With 100 queues the
// tables overlapped and were compacted, and the batch was ahead, 12.6 us against
// 15.4; larger rounds and tables of a queue's own have since brought that to 12-15
// us, without a new comparison in one run.
const (
	// roundBytes is how much of the window one round takes at most. Much is
	// good: the part of a queue in a table grows with it.
	roundBytes = 16 << 20
	// spillTick is how often ages are looked at.
	spillTick = time.Second
)

// spillScratch is memory that rounds use again.
type spillScratch struct {
	bodies []body
	key    []byte
	value  []byte
}

// spillLoop runs rounds when there is a reason to.
func (s *Shard) spillLoop() {
	defer close(s.stopped)
	tick := time.NewTicker(spillTick)
	defer tick.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-s.store.failure.failed:
			return
		case <-s.kick:
		case <-tick.C:
		}
		for s.due() {
			if err := s.round(false); err != nil {
				s.store.opts.Logger.Error("journal: spill failed", "shard", s.sh, "err", err)
				return
			}
		}
	}
}

// due: a round has something to do.
func (s *Shard) due() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.chooseEntries(false) > 0 || s.rowsDue()
}

// rowsDue: changed rows have waited long enough. REQUIRES: s.mu.
func (s *Shard) rowsDue() bool {
	return s.changes > maxChanges ||
		!s.changedSince.IsZero() && s.now().Sub(s.changedSince) >= s.store.opts.MaxAge
}

// chooseEntries is how many of the oldest entries a round takes: over budget
// as many as bring the window well below it, else those of age, or all. Once
// one is of age, its neighbours of half the age go with it, so that rounds stay
// few. REQUIRES: s.mu.
func (s *Shard) chooseEntries(all bool) int {
	budget := s.store.opts.WindowBytes
	now, maxAge := s.now(), s.store.opts.MaxAge
	over := s.window.bytes - budget
	if over > 0 {
		over += min(budget*2/3, roundBytes)
	}
	oldest, ok := s.window.oldest()
	aged := ok && now.Sub(oldest) >= maxAge
	var taken int64
	n := 0
	for _, e := range s.window.entries {
		if taken >= roundBytes {
			break
		}
		if !all && taken >= over && !(aged && now.Sub(e.appliedAt) >= maxAge/2) {
			break
		}
		taken += e.cost()
		n++
	}
	return n
}

// round is one round of stage 2; with all set it takes entries whatever their
// age. After an error the store has failed.
func (s *Shard) round(all bool) error {
	s.spilling.Lock()
	defer s.spilling.Unlock()
	return s.roundLocked(all)
}

// roundLocked is round. REQUIRES: s.spilling.
func (s *Shard) roundLocked(all bool) error {
	if err := s.store.failure.get(); err != nil {
		return err
	}
	n, spilled := s.collect(all)
	if err := s.ingestBodies(s.scratch.bodies); err != nil {
		return s.fail("spill bodies", err)
	}
	b := s.store.db.newBatch()
	defer b.Close()
	enc, err := s.encode(b, n, spilled)
	if err != nil {
		return s.fail("encode rows", err)
	}
	if err := s.ingestTombstones(enc.dead); err != nil {
		return s.fail("clear bodies", err)
	}
	if err := s.finishBatch(b, enc); err != nil {
		return s.fail("complete rows", err)
	}
	truncated := s.log.deletePrefix(b, spilled)
	if err := s.store.commit(b, pebble.NoSync); err != nil {
		return err
	}
	truncated()
	s.settle(n, enc.applied)
	s.store.fitCache()
	if err := s.reclaim(); err != nil {
		return s.fail("reclaim space", err)
	}
	return nil
}

func (s *Shard) fail(what string, err error) error {
	return s.store.failure.set(fmt.Errorf("journal: shard %d: %s: %w", s.sh, what, err))
}

// collect chooses entries and puts their live bodies, in the order of keys,
// into the scratch. spilled is W after the round.
func (s *Shard) collect(all bool) (n int, spilled uint64) {
	s.mu.Lock()
	n = s.chooseEntries(all)
	bodies := s.scratch.bodies[:0]
	for _, e := range s.window.entries[:n] {
		for i := range e.segments {
			bodies = s.liveBodies(bodies, e, &e.segments[i])
		}
	}
	spilled = s.applied
	if n > 0 {
		s.inFlight = s.window.entries[n-1].index
	}
	if n < len(s.window.entries) {
		spilled = s.window.entries[n].index - 1
	}
	s.mu.Unlock()
	if !slices.IsSortedFunc(bodies, compareBodies) {
		slices.SortFunc(bodies, compareBodies)
	}
	s.scratch.bodies = bodies
	return n, spilled
}

func compareBodies(a, b body) int {
	return cmp.Or(cmp.Compare(a.queue, b.queue), cmp.Compare(a.seq, b.seq))
}

// liveBodies appends the live messages of a segment. REQUIRES: s.mu.
func (s *Shard) liveBodies(dst []body, e *windowEntry, g *segment) []body {
	for at := g.first; ; {
		first, end, ok := s.machine.NextAliveRun(g.queue, at)
		if !ok || first >= g.end() {
			return dst
		}
		for at = first; at < min(end, g.end()); at++ {
			sl := &e.slots[g.slot+uint32(at-g.first)]
			dst = append(dst, body{seq: at, queue: g.queue, storedMessage: storedMessage{
				flags: sl.flags, deadlineMillis: sl.deadlineMillis, arrivedMillis: e.arrivedMillis, payload: e.payload(sl),
			}})
		}
	}
}

// settle ends a round: the first n entries leave the window.
func (s *Shard) settle(n int, applied uint64) {
	s.mu.Lock()
	s.window.drop(n)
	s.durable = applied
	s.inFlight = 0
	s.keepWritten()
	s.committing = nil
	s.rounds++
	for i := range s.scratch.bodies {
		if d := s.scratch.bodies[i].deadlineMillis; d > 0 && d < s.dueFrom {
			s.dueFrom = d // it went to the T rows behind the sweep
		}
	}
	s.mu.Unlock()
	clear(s.scratch.bodies)
	s.wake(s.room)
}

// keepWritten moves the round's modifications of messages that are still in
// the window to written, and drops what has left it. REQUIRES: s.mu.
func (s *Shard) keepWritten() {
	for at, m := range s.committing.modified {
		s.written[at] = m.over(s.written[at])
	}
	for at := range s.written {
		first, ok := s.window.first(at.Queue)
		if !ok || at.Seq < first || !s.machine.Alive(at.Queue, at.Seq) {
			delete(s.written, at)
		}
	}
}

// Flush is stage 2 for everything, and synced: afterwards a restart has
// nothing to replay.
//
// Errors: the store's failure, ctx's.
func (s *Shard) Flush(ctx context.Context) error {
	return s.store.failure.or(func() error { return s.flush(ctx) })
}

func (s *Shard) flush(ctx context.Context) error {
	for !s.clean() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.round(true); err != nil {
			return err
		}
	}
	b := s.store.db.newBatch()
	defer b.Close()
	if err := b.LogData(nil, nil); err != nil {
		return err
	}
	return errors.Join(s.store.commit(b, pebble.Sync), s.store.syncAll())
}

// clean: nothing is left for stage 2.
func (s *Shard) clean() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.window.entries) == 0 && s.durable == s.applied
}

// close ends the open streams, and stage 2 after a last Flush.
func (s *Shard) close() error {
	err := errors.Join(s.closeStreams(), s.Flush(context.Background()))
	close(s.stop)
	if s.store.failure.get() == nil {
		<-s.stopped
	}
	return err
}
