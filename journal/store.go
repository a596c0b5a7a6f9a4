package journal

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Store is a node's journal. Its methods are safe for concurrent use.
//
// After the first failed write it accepts nothing more: what an fsync has
// failed to write is lost from the kernel's memory too, and trying again
// would report success.
type Store struct {
	opts Options
	fs   *walFS
	lock *pebble.Lock
	db   *database
	// pebble are the options of db, with Pebble's defaults.
	pebble *pebble.Options
	cache  *blockCache // of db; nil if it is open to be read only

	failure *failure
	// compactions is when Pebble may compact.
	compactions *lateCompactions
	complaints  atomic.Int32 // since the first of this second, see complain
	damage      damageReports

	mu     sync.Mutex // guards all that follows
	shards map[uint16]*Shard
	logs   map[uint16]*Log
	// refused is why shards could not be loaded.
	refused map[uint16]error
	closed  bool

	stopSyncer chan struct{} // closed by Close; Durability OS only
	syncerDone chan struct{}
}

const (
	// formatVersion of the keyspace. Only a binary that knows it may open the
	// store.
	formatVersion = 1
	formatName    = "format"

	// lazySyncEvery is how long Durability OS leaves writes to the kernel.
	lazySyncEvery = time.Second
)

// Open opens or makes the store in o.Dir and takes the directory's lock.
//
// Errors: ErrLocked if another process has it; *CorruptionError if a record
// is damaged or of a format that this binary does not know.
func Open(o Options) (*Store, error) {
	o = o.withDefaults()
	if err := makeDir(o.FS, o.Dir, 0o755); err != nil {
		return nil, err
	}
	lock, err := lockDir(o.Dir, o.FS)
	if err != nil {
		return nil, err
	}
	s := &Store{
		opts: o, lock: lock,
		shards: map[uint16]*Shard{}, logs: map[uint16]*Log{}, refused: map[uint16]error{},
	}
	s.failure = newFailure(o.Hooks.Failed)
	s.damage.hook = o.Hooks.Damaged
	s.fs = newWALFS(&guardFS{o.FS, s.failure}, o.Durability == OS, int64(o.MemTableBytes), o.Hooks.Synced)
	if err := s.open(); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	if s.fs.lazy {
		s.stopSyncer, s.syncerDone = make(chan struct{}), make(chan struct{})
		go s.syncLazily()
	}
	return s, nil
}

// open opens Pebble and checks the format.
func (s *Store) open() error {
	if err := clearTables(s.opts.FS, s.opts.Dir); err != nil {
		return err
	}
	cut, err := repairLazyWAL(s.opts.FS, s.opts.Dir)
	if err != nil {
		return err
	}
	if cut >= 0 {
		s.opts.Logger.Warn("journal: a power cut has cost the end of the write-ahead log", "durability", OS, "cut_at", cut)
	}
	if s.fs.lazy {
		if err := setLazyNote(s.opts.FS, s.opts.Dir, true); err != nil {
			return err
		}
	}
	s.pebble = s.pebbleOptions()
	s.cache = newBlockCache(&s.opts)
	defer s.cache.Unref() // db has its own reference
	s.pebble.Cache = s.cache.Cache
	db, err := pebble.Open(s.opts.Dir, s.pebble)
	if err != nil {
		s.compactions.stop()
		return cmp.Or(s.failure.get(), openError(err))
	}
	s.db = &database{pebble: db, failure: s.failure}
	err = s.checkFormat()
	if failed := s.failure.get(); failed != nil {
		err = failed // and what was read need not be true
	}
	if err == nil && !s.fs.lazy { // Pebble has read the old WALs
		err = setLazyNote(s.opts.FS, s.opts.Dir, false)
	}
	if err != nil {
		return errors.Join(err, s.db.close())
	}
	return nil
}

// checkFormat refuses a keyspace of another version and marks a new one.
func (s *Store) checkFormat() error {
	key := appendMarkKey(nil, storeShard, formatName)
	v, err := s.getPlain(key)
	if errors.Is(err, ErrNotFound) {
		b := s.db.newBatch()
		defer b.Close()
		if err := b.Set(key, plainValue(key, []byte{formatVersion}), nil); err != nil {
			return err
		}
		return s.commit(b, pebble.Sync)
	}
	if err != nil {
		return err
	}
	if len(v) != 1 || v[0] != formatVersion {
		return corrupt(key, "the store has format %x, this binary knows %d", v, formatVersion)
	}
	return nil
}

