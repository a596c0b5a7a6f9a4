package journal

// Store is a node's journal. Its methods are safe for concurrent use.
type Store struct{}

// Open opens or makes the store in o.Dir and takes the directory's lock.
//
// Errors: ErrLocked if another process has it; *CorruptionError if a record
// is damaged or of a format that this binary does not know.
func Open(o Options) (*Store, error) { panic("unimplemented") }

// Shard loads a shard's state as of K. The caller then applies the log from
// K+1 on. Called again, it returns the same Shard.
func (s *Store) Shard(sh uint16) (*Shard, error) { panic("unimplemented") }

// Log returns a shard's Raft log. It needs no Shard.
func (s *Store) Log(sh uint16) (*Log, error) { panic("unimplemented") }

// Marks returns a shard's small synced values.
func (s *Store) Marks(sh uint16) *Marks { panic("unimplemented") }

// Close flushes every shard, closes the store and gives the lock back.
func (s *Store) Close() error { panic("unimplemented") }
