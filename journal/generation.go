package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// Generations. A Restore writes a generation of rows beside the live one; the state
// row says which one is live. What a crash leaves of another is removed when the
// shard is loaded.

// generationsOf lists the generations of which there are rows, in no order.
func (s *Store) generationsOf(sh uint16) ([]uint8, error) {
	it, err := s.db.NewIter(nil)
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
	if damaged := (*CorruptionError)(nil); err != nil && !errors.As(err, &damaged) {
		return 0, err // where a table is damaged, what could be seen must do
	}
	for g := s.space.g + 1; g != s.space.g; g++ {
		if g != 0 && !bytes.Contains(used, []byte{g}) {
			return g, nil
		}
	}
	return 0, fmt.Errorf("journal: shard %d has no free generation", s.sh)
}

// deleteGeneration puts the removal of a generation's rows into b, but for Q keys:
// no batch has those.
func (sp space) delete(b *pebble.Batch) error {
	for _, kind := range []byte(streamKinds) {
		if kind == kindMessage {
			continue
		}
		prefix := sp.prefix(nil, kind)
		if err := b.DeleteRange(prefix, prefixEnd(prefix), nil); err != nil {
			return err
		}
	}
	return nil
}

// exciseBodies cuts the Q keys of a generation out. What made it a dead one must be
// durable.
func (s *Store) exciseBodies(sp space) error {
	prefix := sp.prefix(nil, kindMessage)
	err := s.db.Excise(context.Background(), pebble.KeyRange{Start: prefix, End: prefixEnd(prefix)})
	if err != nil {
		return fmt.Errorf("journal: remove generation %d of shard %d: %w", sp.g, sp.sh, err)
	}
	return nil
}

// removeGeneration removes one that is not live, and was never.
func (s *Store) removeGeneration(sp space) error {
	b := s.db.NewBatch()
	defer b.Close()
	if err := sp.delete(b); err != nil {
		return err
	}
	return errors.Join(s.commit(b, pebble.NoSync), s.exciseBodies(sp))
}

// clearOldGenerations removes what crashes have left beside the live one. Damage in
// it is no reason not to start.
func (s *Shard) clearOldGenerations() error {
	all, err := s.store.generationsOf(s.sh)
	for _, g := range all {
		if g != s.space.g {
			err = errors.Join(err, s.store.removeGeneration(space{s.sh, g}))
		}
	}
	if err != nil && s.store.failure.get() == nil {
		s.store.opts.Logger.Warn("journal: an old generation stays", "shard", s.sh, "err", err)
		return nil
	}
	return err
}
