package journal

import "errors"

// Damaged is the first damage that was found in the shard's rows since it was
// loaded or restored, nil if there is none.
func (s *Shard) Damaged() *CorruptionError { return nil }

// BrokenShard gives an empty shard in place of one that Shard has refused with a
// *CorruptionError. It can do nothing but NewRestore; Commit makes it a shard like
// any other.
func (s *Store) BrokenShard(sh uint16) (*Shard, error) {
	return nil, errors.New("journal: no broken shards yet")
}

// Replace rewrites entries that the log has, durably, with what another replica has
// at the same index: the damaged ones, that Get refuses.
//
// Errors: an index that the log does not have; a term that is not the entry's; the
// store's failure.
func (l *Log) Replace(entries []Entry) error { return errors.New("journal: no repair yet") }
