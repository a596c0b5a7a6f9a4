package journal

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2/objstorage/objstorageprovider"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"

	"entrepot/queue"
)

// Q keys reach Pebble as finished tables (sstables) that are ingested, bodies
// and tombstones alike, and never by a batch. A body in a batch would be
// written to the WAL, copied into the memtable and flushed to level 0 before a
// compaction writes it where it belongs. A table is written once; if it
// overlaps nothing, it goes to the lowest level at once and stays there.
//
// For that a queue that makes up a good part of a round has tables of its own,
// which overlap nothing since its sequence numbers only grow. And no Q key is
// ever in a memtable: an ingested table that overlaps one forces it to be
// flushed, with the whole log in it that was about to die there.

// tableDir holds tables until they are ingested. What is in it when the store
// opens was left by a crash.
const tableDir = "tables"

const (
	// ownTable is how much of one queue gets a table of its own.
	ownTable = 256 << 10
	// maxTable bounds a table.
	maxTable = 16 << 20
	// tableSync is how much of a table is written before the disk is told to begin, as
	// Pebble does with its own tables: behind the newest MiB, and where a file system
	// other than ext4 cannot be told that, by an fdatasync. A whole table at its end
	// would keep every commit waiting that comes meanwhile: three nodes, 256 in flight,
	// ext4, in turn: accept p99 16 instead of 24 ms, and a seventh more messages (6 runs
	// each).
	tableSync = 512 << 10
)

// clearTables removes what a process that is no more left for later.
func clearTables(fs vfs.FS, dir string) error {
	if err := fs.RemoveAll(fs.PathJoin(dir, spareName)); err != nil {
		return fmt.Errorf("journal: clear %s: %w", dir, err)
	}
	dir = fs.PathJoin(dir, tableDir)
	if err := fs.RemoveAll(dir); err != nil {
		return fmt.Errorf("journal: clear %s: %w", dir, err)
	}
	if err := fs.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("journal: make %s: %w", dir, err)
	}
	return nil
}

// tableSet writes tables for one ingestion. Keys come in order.
type tableSet struct {
	store *Store
	sh    uint16
	// prefix of the files' names: a Restore writes tables beside a round.
	prefix string
	paths  []string
	w      *sstable.Writer // the open table, nil if there is none
	size   int             // of values in the open table
	key    []byte
	value  []byte
}

// open begins the next table, if none is open.
func (t *tableSet) open() error {
	if t.w != nil {
		return nil
	}
	s := t.store
	path := s.opts.FS.PathJoin(s.opts.Dir, tableDir, fmt.Sprintf("%s%05d-%06d.sst", t.prefix, t.sh, len(t.paths)))
	f, err := s.opts.FS.Create(path, "entrepot-table")
	if err != nil {
		return err
	}
	t.paths = append(t.paths, path)
	f = vfs.NewSyncingFile(f, vfs.SyncingFileOptions{BytesPerSync: tableSync})
	options := s.pebble.MakeWriterOptions(0, s.db.tableFormat())
	t.w = sstable.NewWriter(objstorageprovider.NewFileWritable(f), options)
	t.size = 0
	return nil
}

// cut ends the open table, if there is one, and makes it durable.
func (t *tableSet) cut() error {
	if t.w == nil {
		return nil
	}
	err := t.w.Close()
	t.w = nil
	return err
}

// body adds a message.
func (t *tableSet) body(sp space, b *body) error {
	if err := t.open(); err != nil {
		return err
	}
	t.key = sp.seqKey(t.key[:0], kindMessage, b.queue, b.seq)
	t.value = appendMessageValue(t.value[:0], t.key, &b.storedMessage)
	t.size += len(t.value)
	return t.w.Set(t.key, t.value)
}

// row adds a row of any kind; the next kind needs a table of its own.
func (t *tableSet) row(key, value []byte) error {
	if t.size >= maxTable {
		if err := t.cut(); err != nil {
			return err
		}
	}
	if err := t.open(); err != nil {
		return err
	}
	t.size += len(key) + len(value)
	return t.w.Set(key, value)
}

// rangeLeast is the shortest range that gets a range tombstone. Pebble holds those
// of a table in memory and cuts them against each other, which costs far more than
// a few tombstones of single keys; and messages that expire in no order leave
// millions of short ranges.
const rangeLeast = 16

// clear adds tombstones.
func (t *tableSet) clear(sp space, r deadRange) error {
	if err := t.open(); err != nil {
		return err
	}
	if r.to-r.from < rangeLeast {
		for seq := r.from; seq < r.to; seq++ {
			t.key = sp.seqKey(t.key[:0], kindMessage, r.queue, seq)
			if err := t.w.Delete(t.key); err != nil {
				return err
			}
		}
		return nil
	}
	return t.w.DeleteRange(
		sp.seqKey(nil, kindMessage, r.queue, r.from), sp.seqKey(nil, kindMessage, r.queue, r.to))
}

// ingest ends the last table and gives all of them to Pebble, which makes them
// durable and visible at once.
func (t *tableSet) ingest() error {
	if err := t.cut(); err != nil {
		return err
	}
	if len(t.paths) == 0 {
		return nil
	}
	if err := t.store.db.ingest(t.paths); err != nil {
		return err
	}
	t.paths = t.paths[:0]
	return nil
}

// abandon removes what was written, as far as that goes.
func (t *tableSet) abandon(err error) error {
	if t.w != nil {
		err = errors.Join(err, t.w.Close())
		t.w = nil
	}
	for _, p := range t.paths {
		_ = t.store.opts.FS.Remove(p) // Open removes what stays
	}
	t.paths = t.paths[:0]
	return err
}

// body is a live message on its way to its Q key.
type body struct {
	storedMessage
	seq   queue.Seq
	queue queue.ID
}

// ingestBodies writes bodies, in the order of keys, and ingests them.
func (s *Shard) ingestBodies(bodies []body) error {
	if len(bodies) == 0 {
		return nil
	}
	t := tableSet{store: s.store, sh: s.sh}
	for len(bodies) > 0 {
		n, size := sameQueue(bodies)
		own := size >= ownTable
		if own || t.size+size > maxTable {
			if err := t.cut(); err != nil {
				return t.abandon(err)
			}
		}
		for i := range bodies[:n] {
			if t.size >= maxTable {
				if err := t.cut(); err != nil {
					return t.abandon(err)
				}
			}
			if err := t.body(s.space, &bodies[i]); err != nil {
				return t.abandon(err)
			}
		}
		if own {
			if err := t.cut(); err != nil {
				return t.abandon(err)
			}
		}
		bodies = bodies[n:]
	}
	if err := t.ingest(); err != nil {
		return t.abandon(err)
	}
	return nil
}

// sameQueue is how many of bodies, from the first on, are of one queue.
func sameQueue(bodies []body) (n, size int) {
	for n < len(bodies) && bodies[n].queue == bodies[0].queue {
		size += len(bodies[n].payload)
		n++
	}
	return n, size
}

// ingestTombstones clears Q keys. What makes them dead must be durable: the
// tombstones are, at once.
func (s *Shard) ingestTombstones(ranges []deadRange) error {
	if len(ranges) == 0 {
		return nil
	}
	if err := s.store.syncAll(); err != nil {
		return err
	}
	t := tableSet{store: s.store, sh: s.sh}
	for _, r := range ranges {
		if err := t.clear(s.space, r); err != nil {
			return t.abandon(err)
		}
	}
	if err := t.ingest(); err != nil {
		return t.abandon(err)
	}
	return nil
}
