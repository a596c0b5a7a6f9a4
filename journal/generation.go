package journal

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"
)

// Generations. A Restore writes a generation of rows beside the live one; the state
// row says which one is live. What a crash leaves of another is removed when the
// shard is loaded.

// generationsOf lists the generations of which there are rows, in no order.
func (s *Store) generationsOf(sh uint16) ([]uint8, error) {
	it, err := s.db.newIter(nil)
	if err != nil {
		return nil, readError(appendShard(nil, kindHead, sh), err)
	}
	defer it.Close()
	var known [256]bool
	var found []uint8
	for _, kind := range []byte(streamKinds) {
		for g := 0; g < 256; g++ {
			prefix := space{sh, uint8(g)}.prefix(nil, kind)
			if !it.SeekGE(prefix) || !bytes.HasPrefix(it.Key(), prefix[:spaceLen-1]) || len(it.Key()) < spaceLen {
				break
			}
			g = int(it.Key()[spaceLen-1])
			if !known[g] {
				known[g] = true
				found = append(found, uint8(g))
			}
		}
		if err := it.Error(); err != nil {
			return nil, readError(appendShard(nil, kind, sh), err)
		}
	}
	return found, nil
}

// freeGeneration is one that has no rows: the next behind the live one, if it can be.
func (s *Shard) freeGeneration() (uint8, error) {
	used, err := s.store.generationsOf(s.sh)
	damaged := (*CorruptionError)(nil)
	if err != nil && !errors.As(err, &damaged) {
		return 0, err
	}
	for g := s.space.g + 1; g != s.space.g; g++ {
		if g == 0 || bytes.Contains(used, []byte{g}) {
			continue
		}
		if damaged == nil {
			return g, nil
		}
		// It may have rows that could not be seen. They are not live, or those of a
		// shard of which not even the state row can be read.
		return g, s.store.removeGeneration(space{s.sh, g})
	}
	return 0, fmt.Errorf("journal: shard %d has no free generation", s.sh)
}

// removeGeneration cuts the rows of a generation out of Pebble.
func (s *Store) removeGeneration(sp space) error {
	for _, kind := range []byte(streamKinds) {
		prefix := sp.prefix(nil, kind)
		if err := s.excise(prefix, prefixEnd(prefix)); err != nil {
			return err
		}
	}
	return nil
}

// keepGeneration cuts out all rows of the shard but those of one generation, whatever
// can be read of them: damaged tables go too, which compactions would stumble over
// for ever. That it is the live one must be durable.
func (s *Store) keepGeneration(sp space) error {
	for _, kind := range []byte(streamKinds) {
		all := appendShard(nil, kind, sp.sh)
		live := sp.prefix(nil, kind)
		if err := errors.Join(s.excise(all, live), s.excise(prefixEnd(live), prefixEnd(all))); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) excise(from, to []byte) error {
	if bytes.Compare(from, to) >= 0 {
		return nil
	}
	if err := s.db.excise(pebble.KeyRange{Start: from, End: to}); err != nil {
		return fmt.Errorf("journal: remove rows from %s on: %w", describeKey(from), err)
	}
	return nil
}

// clearOldGenerations removes what crashes have left beside the live one. Damage in
// it is no reason not to start.
func (s *Shard) clearOldGenerations() error {
	all, err := s.store.generationsOf(s.sh)
	if err != nil || slices.ContainsFunc(all, func(g uint8) bool { return g != s.space.g }) {
		err = s.store.keepGeneration(s.space)
	}
	return s.store.oldRowsStay(s.sh, err)
}

// oldRowsStay makes a failed removal a warning: the next start tries again.
func (s *Store) oldRowsStay(sh uint16, err error) error {
	if err != nil && s.failure.get() == nil {
		s.opts.Logger.Warn("journal: rows of an old generation stay", "shard", sh, "err", err)
		return nil
	}
	return err
}
