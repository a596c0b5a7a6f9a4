// Package journaltest does to a journal what only a bad disk does, for tests of the
// rooms above.
package journaltest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// LogKey is the row of a log entry.
func LogKey(shard uint16, index uint64) []byte {
	return binary.BigEndian.AppendUint64(Rows('L', shard), index)
}

// Rows begins the keys of all rows of a kind and shard.
func Rows(kind byte, shard uint16) []byte {
	return binary.BigEndian.AppendUint16([]byte{kind}, shard)
}

// Damage flips a bit in the last byte but four of every row whose key begins with
// prefix: in what the row's checksum covers. The store must be closed.
func Damage(fs vfs.FS, dir string, prefix []byte) (rows int, err error) {
	db, err := pebble.Open(dir, &pebble.Options{FS: fs, Logger: quiet{}})
	if err != nil {
		return 0, err
	}
	defer func() {
		if e := db.Close(); err == nil {
			err = e
		}
	}()
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: prefix})
	if err != nil {
		return 0, err
	}
	defer it.Close()
	for ok := it.First(); ok && bytes.HasPrefix(it.Key(), prefix); ok = it.Next() {
		v := slices.Clone(it.Value())
		v[len(v)-5] ^= 1
		if err := db.Set(slices.Clone(it.Key()), v, pebble.Sync); err != nil {
			return rows, err
		}
		rows++
	}
	return rows, it.Error()
}

// quiet is a logger for a store that is opened for a moment.
type quiet struct{}

func (quiet) Infof(string, ...any)      {}
func (quiet) Errorf(string, ...any)     {}
func (quiet) Fatalf(f string, a ...any) { panic(fmt.Sprintf(f, a...)) }
