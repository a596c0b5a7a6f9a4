package journal

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2/record"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// A WAL says in its own chunks how far it was synced, and Pebble takes a hole
// before that for corruption: rightly, with Durability Fsync. With OS it is a
// lie by up to a second, and a power cut that wrote the blocks of that second
// in another order would leave a store that refuses to open. So a store that
// runs with OS leaves a note, and when it finds the note of a process that did
// not end well it cuts the newest WAL at its first damaged record. The older
// ones were synced when they were closed.

// lazyNote is the name of the note.
const lazyNote = "durability-os"

// repairLazyWAL prepares a directory for Pebble, before it is opened.
func repairLazyWAL(fs vfs.FS, dir string) (cutAt int64, err error) {
	if _, err := fs.Stat(fs.PathJoin(dir, lazyNote)); err != nil {
		return -1, nil // no note
	}
	names, err := fs.List(dir)
	if err != nil {
		return -1, fmt.Errorf("journal: list %s: %w", dir, err)
	}
	newest, number := "", uint64(0)
	for _, name := range names {
		n, err := strconv.ParseUint(strings.TrimSuffix(name, ".log"), 10, 64)
		if isWAL(name) && err == nil && (newest == "" || n > number) {
			newest, number = name, n
		}
	}
	if newest == "" {
		return -1, nil
	}
	return cutWAL(fs, fs.PathJoin(dir, newest), number)
}

// cutWAL cuts a WAL at its first damaged record; -1 if there is none.
func cutWAL(fs vfs.FS, name string, number uint64) (cutAt int64, err error) {
	f, err := fs.Open(name)
	if err != nil {
		return -1, fmt.Errorf("journal: repair: %w", err)
	}
	defer f.Close()
	valid, err := validPrefix(f, number)
	if !errors.Is(err, record.ErrInvalidChunk) && !errors.Is(err, record.ErrZeroedChunk) {
		return -1, nil // whole, or an end that Pebble takes for one
	}
	if err := copyPrefix(fs, f, name, valid); err != nil {
		return -1, fmt.Errorf("journal: repair %s: %w", name, err)
	}
	return valid, nil
}

// validPrefix is the end of the last whole record.
func validPrefix(f vfs.File, number uint64) (int64, error) {
	r := newReader(record.NewReader, f, number)
	for {
		at := r.Offset()
		one, err := r.Next()
		if err == nil {
			_, err = io.Copy(io.Discard, one)
		}
		if err != nil {
			return at, err
		}
	}
}

// newReader calls record.NewReader with a type that only Pebble can name.
func newReader[N ~uint64](open func(io.Reader, N) *record.Reader, r io.Reader, number uint64) *record.Reader {
	return open(r, N(number))
}

// copyPrefix replaces a file by its first n bytes.
func copyPrefix(fs vfs.FS, f vfs.File, name string, n int64) error {
	part := name + ".part"
	out, err := fs.Create(part, "entrepot-repair")
	if err != nil {
		return err
	}
	_, err = io.Copy(out, io.NewSectionReader(f, 0, n))
	if err := errors.Join(err, out.Sync(), out.Close()); err != nil {
		return err
	}
	if err := fs.Rename(part, name); err != nil {
		return err
	}
	return syncDir(fs, fs.PathDir(name))
}

// setLazyNote writes or removes the note, durably.
func setLazyNote(fs vfs.FS, dir string, lazy bool) error {
	name := fs.PathJoin(dir, lazyNote)
	if !lazy {
		if _, err := fs.Stat(name); err != nil {
			return nil // there is none
		}
		if err := fs.RemoveAll(name); err != nil {
			return fmt.Errorf("journal: %w", err)
		}
		return syncDir(fs, dir)
	}
	f, err := fs.Create(name, "entrepot-note")
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	return syncDir(fs, dir)
}

func syncDir(fs vfs.FS, dir string) error {
	d, err := fs.OpenDir(dir)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("journal: sync %s: %w", dir, err)
	}
	return nil
}
