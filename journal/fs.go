package journal

import "github.com/cockroachdb/pebble/v2/vfs"

// FS is a file system for a Store, see Options.FS.
type FS = vfs.FS
