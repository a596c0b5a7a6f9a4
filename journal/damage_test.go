package journal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"entrepot/queue"
)

// told collects what Hooks.Damaged hears.
type told struct {
	mu   sync.Mutex
	keys []string
}

func (d *told) hook(sh uint16, err *CorruptionError) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.keys = append(d.keys, err.Key)
	if sh != err.Shard {
		panic(fmt.Sprint("shard ", sh, " is told of ", err))
	}
}

func (d *told) take() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	keys := d.keys
	d.keys = nil
	return keys
}

func (d *told) watch(o Options) Options {
	o.Hooks.Damaged = d.hook
	return o
}

func requireDamaged(t *testing.T, err error, key string) *CorruptionError {
	t.Helper()
	var damaged *CorruptionError
	require.ErrorAs(t, err, &damaged)
	if key != "" {
		require.Equal(t, key, damaged.Key)
	}
	return damaged
}

func flipLast(v []byte) []byte { v[len(v)-crcLen-1] ^= 1; return v }

// healthy is the shard that stocked makes, undamaged: another replica.
func healthy(t *testing.T) *rig {
	r := newRig(t, stocked(t))
	t.Cleanup(r.close)
	return r
}

// TestADamagedBodyIsToldAndRepaired: it is not delivered, what is beside it is; the
// hook is told once; a stream of the shard is refused, so that it does not spread; and
// a stream from another replica repairs it.
func TestADamagedBodyIsToldAndRepaired(t *testing.T) {
	o := stocked(t)
	damage(t, o, "Q 0.1 q1 #1", flipLast)
	var d told
	r := newRig(t, d.watch(o))
	require.Nil(t, r.shard.Damaged())
	for range 3 {
		_, err := r.shard.Load(1, 0, 10, 1000, nil)
		requireDamaged(t, err, "Q 0.1 q1 #1")
	}
	require.Equal(t, []string{"Q 0.1 q1 #1"}, d.take(), "once")
	require.Equal(t, "Q 0.1 q1 #1", r.shard.Damaged().Key)
	l, err := r.shard.Load(1, 2, 10, 1000, nil)
	require.NoError(t, err)
	require.Equal(t, []string{"three"}, payloads(l.Messages))
	r.enqueue(2, "goes on")
	r.spill()
	_, err = r.shard.OpenStream(context.Background())
	requireDamaged(t, err, "Q 0.1 q1 #1")

	other := healthy(t)
	other.enqueue(2, "goes on")
	r.restore(other.streamed())
	require.Nil(t, r.shard.Damaged())
	require.Equal(t, []string{"one", "three"}, payloads(r.all(1, 10)))
	require.Equal(t, other.shard.Hash(), r.shard.Hash())
	require.Empty(t, d.take())
	r.close()
	report, err := verifyFS(o.FS, o.Dir)
	require.NoError(t, err)
	require.Empty(t, report.Problems)
	require.EqualValues(t, 2, report.Shards[0].Generation)
	require.Zero(t, report.Shards[0].OldRows)
}

// TestAMissingBodyIsToldToo: nobody can tell it from one that was removed but the
// live set.
func TestAMissingBodyIsToldToo(t *testing.T) {
	o := stocked(t)
	damage(t, o, "Q 0.1 q1 #1", nil)
	var d told
	r := newRig(t, d.watch(o))
	defer r.close()
	_, err := r.shard.Load(1, 0, 10, 1000, nil)
	requireDamaged(t, err, "Q 0.1 q1 #1")
	require.Equal(t, []string{"Q 0.1 q1 #1"}, d.take())
	_, err = r.shard.OpenStream(context.Background())
	requireDamaged(t, err, "")
}

