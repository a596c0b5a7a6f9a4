package journal

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"entrepot/queue"
)

// After a large drain the space comes back by cutting out of Pebble the key
// ranges of whole tables in which nothing lives (DB.Excise): a version edit,
// however large they are. Tombstones alone do it only where one table is one
// queue's; the backlog of a hundred queues, emptied, stayed on disk until some
// compaction came by (1,184 bytes a message, 12 s after a drain of 500,000;
// BenchmarkFillAndDrain).
//
// The live sets say what lives, as everywhere. That nothing on disk lives in a
// range stays true until the next round writes bodies, and rounds exclude each
// other, so it may be found out piece by piece, without holding the lock.

const (
	// reclaimBytes is how much must have died on disk before a look pays.
	reclaimBytes = 32 << 20
	// maxExcises bounds the cuts of one round: each syncs the manifest.
	maxExcises = 16
	// livenessStep is how many queues are looked at under the lock in a row.
	livenessStep = 4096
)

// reclaim cuts out dead tables if enough has died, or everything. REQUIRES: s.spilling, and
// no body is on its way.
func (s *Shard) reclaim() error {
	s.mu.Lock()
	due := s.deadBytes >= reclaimBytes || s.deadBytes > 0 && s.machine.Totals().Count == 0
	if due {
		s.deadBytes = 0
	}
	s.mu.Unlock()
	if !due {
		return nil
	}
	ranges, err := s.deadTables()
	if err != nil || len(ranges) == 0 {
		return err
	}
	// Cuts are durable at once: so must be the removals.
	if err := s.store.syncAll(); err != nil {
		return err
	}
	for _, r := range ranges[:min(len(ranges), maxExcises)] {
		if err := s.store.db.excise(r); err != nil {
			return fmt.Errorf("excise %s: %w", describeKey(r.Start), err)
		}
	}
	return nil
}

// deadTables gives the key ranges of tables in which nothing lives, joined
// where they overlap.
func (s *Shard) deadTables() ([]pebble.KeyRange, error) {
	levels, err := s.store.db.tables()
	if err != nil {
		return nil, err
	}
	lowest := s.space.seqKey(nil, kindMessage, 0, 0)
	highest := s.space.seqKey(nil, kindMessage, math.MaxUint32, math.MaxUint64)
	var dead []pebble.KeyRange
	for _, tables := range levels {
		for i := range tables {
			r := tableRange(&tables[i], lowest, highest)
			if bytes.Compare(r.Start, r.End) < 0 && s.nothingLives(r.Start, r.End) {
				dead = append(dead, r)
			}
		}
	}
	return joinKeyRanges(dead), nil
}

// tableRange is the part of a table within [lowest, highest).
func tableRange(t *pebble.SSTableInfo, lowest, highest []byte) pebble.KeyRange {
	r := pebble.KeyRange{Start: t.Smallest.UserKey, End: t.Largest.UserKey}
	if !t.Largest.IsExclusiveSentinel() {
		r.End = append(slices.Clone(r.End), 0)
	}
	if bytes.Compare(r.Start, lowest) < 0 {
		r.Start = lowest
	}
	if bytes.Compare(r.End, highest) > 0 {
		r.End = highest
	}
	return r
}

// joinKeyRanges joins ranges that overlap or touch. The order is that of keys.
func joinKeyRanges(ranges []pebble.KeyRange) []pebble.KeyRange {
	slices.SortFunc(ranges, func(a, b pebble.KeyRange) int { return bytes.Compare(a.Start, b.Start) })
	n := 0
	for _, r := range ranges {
		if n > 0 && bytes.Compare(r.Start, ranges[n-1].End) <= 0 {
			if bytes.Compare(r.End, ranges[n-1].End) > 0 {
				ranges[n-1].End = r.End
			}
			continue
		}
		ranges[n] = r
		n++
	}
	return ranges[:n]
}

// nothingLives: no live message has its body under the Q keys [start, end).
func (s *Shard) nothingLives(start, end []byte) bool {
	first, from := queueOf(start), seqOf(start)
	last, to := queueOf(end), queue.Seq(binary.BigEndian.Uint64(end[queueKeyLen:]))
	if len(end) > seqKeyLen {
		to++ // end is behind the key of to
	}
	for q := first; ; {
		s.mu.Lock()
		for range livenessStep {
			upTo := queue.Seq(math.MaxUint64)
			if q == last {
				upTo = to
			}
			if s.livesOnDisk(q, from, upTo) {
				s.mu.Unlock()
				return false
			}
			if q == last || q >= s.machine.NextID() {
				s.mu.Unlock()
				return true
			}
			q, from = q+1, 0
		}
		s.mu.Unlock()
	}
}

// livesOnDisk: a message of q in [from, to) lives and is not in the window.
// REQUIRES: s.mu.
func (s *Shard) livesOnDisk(q queue.ID, from, to queue.Seq) bool {
	seq, ok := s.machine.NextAlive(q, from)
	if !ok || seq >= to {
		return false
	}
	first, ok := s.window.first(q)
	return !ok || seq < first
}
