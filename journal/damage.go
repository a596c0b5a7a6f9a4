package journal

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/cockroachdb/pebble/v2"
)

// Damage: a record that is not what was written, or a table that Pebble cannot
// read. It is found by whoever reads it, which gives a *CorruptionError instead of
// the record; the shard is marked, Hooks.Damaged is told, and everything else goes
// on: what is in memory is right. Other replicas have the record: log entries come
// back by Log.Replace, the state as a whole by a Restore.

// maxTold bounds what is remembered of a shard's damage; one bad table can hold very
// many records.
const maxTold = 256

// damageReports keeps what was told, so that it is told once.
type damageReports struct {
	hook func(sh uint16, err *CorruptionError)

	mu     sync.Mutex // guards what follows
	told   map[uint16][]*CorruptionError
	loaded []uint16 // shards
}

// tell calls the hook, unless it was told of this record.
func (d *damageReports) tell(e *CorruptionError) (first bool) {
	d.mu.Lock()
	known := d.told[e.Shard]
	again := len(known) >= maxTold ||
		slices.ContainsFunc(known, func(o *CorruptionError) bool { return o.Key == e.Key || e.LogIndex == 0 && o.Key == tableKey(e.table) })
	if !again {
		if d.told == nil {
			d.told = map[uint16][]*CorruptionError{}
		}
		d.told[e.Shard] = append(known, e)
	}
	d.mu.Unlock()
	if !again && d.hook != nil {
		d.hook(e.Shard, e)
	}
	return !again
}

// first is the first damage of a shard's state.
func (d *damageReports) first(sh uint16) *CorruptionError {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, e := range d.told[sh] {
		if e.LogIndex == 0 {
			return e
		}
	}
	return nil
}

// repaired forgets what is whole again.
func (d *damageReports) repaired(sh uint16, whole func(e *CorruptionError) bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if known := d.told[sh]; known != nil {
		d.told[sh] = slices.DeleteFunc(known, whole)
	}
}

// found passes an error on, and tells of it if it is damage. After a failure what was
// kept off the disk looks like damage, see guardFS.
func (s *Store) found(err error) error {
	var e *CorruptionError
	if !errors.As(err, &e) {
		return err
	}
	if failed := s.failure.get(); failed != nil {
		return failed
	}
	if s.damage.tell(e) {
		s.opts.Logger.Error("journal: damaged", "err", e)
	}
	return err
}

func (s *Shard) found(err error) error { return s.store.found(err) }

// tolerate is for rounds of stage 2: damage is told, and what needed the row is left
// out. The damaged row stays as it is, so that nobody takes what is left for
// whole.
func (s *Shard) tolerate(err error) error {
	var e *CorruptionError
	if errors.As(s.found(err), &e) {
		return nil
	}
	return err
}

// readError is an error of Pebble's in reading the key, or behind it.
func readError(key []byte, err error) error {
	if pebble.IsCorruptionError(err) {
		damaged := corrupt(key, "%v", err)
		if i := pebble.ExtractDataCorruptionInfo(err); i != nil {
			damaged.table = i.Path
		}
		return damaged
	}
	return fmt.Errorf("journal: read %s: %w", describeKey(key), err)
}

// Damaged is the first damage that was found in the shard's rows since it was
// loaded or restored, nil if there is none. For a broken shard it is what keeps it
// from being loaded.
func (s *Shard) Damaged() *CorruptionError {
	var e *CorruptionError
	if errors.As(s.unfit(), &e) {
		return e
	}
	return s.store.damage.first(s.sh)
}

// tableKey is the Key of damage that a compaction has found.
func tableKey(path string) string { return "table " + path }

// tableDamaged hears of a table that Pebble cannot read, from a compaction maybe,
// which no reader would ever see: it would be tried again and again. Log entries in
// it are found when they are read.
func (s *Store) tableDamaged(i pebble.DataCorruptionInfo) {
	s.damage.mu.Lock()
	loaded := slices.Clone(s.damage.loaded)
	s.damage.mu.Unlock()
	for _, sh := range loaded {
		for _, kind := range []byte(streamKinds) {
			first := appendShard(nil, kind, sh)
			if string(i.Bounds.End.Key) >= string(first) && string(i.Bounds.Start) < string(prefixEnd(first)) {
				s.damage.tell(&CorruptionError{Key: tableKey(i.Path), Reason: fmt.Sprint(i.Details), Shard: sh})
				break
			}
		}
	}
}

// BrokenShard gives an empty shard in place of one that Shard has refused with a
// *CorruptionError. It can do nothing but NewRestore: Apply and OpenStream give the
// error that Shard gave. Commit makes it a shard like any other. Called again, it
// returns the same Shard.
func (s *Store) BrokenShard(sh uint16) (*Shard, error) {
	l, err := s.Log(sh)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	if x := s.shards[sh]; x != nil && x.unfit() != nil {
		return x, nil
	}
	why := s.refused[sh]
	if why == nil {
		return nil, fmt.Errorf("journal: shard %d is not known to be broken", sh)
	}
	x := newShard(s, sh, l)
	x.broken = why
	if row, err := s.readStateRow(sh); err == nil {
		x.space.g = row.generation
	}
	s.addShard(x)
	return x, nil
}

// unfit is why the shard has no state that could be used, nil if it has one.
func (s *Shard) unfit() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.broken
}
