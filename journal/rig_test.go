package journal

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"entrepot/journal/journaltest/crashfs"
	"entrepot/queue"
)

// rig drives one shard as cluster and broker do: packs go through the log and
// are then applied. Stage 2 runs only when a test says so, or when the window
// is over its budget.
type rig struct {
	t     testing.TB
	opts  Options
	store *Store
	log   *Log
	shard *Shard
	next  uint64 // index of the next entry
	clock int64
	// origin, if it has a node, numbers the packs, which may be sent again.
	origin   queue.Origin
	last     []byte // the last of them
	compress bool
}

const testDir = "journal"

func memOptions() Options {
	return Options{Dir: testDir, FS: crashfs.New(), MaxAge: time.Hour, MemTableBytes: 1 << 20}
}

func newRig(t testing.TB, o Options) *rig {
	r := &rig{t: t, opts: o, clock: 1_000_000}
	r.open()
	return r
}

// open opens the store and replays the log, as a start does.
func (r *rig) open() {
	r.t.Helper()
	require.NoError(r.t, r.tryOpen())
}

func (r *rig) tryOpen() error {
	store, err := Open(r.opts)
	if err != nil {
		return err
	}
	r.store = store
	if r.log, err = store.Log(0); err != nil {
		return err
	}
	if r.shard, err = store.Shard(0); err != nil {
		return err
	}
	last := max(r.log.Last(), r.shard.AppliedIndex())
	for i := r.shard.AppliedIndex() + 1; i <= last; i++ {
		var e Entry
		if err := r.log.Get(i, &e); err != nil {
			return err
		}
		if _, err := r.shard.Apply(i, e.Data); err != nil {
			return err
		}
	}
	r.next = last + 1
	return nil
}

func (r *rig) close() { require.NoError(r.t, r.store.Close()) }

// crash loses what was not synced, and opens what is left.
func (r *rig) crash(unsynced int, rng *rand.Rand) {
	r.t.Helper()
	fs := r.opts.FS.(*crashfs.FS)
	r.opts.FS = fs.Crash(vfs.CrashCloneCfg{UnsyncedDataPercent: unsynced, RNG: rng})
	_ = r.store.Close() // of the old file system; the clone does not see it
	r.open()
}

// pack makes a pack at the rig's clock.
func (r *rig) pack(fill func(b *queue.PackBuilder)) []byte {
	var b queue.PackBuilder
	b.Reset(nil)
	fill(&b)
	if r.origin.Node != 0 {
		r.origin.Seq++
	}
	p := b.Finish(r.clock, r.origin)
	if r.compress {
		p = bytes.Clone(CompressPack(nil, p))
	}
	r.last = p
	return p
}

// again sends a pack that must not be applied: the last one, or one too early.
func (r *rig) again(rng *rand.Rand) {
	r.t.Helper()
	p, want := bytes.Clone(r.last), queue.PackDuplicate
	if rng.IntN(2) == 0 {
		head, err := queue.ReadPackHeader(p)
		require.NoError(r.t, err)
		head.Origin.Seq += 2
		head.Append(p[:0])
		want = queue.PackGap
	}
	queue.StampTime(p, r.clock+1)
	a, err := r.try(p)
	require.NoError(r.t, err)
	require.Equal(r.t, want, a.Verdict)
	require.Empty(r.t, a.Replies)
	require.Empty(r.t, a.Events)
	require.False(r.t, a.AllOK)
}

// do appends and applies one pack, and copies the answer.
func (r *rig) do(fill func(b *queue.PackBuilder)) Applied {
	r.t.Helper()
	a, err := r.try(r.pack(fill))
	require.NoError(r.t, err)
	return a
}

func (r *rig) try(data []byte) (Applied, error) {
	e := Entry{Index: r.next, Term: 1, Data: data}
	if err := r.log.Append([]Entry{e}); err != nil {
		return Applied{}, err
	}
	r.next++
	return r.shard.Apply(e.Index, data)
}

func (r *rig) declare(q queue.ID) {
	r.t.Helper()
	r.do(func(b *queue.PackBuilder) { b.Declare(queueName(q), []byte("spec")) })
}

func queueName(q queue.ID) string { return fmt.Sprintf("queue/%04d", q) }

func (r *rig) enqueue(q queue.ID, payloads ...string) {
	r.t.Helper()
	r.do(func(b *queue.PackBuilder) {
		for _, p := range payloads {
			b.Enqueue(q, 0, 0, []byte(p))
		}
	})
}

func (r *rig) remove(q queue.ID, first queue.Seq, count uint32) {
	r.t.Helper()
	r.do(func(b *queue.PackBuilder) {
		b.Remove(q, queue.Settled, []queue.Run{{First: first, Count: count, Bytes: uint64(count)}})
	})
}

// spill moves everything to disk, as a flush does, but syncs nothing.
func (r *rig) spill() {
	r.t.Helper()
	for !r.shard.clean() {
		require.NoError(r.t, r.shard.round(true))
	}
}

// all loads every message of q, page by page.
func (r *rig) all(q queue.ID, page int) []queue.Message {
	r.t.Helper()
	var out []queue.Message
	for from := queue.Seq(0); ; {
		l, err := r.shard.Load(q, from, page, 1<<20, nil)
		require.NoError(r.t, err)
		if len(l.Messages) == 0 {
			return out
		}
		out = append(out, l.Messages...)
		from = l.Next
	}
}

func payloads(ms []queue.Message) []string {
	var out []string
	for _, m := range ms {
		out = append(out, string(m.Payload))
	}
	return out
}

func (r *rig) flush() { require.NoError(r.t, r.shard.Flush(context.Background())) }

// keys lists the keys of a kind in the live state, as Dump prints them.
func (r *rig) keys(kind byte) []string {
	r.t.Helper()
	var out []string
	prefix := r.shard.space.prefix(nil, kind)
	it, err := r.store.db.newIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: prefixEnd(prefix)})
	require.NoError(r.t, err)
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		out = append(out, describeKey(it.Key()))
	}
	return out
}

// rowsOnly is a round that writes rows and leaves the window as it is.
func (r *rig) rowsOnly() {
	r.t.Helper()
	before := r.shard.WindowBytes()
	require.NoError(r.t, r.shard.round(false))
	require.Equal(r.t, before, r.shard.WindowBytes())
}
