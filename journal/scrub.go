package journal

import (
	"context"
	"errors"
	"fmt"
)

// Scrub reads every row and log entry that the shard has on disk, those that nobody
// may want for a long time too, and tells Hooks.Damaged of each that is damaged. It
// goes on beside traffic and costs what reading costs.
//
// It gives the number of rows that are right, and the first damage. Errors:
// *CorruptionError, ctx's, what the disk says.
func (s *Shard) Scrub(ctx context.Context) (rows uint64, err error) {
	s.flip.RLock()
	sp := s.space
	it, err := s.store.db.newIter(nil)
	s.flip.RUnlock()
	if err != nil {
		return 0, s.found(readError(sp.prefix(nil, kindHead), err))
	}
	defer it.Close()
	prefixes := [][]byte{appendShard(nil, kindLog, s.sh), appendMarkKey(nil, s.sh, "")}
	for _, kind := range []byte(streamKinds) {
		prefixes = append(prefixes, sp.prefix(nil, kind))
	}
	var first error
	for _, prefix := range prefixes {
		n, err := s.scrubRange(ctx, it, prefix)
		rows += n
		if damaged := (*CorruptionError)(nil); err != nil && !errors.As(err, &damaged) {
			return rows, err
		}
		if first == nil {
			first = err
		}
	}
	return rows, first
}

// scrubRange checks the rows whose keys begin with prefix.
func (s *Shard) scrubRange(ctx context.Context, it *iterator, prefix []byte) (rows uint64, first error) {
	it.SetBounds(prefix, prefixEnd(prefix))
	for n, ok := 0, it.First(); ok; n, ok = n+1, it.Next() {
		if n%measureStep == 0 && ctx.Err() != nil {
			return rows, fmt.Errorf("journal: scrub: %w", ctx.Err())
		}
		value, err := it.ValueAndErr()
		if err == nil {
			err = checkRow(it.Key(), value)
		} else {
			err = readError(it.Key(), err)
		}
		if err == nil {
			rows++
		} else if s.found(err); first == nil {
			first = err
		}
	}
	if err := it.Error(); err != nil {
		err = s.found(readError(prefix, err)) // Pebble cannot read on
		if first == nil {
			first = err
		}
	}
	return rows, first
}
