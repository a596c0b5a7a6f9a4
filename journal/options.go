package journal

import (
	"log/slog"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Durability says what a synced commit waits for.
type Durability uint8

const (
	// Fsync: the data is on the disk. A power cut loses nothing.
	Fsync Durability = iota
	// OS: the data is with the kernel, which is told to write it out each
	// second. kill -9 loses nothing; a power cut may lose a second.
	OS
)

func (d Durability) String() string {
	if d == OS {
		return "os"
	}
	return "fsync"
}

// Options of a Store. The zero value of a field means its default.
type Options struct {
	Dir string // required; made if missing
	FS  vfs.FS // default: the disk. Tests: crashfs.New

	Durability Durability

	// WindowBytes is how much of applied entries a shard keeps in memory
	// before it spills the oldest two thirds. Default 24 MiB.
	WindowBytes int64
	// MaxAge is how long an applied entry may wait in the window before it
	// is spilled, whatever the window holds. Default 5 s.
	MaxAge time.Duration
	// MemTableBytes is the largest Pebble memtable; the first one has
	// 256 KiB, and there are at most two. Default 32 MiB. What the log has
	// behind W when a memtable is flushed is written a second time: a memtable
	// of 64 MiB saves 0.2 of the payload's bytes in a fill, no measurable CPU,
	// and takes 250 MiB more of RSS (the garbage collector doubles it).
	MemTableBytes uint64
	// CacheBytes is Pebble's block cache. Default 16 MiB; nothing is
	// allocated before it is used.
	CacheBytes int64
	// LogCacheBytes bounds the recent entries that each Log keeps decoded.
	// Default 8 MiB.
	LogCacheBytes int64

	Logger *slog.Logger
	Hooks  Hooks
}

// Hooks are called from the store's own goroutines and must not block. Any
// may be nil.
type Hooks struct {
	// Synced: an fsync of the WAL took this long.
	Synced func(took time.Duration)
	// Stalled: Pebble began (true) or ended (false) to hold writes back.
	Stalled func(stalled bool, reason string)
	// Failed: a write failed; the store accepts nothing more. It is told once, maybe
	// before Open returns, and maybe by a goroutine that holds locks of the store's:
	// the store must not be used in it.
	Failed func(err error)
	// Damaged: a record of this shard was read that is not what was written. It
	// is told once for a record until that is repaired: a log entry
	// (err.LogIndex > 0) by Log.Replace, anything else by Shard.NewRestore.
	Damaged func(sh uint16, err *CorruptionError)
}

func (o Options) withDefaults() Options {
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.WindowBytes <= 0 {
		o.WindowBytes = 24 << 20
	}
	if o.MaxAge <= 0 {
		o.MaxAge = 5 * time.Second
	}
	if o.MemTableBytes == 0 {
		o.MemTableBytes = 32 << 20
	}
	if o.CacheBytes <= 0 {
		o.CacheBytes = 16 << 20
	}
	if o.LogCacheBytes <= 0 {
		o.LogCacheBytes = 8 << 20
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}