// lockDir takes the directory's lock without waiting.
func lockDir(dir string, fs vfs.FS) (*pebble.Lock, error) {
	lock, err := pebble.LockDirectory(dir, fs)
	switch {
	case err == nil:
		return lock, nil
	case errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.EACCES),
		strings.Contains(err.Error(), "lock held by current process"):
		return nil, fmt.Errorf("%w: %s", ErrLocked, dir)
	}
	return nil, fmt.Errorf("journal: lock %s: %w", dir, err)
}

// openError names what Pebble found to be corrupt.
func openError(err error) error {
	if pebble.IsCorruptionError(err) {
		return &CorruptionError{Key: "store", Reason: err.Error(), Shard: storeShard}
	}
	return fmt.Errorf("journal: open: %w", err)
}

// Shard loads a shard's state as of K. The caller then applies the log from
// K+1 on. Called again, it returns the same Shard.
//
// Errors: *CorruptionError if a row is damaged; the other shards can be used. If it
// is a log entry (LogIndex > 0), Log.Replace and another call may help, else
// BrokenShard.
func (s *Store) Shard(sh uint16) (*Shard, error) {
	l, err := s.Log(sh)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	if x := s.shards[sh]; x != nil {
		if err := x.unfit(); err != nil {
			return nil, err
		}
		return x, nil
	}
	x, err := loadShard(s, sh, l)
	if err != nil {
		if damaged := (*CorruptionError)(nil); errors.As(err, &damaged) {
			s.refused[sh] = err
		}
		return nil, err
	}
	if err := x.clearOldGenerations(); err != nil {
		return nil, err
	}
	s.addShard(x)
	return x, nil
}

// addShard starts a shard. REQUIRES: s.mu.
func (s *Store) addShard(x *Shard) {
	s.shards[x.sh] = x
	delete(s.refused, x.sh)
	s.damage.mu.Lock()
	s.damage.loaded = append(s.damage.loaded, x.sh)
	s.damage.mu.Unlock()
	go x.spillLoop()
}

// Log returns a shard's Raft log. It needs no Shard.
func (s *Store) Log(sh uint16) (*Log, error) {
	if sh == storeShard {
		return nil, fmt.Errorf("journal: %d is no shard's number", sh)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	if l := s.logs[sh]; l != nil {
		return l, nil
	}
	l, err := openLog(s, sh)
	if err != nil {
		return nil, err
	}
	s.logs[sh] = l
	return l, nil
}

// Marks returns a shard's small synced values.
func (s *Store) Marks(sh uint16) *Marks { return &Marks{store: s, sh: sh} }

// Close flushes every shard, closes the store and gives the lock back. Nothing
// may use the store meanwhile or afterwards. After a failure it flushes
// nothing and returns the failure.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return ErrClosed
	}
	s.closed = true
	s.mu.Unlock()

	var err error
	for _, x := range s.shards {
		err = errors.Join(err, x.close())
	}
	if s.stopSyncer != nil {
		close(s.stopSyncer)
		<-s.syncerDone
	}
	if failed := s.failure.get(); failed != nil {
		// Nobody waits for it: the process is about to end, or it is a test that wants
		// its goroutines to.
		go s.db.closeFailed()
		return errors.Join(failed, s.lock.Close())
	}
	return errors.Join(err, s.db.close(), s.failure.get(), s.lock.Close())
}

// syncLazily makes good what Durability OS has promised.
func (s *Store) syncLazily() {
	defer close(s.syncerDone)
	tick := time.NewTicker(lazySyncEvery)
	defer tick.Stop()
	for {
		select {
		case <-s.stopSyncer:
			return
		case <-tick.C:
			if s.syncAll() != nil {
				return
			}
		}
	}
}

// syncAll makes durable what Durability OS has left to the kernel. Errors: the store's
// failure.
func (s *Store) syncAll() error { return errors.Join(s.fs.syncAll(), s.failure.get()) }

// commit writes a batch, and is the only one who does: after a failure
// nothing is written any more.
func (s *Store) commit(b *pebble.Batch, w *pebble.WriteOptions) (err error) {
	if err := s.failure.get(); err != nil {
		return err
	}
	defer func() {
		if r := recover(); r != nil {
			err = s.failure.set(fmt.Errorf("journal: commit: %v", r))
		}
	}()
	if err := s.db.commit(b, w); err != nil {
		return s.failure.set(fmt.Errorf("journal: commit: %w", err))
	}
	return nil
}