// TestADamagedTable flips a byte in a file behind Pebble's back. Readers find it, and
// so does a compaction that nobody reads; a restore gets rid of the file.
func TestADamagedTable(t *testing.T) {
	for _, compacts := range []bool{false, true} {
		o := memOptions()
		r := newRig(t, o)
		r.declare(1)
		r.declare(2)
		big := string(make([]byte, 300<<10)) // a queue with a table of its own
		r.enqueue(1, big, "small")
		r.enqueue(2, "whole")
		r.spill()
		stream := r.streamed()
		hash := r.shard.Hash()
		path := tableOf(t, r, r.shard.space.seqKey(nil, kindMessage, 1, 1))
		r.close()
		flipByte(t, o.FS, path, 20)

		var d told
		r = newRig(t, d.watch(o))
		require.Empty(t, d.take())
		if compacts {
			err := r.store.db.pebble.Compact(context.Background(), []byte("Q"), []byte("R"), false)
			t.Log("compaction:", err)
			if len(d.take()) == 0 {
				// It was moved without being read, which is as well.
				_, err := r.shard.Load(1, 0, 10, 1<<20, nil)
				requireDamaged(t, err, "")
				require.Len(t, d.take(), 1)
			}
		} else {
			_, err := r.shard.Load(1, 0, 10, 1<<20, nil)
			requireDamaged(t, err, "Q 0.1 q1 #1")
			require.Len(t, d.take(), 1, "once, although Pebble tells of it too")
		}
		require.NotNil(t, r.shard.Damaged())
		require.Equal(t, []string{"whole"}, payloads(r.all(2, 10)))
		r.restore(stream)
		require.Equal(t, hash, r.shard.Hash())
		require.Len(t, r.all(1, 10), 2)
		require.NoError(t, r.store.db.pebble.Compact(context.Background(), []byte("A"), []byte("Z"), false))
		require.Nil(t, r.shard.Damaged())
		r.close()
		report, err := verifyFS(o.FS, o.Dir)
		require.NoError(t, err)
		require.Empty(t, report.Problems)
	}
}

// TestScrub finds what nobody has read, all of it, and nothing in a healthy shard.
func TestScrub(t *testing.T) {
	r := healthy(t)
	rows, err := r.shard.Scrub(context.Background())
	require.NoError(t, err)
	require.NotZero(t, rows)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = r.shard.Scrub(ctx)
	require.ErrorIs(t, err, context.Canceled)

	o := stocked(t)
	damage(t, o, "L 0 2", flipLast)
	damage(t, o, "Q 0.1 q1 #1", flipLast)
	damage(t, o, "Q 0.1 q1 #3", flipLast)
	damage(t, o, "I 0.1 q2", flipLast)
	var d told
	r = newRig(t, d.watch(o))
	defer r.close()
	found, err := r.shard.Scrub(context.Background())
	require.Equal(t, "L 0 2", requireDamaged(t, err, "").Key, "the first")
	require.Equal(t, rows-4, found)
	require.ElementsMatch(t, []string{"L 0 2", "Q 0.1 q1 #1", "Q 0.1 q1 #3", "I 0.1 q2"}, d.take())
}

// TestADamagedTableOfStates: of rows that only a start reads. A compaction would stumble
// over it for ever if it stayed.
func TestADamagedTableOfStates(t *testing.T) {
	o := memOptions()
	r := newRig(t, o)
	for q := queue.ID(1); q <= 3000; q++ {
		r.declare(q)
	}
	r.enqueue(1, "x")
	r.spill()
	require.NoError(t, r.store.db.pebble.Flush())
	stream, hash := r.streamed(), r.shard.Hash()
	path := tableOf(t, r, r.shard.space.queueKey(nil, kindHead, 1500))
	r.close()
	flipByte(t, o.FS, path, 5000)

	s, err := Open(o)
	require.NoError(t, err)
	_, err = s.Shard(0)
	requireDamaged(t, err, "")
	x, err := s.BrokenShard(0)
	require.NoError(t, err)
	require.NoError(t, tryRestore(x, stream))
	require.Equal(t, hash, x.Hash())
	require.NoError(t, s.db.pebble.Compact(context.Background(), []byte("A"), []byte("Z"), false))
	require.NoError(t, s.Close())
	report, err := verifyFS(o.FS, o.Dir)
	require.NoError(t, err)
	require.Empty(t, report.Problems)
}

// tableOf is the path of the table that has a key.
func tableOf(t *testing.T, r *rig, key []byte) string {
	t.Helper()
	levels, err := r.store.db.tables()
	require.NoError(t, err)
	for _, tables := range levels {
		for i := range tables {
			if string(tables[i].Smallest.UserKey) <= string(key) && string(key) <= string(tables[i].Largest.UserKey) {
				return r.opts.FS.PathJoin(testDir, fmt.Sprintf("%06d.sst", tables[i].BackingSSTNum))
			}
		}
	}
	t.Fatal("no table")
	return ""
}

