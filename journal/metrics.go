package journal

// Metrics are a store's figures. Counters begin at zero with Open.
type Metrics struct {
	// DiskBytes is what the store takes on disk, MemTableBytes and CacheBytes
	// what Pebble holds in memory.
	DiskBytes, MemTableBytes, CacheBytes uint64
	// WALBytes, FlushedBytes, IngestedBytes and CompactedBytes have been
	// written: all that reaches the disk, but for manifests.
	WALBytes, FlushedBytes, IngestedBytes, CompactedBytes uint64
	// L0Sublevels is how many tables a read may have to look into at level 0;
	// Pebble stops writes at 24.
	L0Sublevels int
	// Tables is how many table files there are.
	Tables int64
}

// Metrics reads the figures. It costs some microseconds.
func (s *Store) Metrics() Metrics {
	p := s.db.metrics()
	m := Metrics{
		DiskBytes:     p.DiskSpaceUsage(),
		MemTableBytes: p.MemTable.Size,
		CacheBytes:    uint64(max(p.BlockCache.Size, 0)),
		WALBytes:      p.WAL.BytesWritten,
		L0Sublevels:   int(p.Levels[0].Sublevels),
	}
	for i := range p.Levels {
		l := &p.Levels[i]
		m.FlushedBytes += l.TableBytesFlushed
		m.IngestedBytes += l.TableBytesIngested
		m.CompactedBytes += l.TableBytesCompacted
		m.Tables += l.TablesCount
	}
	return m
}
