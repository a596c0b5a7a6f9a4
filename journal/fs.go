package journal

import "github.com/cockroachdb/pebble/v2/vfs"

// FS is a file system for a Store, see Options.FS.
type FS = vfs.FS

// Pacer is what the FS of a simulation may be as well: a slow disk. Log.Append waits
// for Pace before it writes, and holds no lock meanwhile. A delay inside of the FS
// would be under locks of Pebble's, and virtual time (testing/synctest) does not go
// on while somebody waits for a lock.
type Pacer interface{ Pace() }

// pace waits for a slow disk.
func (s *Store) pace() {
	if p, ok := s.opts.FS.(Pacer); ok {
		p.Pace()
	}
}