func readFile(t *testing.T, fs vfs.FS, path string) []byte {
	t.Helper()
	f, err := fs.Open(path)
	require.NoError(t, err)
	b, err := io.ReadAll(f)
	require.NoError(t, errors.Join(err, f.Close()))
	return b
}

func flipByte(t *testing.T, fs vfs.FS, path string, at int64) {
	t.Helper()
	b := readFile(t, fs, path)
	b[at] ^= 1
	out, err := fs.Create(path, vfs.WriteCategoryUnspecified)
	require.NoError(t, err)
	_, err = out.Write(b)
	require.NoError(t, errors.Join(err, out.Sync(), out.Close()))
}

// TestABrokenShard: one whose rows cannot be loaded does not keep the store from
// working, and can be restored.
func TestABrokenShard(t *testing.T) {
	for _, key := range []string{"H 0.1 q1", "B 0.1 q1 page 0", "M 0.1 q1 #3", `S 0 "state"`} {
		o := stocked(t)
		damage(t, o, key, flipLast)
		var d told
		s, err := Open(d.watch(o))
		require.NoError(t, err, key)
		_, err = s.BrokenShard(0)
		require.Error(t, err, "nobody has seen that it is")
		_, err = s.Shard(0)
		requireDamaged(t, err, key)
		x, err := s.Shard(1)
		require.NoError(t, err, "the others work")
		_, err = x.Apply(1, (&rig{t: t, clock: 1}).pack(func(b *queue.PackBuilder) { b.Declare("a", nil) }))
		require.NoError(t, err)

		l, err := s.Log(0)
		require.NoError(t, err)
		require.EqualValues(t, 6, l.Last(), "the log is there")
		x, err = s.BrokenShard(0)
		require.NoError(t, err)
		again, err := s.BrokenShard(0)
		require.NoError(t, err)
		require.Same(t, x, again)
		_, err = s.Shard(0)
		requireDamaged(t, err, key)
		_, err = x.Apply(7, nil)
		requireDamaged(t, err, key)
		_, err = x.OpenStream(context.Background())
		requireDamaged(t, err, key)
		require.Equal(t, key, x.Damaged().Key)
		require.NoError(t, x.Flush(context.Background()))
		require.Zero(t, x.DurableIndex())

		other := healthy(t)
		require.NoError(t, tryRestore(x, other.streamed()), key)
		require.Equal(t, other.shard.Hash(), x.Hash())
		require.Nil(t, x.Damaged())
		again, err = s.Shard(0)
		require.NoError(t, err)
		require.Same(t, x, again)
		r := &rig{t: t, opts: o, store: s, log: l, shard: x, next: 7, clock: 1_000_000}
		r.enqueue(2, "later")
		r.close()
		report, err := verifyFS(o.FS, o.Dir)
		require.NoError(t, err)
		require.Empty(t, report.Problems, key)
		r.open()
		require.Equal(t, []string{"one", "three"}, payloads(r.all(1, 10)))
		require.Equal(t, []string{"in the log only", "later"}, payloads(r.all(2, 10)))
		r.close()
	}
}

