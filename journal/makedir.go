package journal

import (
	"fmt"
	"os"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// MakeDir makes a directory on the disk, with those above it that are missing, so
// that a power cut does not take it away again. mode is for what it makes.
func MakeDir(dir string, mode os.FileMode) error { return makeDir(vfs.Default, dir, mode) }

// SyncDir makes durable what was made in, or removed from, a directory on the disk.
func SyncDir(dir string) error { return syncDir(vfs.Default, dir) }

// makeDir is MakeDir on any file system. What is in a directory is durable only when
// the directory's own entry is: each parent of what was made is synced, and the
// nearest in any case, because an earlier process may have been killed in between.
func makeDir(fs FS, dir string, mode os.FileMode) error {
	parents := []string{fs.PathDir(dir)}
	for d := fs.PathDir(dir); d != fs.PathDir(d); d = fs.PathDir(d) {
		if _, err := fs.Stat(d); err == nil {
			break
		}
		parents = append(parents, fs.PathDir(d))
	}
	if err := fs.MkdirAll(dir, mode); err != nil {
		return fmt.Errorf("journal: make %s: %w", dir, err)
	}
	for _, d := range parents {
		if err := syncDir(fs, d); err != nil {
			return fmt.Errorf("journal: sync %s: %w", d, err)
		}
	}
	return nil
}
