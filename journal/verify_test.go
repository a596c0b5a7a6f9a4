package journal

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"entrepot/journal/journaltest/crashfs"
	"entrepot/queue"
)

// stocked makes a closed store with something in every keyspace: spilled and
// in the log, with holes, modified, with deadlines.
func stocked(t *testing.T) Options {
	r := newRig(t, memOptions())
	r.declare(1)
	r.declare(2)
	r.do(func(b *queue.PackBuilder) {
		b.Enqueue(1, 5000, queue.FlagDurable, []byte("one"))
		b.Enqueue(1, 0, 0, []byte("two"))
		b.Enqueue(1, 0, 0, []byte("three"))
		b.Enqueue(9, 0, 0, []byte("nowhere"))
	})
	r.remove(1, 2, 1)
	r.do(func(b *queue.PackBuilder) { b.Modify(1, 3, 2, []byte("note")); b.Mark(1, 3, 1) })
	r.spill()
	r.enqueue(2, "in the log only")
	r.rowsOnly()
	require.NoError(t, r.store.db.pebble.LogData(nil, pebble.Sync)) // rows are not synced by themselves
	fsys := r.opts.FS.(*crashfs.FS).Crash(vfs.CrashCloneCfg{})
	r.close()
	o := r.opts
	o.FS = fsys
	return o
}

func TestVerifyFindsNothingInAHealthyStore(t *testing.T) {
	o := stocked(t)
	r, err := verifyFS(o.FS, o.Dir)
	require.NoError(t, err)
	require.Empty(t, r.Problems)
	require.Len(t, r.Shards, 1)
	require.EqualValues(t, 2, r.Shards[0].Queues)
	require.EqualValues(t, 3, r.Shards[0].Messages)
	require.Less(t, r.Shards[0].Spilled, r.Shards[0].Durable, "the store has both parts")
}

// TestDamageIsFoundAndNamed changes one row at a time behind the store's back.
// Verify names its key, and where the row is needed for a start, the start
// refuses.
func TestDamageIsFoundAndNamed(t *testing.T) {
	flip := func(v []byte) []byte { v[len(v)-crcLen-1] ^= 1; return v }
	version := func(v []byte) []byte { v[0] = 77; return v }
	cut := func(v []byte) []byte { return v[:3] }
	for _, c := range []struct {
		key     string
		change  func([]byte) []byte // nil: delete the row
		refuses bool
	}{
		{"H 0.1 q1", flip, true},
		{"H 0.1 q1", version, true},
		{"H 0.1 q1", nil, true}, // its page is left without it
		{"B 0.1 q1 page 0", flip, true},
		{"B 0.1 q1 page 0", nil, true}, // the count does not fit
		{`S 0 "state"`, flip, true},
		{`S 0 "state"`, cut, true},
		{`S 65535 "format"`, version, true},
		{"M 0.1 q1 #3", flip, true},
		{"L 0 6", flip, true}, // in (W, K]
		{"L 0 6", nil, true},
		{"L 0 1", flip, false},
		{"Q 0.1 q1 #1", flip, false},
		{"Q 0.1 q1 #1", version, false},
		{"Q 0.1 q1 #1", nil, false},
		{"N 0.1 \"queue/0001\"", flip, false},
		{"I 0.1 q1", nil, false},
		{"T 0.1 5000 ms q1 #1", nil, false},
		{"T 0.1 5000 ms q1 #1", cut, false},
	} {
		o := stocked(t)
		damage(t, o, c.key, c.change)
		r, err := verifyFS(o.FS, o.Dir)
		require.NoError(t, err)
		require.NotEmpty(t, r.Problems, "%s", c.key)
		if c.change != nil {
			require.Contains(t, strings.Join(r.Problems, "\n"), c.key)
		}
		g := &rig{t: t, opts: o}
		err = g.tryOpen()
		var damaged *CorruptionError
		require.Equal(t, c.refuses, errors.As(err, &damaged), "%s: %v", c.key, err)
		if g.store != nil {
			g.close()
		}
	}
}

// damage changes one row without anybody noticing.
func damage(t *testing.T, o Options, name string, change func([]byte) []byte) {
	t.Helper()
	db, err := pebble.Open(o.Dir, &pebble.Options{FS: o.FS, Logger: silent{}})
	require.NoError(t, err)
	it, err := db.NewIter(nil)
	require.NoError(t, err)
	found := false
	for ok := it.First(); ok; ok = it.Next() {
		if describeKey(it.Key()) != name {
			continue
		}
		found = true
		if change == nil {
			require.NoError(t, db.Delete(it.Key(), pebble.Sync))
		} else {
			require.NoError(t, db.Set(it.Key(), change(bytes.Clone(it.Value())), pebble.Sync))
		}
	}
	require.True(t, found, "no row %s", name)
	require.NoError(t, it.Close())
	require.NoError(t, db.Close())
}

type silent struct{}

func (silent) Infof(string, ...any)  {}
func (silent) Errorf(string, ...any) {}
func (silent) Fatalf(f string, _ ...any) {
	panic(f)
}

func TestADamagedBodyIsNotDelivered(t *testing.T) {
	o := stocked(t)
	damage(t, o, "Q 0.1 q1 #1", func(v []byte) []byte { v[messageHeaderLen] ^= 1; return v })
	r := newRig(t, o)
	defer r.close()
	_, err := r.shard.Load(1, 0, 10, 1000, nil)
	var damaged *CorruptionError
	require.ErrorAs(t, err, &damaged)
	require.Equal(t, "Q 0.1 q1 #1", damaged.Key)
}

func TestDump(t *testing.T) {
	o := stocked(t)
	var out strings.Builder
	require.NoError(t, Dump(o.Dir, &out, DumpOptions{FS: o.FS, Records: true, Payloads: true}))
	want, err := os.ReadFile("testdata/dump.txt")
	if os.Getenv("REWRITE") != "" {
		want, err = []byte(out.String()), os.WriteFile("testdata/dump.txt", []byte(out.String()), 0o644)
	}
	require.NoError(t, err)
	require.Equal(t, string(want), out.String(), "REWRITE=1 writes it anew")
}

func TestToolsNeedAStoppedStore(t *testing.T) {
	_, err := Verify(t.TempDir() + "/nothing")
	require.ErrorIs(t, err, fs.ErrNotExist)
	o := Options{Dir: t.TempDir()}
	s, err := Open(o)
	require.NoError(t, err)
	_, err = Verify(o.Dir)
	require.ErrorIs(t, err, ErrLocked)
	_, err = Open(o)
	require.ErrorIs(t, err, ErrLocked, "a second broker fails at once")
	require.ErrorContains(t, err, o.Dir)
	require.NoError(t, s.Close())
	_, err = Verify(o.Dir)
	require.NoError(t, err)
}