// TestADamagedLogEntryIsReplaced: before the shard is loaded, if it is needed for
// that, and while it works.
func TestADamagedLogEntryIsReplaced(t *testing.T) {
	other := healthy(t)
	for index := uint64(1); index <= 6; index++ {
		o := stocked(t)
		key := fmt.Sprintf("L 0 %d", index)
		damage(t, o, key, flipLast)
		var d told
		s, err := Open(d.watch(o))
		require.NoError(t, err)
		_, err = s.Shard(0)
		if index == 6 { // in (W, K]
			require.Equal(t, index, requireDamaged(t, err, key).LogIndex)
		} else {
			require.NoError(t, err)
		}
		l, err := s.Log(0)
		require.NoError(t, err)
		var e Entry
		requireDamaged(t, l.Get(index, &e), key)
		requireDamaged(t, l.Get(index, &e), key)
		require.Equal(t, []string{key}, d.take())

		require.NoError(t, other.log.Get(index, &e))
		wrong := e
		wrong.Term++
		if index < 6 {
			require.Error(t, l.Replace([]Entry{wrong}), "the next entry has a lower term")
		}
		wrong = e
		wrong.Index = 7
		require.ErrorIs(t, l.Replace([]Entry{wrong}), ErrNotFound)
		require.NoError(t, l.Replace([]Entry{e}))
		wrong = e
		wrong.Term++
		require.Error(t, l.Replace([]Entry{wrong}), "the entry has another term")
		var got Entry
		require.NoError(t, l.Get(index, &got))
		require.Equal(t, e, got)
		x, err := s.Shard(0)
		require.NoError(t, err)
		require.Equal(t, other.shard.Hash(), x.Hash())
		require.NoError(t, s.Close())
		report, err := verifyFS(o.FS, o.Dir)
		require.NoError(t, err)
		require.Empty(t, report.Problems)
	}
}

// TestRoundsGoOnOverDamage: what a round needs to read may be damaged; that is told and
// left as it is, and the store does not fail.
func TestRoundsGoOnOverDamage(t *testing.T) {
	for _, c := range []struct {
		key  string
		then func(b *queue.PackBuilder)
	}{
		{"I 0.1 q1", func(b *queue.PackBuilder) { b.Delete(1) }},
		{"I 0.1 q1", func(b *queue.PackBuilder) { b.Update(1, []byte("new")) }},
		{`N 0.1 "queue/0001"`, func(b *queue.PackBuilder) { b.Delete(1) }},
		{"Q 0.1 q1 #1", func(b *queue.PackBuilder) { b.Expire(6000, []queue.Ref{{Queue: 1, Seq: 1}}) }},
	} {
		o := stocked(t)
		damage(t, o, c.key, flipLast)
		var d told
		r := newRig(t, d.watch(o))
		r.do(c.then)
		r.spill()
		require.Equal(t, []string{c.key}, d.take())
		require.Equal(t, r.shard.AppliedIndex(), r.shard.DurableIndex())
		r.close()
	}
}

// TestApplyWaitsForARepair: a Declare whose name's row is damaged is not applied at
// all, and is once that is repaired.
func TestApplyWaitsForARepair(t *testing.T) {
	o := stocked(t)
	key := `N 0.1 "queue/0001"`
	damage(t, o, key, flipLast)
	var d told
	r := newRig(t, d.watch(o))
	other := healthy(t)
	_, _, _, err := r.shard.Lookup(queueName(1))
	requireDamaged(t, err, key)
	_, err = r.shard.List("", "", 10)
	requireDamaged(t, err, key)
	data := r.pack(func(b *queue.PackBuilder) { b.Declare(queueName(1), nil) })
	_, err = r.try(data)
	requireDamaged(t, err, key)
	require.EqualValues(t, 6, r.shard.AppliedIndex(), "nothing was applied")
	require.NoError(t, r.store.failure.get())
	require.Len(t, d.take(), 1)
	require.NoError(t, tryRestore(r.shard, other.streamed()))
	a, err := r.shard.Apply(7, data)
	require.NoError(t, err)
	require.Equal(t, queue.Exists, a.Replies[0].Status)
	r.close()
}

// TestOldRowsAreCounted: what a crash has left of another generation is no problem, and
// goes when the shard is loaded.
func TestOldRowsAreCounted(t *testing.T) {
	o := stocked(t)
	db, err := pebble.Open(o.Dir, &pebble.Options{FS: o.FS, Logger: silent{}})
	require.NoError(t, err)
	key := (space{0, 9}).queueKey(nil, kindID, 5)
	require.NoError(t, db.Set(key, plainValue(key, []byte("x")), pebble.Sync))
	require.NoError(t, db.Close())
	report, err := verifyFS(o.FS, o.Dir)
	require.NoError(t, err)
	require.Empty(t, report.Problems)
	require.EqualValues(t, 1, report.Shards[0].OldRows)
	r := newRig(t, o)
	require.Equal(t, []uint8{1}, mustGenerations(t, r))
	r.close()
}
