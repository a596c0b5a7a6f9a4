package journal

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"entrepot/queue"
)

// Report is what Verify found.
type Report struct {
	Shards   []ShardReport
	Rows     uint64   // rows whose format and checksum were checked
	Problems []string // empty: all is well
}

// ShardReport is one shard of a Report.
type ShardReport struct {
	Shard                   uint16
	Durable, Spilled        uint64 // K and W, see docs at stateRow
	LogFirst, LogLast       uint64
	Queues, Messages, Bytes uint64
	Generation              uint8 // the live one, see generation.go
	// OldRows are rows of other generations, which the next start removes. They are
	// no problem.
	OldRows uint64
	// Leftovers are Q keys of messages that are gone, which the next rounds
	// clear. They are no problem.
	Leftovers uint64
}

// maxProblems bounds a report; one damaged file can make very many.
const maxProblems = 100

// Verify reads a stopped node's store, changes nothing, and holds it against
// every invariant that can be checked offline: formats and checksums of all
// rows, a log without gaps from W+1 on, packs that can be read, states that fit
// together, a body for every live message, a deadline row for every one that
// expires, names that lead to their queues.
//
// The error is about not being able to look (ErrLocked, fs.ErrNotExist, the
// disk); what is wrong inside is in the report.
func Verify(dir string) (Report, error) { return verifyFS(vfs.Default, dir) }

func verifyFS(fsys vfs.FS, dir string) (Report, error) {
	v := &verifier{shards: map[uint16]struct{}{}, rowsOf: map[space]uint64{}}
	s, err := openReadOnly(fsys, dir)
	var damaged *CorruptionError
	if errors.As(err, &damaged) {
		v.problem(damaged)
		return v.report, nil
	}
	if err != nil {
		return Report{}, err
	}
	defer s.closeReadOnly()
	if err := v.rows(s); err != nil {
		return v.report, err
	}
	for sh := range storeShard {
		if _, ok := v.shards[uint16(sh)]; ok {
			if err := v.shard(s, uint16(sh)); err != nil {
				return v.report, err
			}
		}
	}
	return v.report, nil
}

// openReadOnly opens a stopped node's store. Only reads may follow.
func openReadOnly(fsys vfs.FS, dir string) (*Store, error) {
	if _, err := fsys.Stat(dir); err != nil {
		return nil, fmt.Errorf("journal: %w", errors.Join(err, fs.ErrNotExist))
	}
	o := Options{Dir: dir, FS: fsys}.withDefaults()
	lock, err := lockDir(dir, fsys)
	if err != nil {
		return nil, err
	}
	s := &Store{
		opts: o, lock: lock, fs: newWALFS(fsys, false, 0, nil), failure: newFailure(nil),
		shards: map[uint16]*Shard{}, logs: map[uint16]*Log{},
	}
	s.pebble = s.pebbleOptions()
	s.pebble.ReadOnly = true
	db, err := pebble.Open(dir, s.pebble)
	if err != nil {
		return nil, errors.Join(openError(err), lock.Close())
	}
	s.db = &database{pebble: db, failure: s.failure}
	if err := s.checkFormat(); err != nil {
		s.closeReadOnly()
		return nil, err
	}
	return s, nil
}

func (s *Store) closeReadOnly() { _ = errors.Join(s.db.close(), s.lock.Close()) }

// verifier is one Verify.
type verifier struct {
	report Report
	shards map[uint16]struct{}
	rowsOf map[space]uint64 // by shard and generation
}

func (v *verifier) problem(err error) {
	switch n := len(v.report.Problems); {
	case n < maxProblems:
		v.report.Problems = append(v.report.Problems, err.Error())
	case n == maxProblems:
		v.report.Problems = append(v.report.Problems, "and more")
	}
}

// rows checks every row by itself.
func (v *verifier) rows(s *Store) error {
	it, err := s.db.newIter(nil)
	if err != nil {
		return fmt.Errorf("journal: verify: %w", err)
	}
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		v.report.Rows++
		if err := checkRow(it.Key(), it.Value()); err != nil {
			v.problem(err)
		}
		if len(it.Key()) >= 3 {
			if sh := shardOf(it.Key()); sh != storeShard {
				v.shards[sh] = struct{}{}
			}
			if bytes.IndexByte([]byte(streamKinds), it.Key()[0]) >= 0 && len(it.Key()) >= spaceLen {
				v.rowsOf[space{shardOf(it.Key()), it.Key()[spaceLen-1]}]++
			}
		}
	}
	if err := it.Error(); err != nil {
		v.problem(openError(err)) // Pebble cannot read on
	}
	return nil
}

// checkRow checks key, format and checksum of any row.
func checkRow(key, value []byte) error {
	if len(key) < 3 {
		return corrupt(key, "no key of a known kind")
	}
	var err error
	switch key[0] {
	case kindLog:
		err = decodeLogValue(key, value, new(Entry))
	case kindMessage:
		_, err = decodeMessageValue(key, value)
	case kindName:
		_, _, err = decodeNameValue(key, value)
	case kindModified:
		_, err = decodeModifiedValue(key, value)
	case kindDeadline:
		_, err = decodeDeadlineValue(key, value)
	case kindMark, kindID, kindHead, kindPage:
		_, err = unseal(key, value)
	default:
		err = corrupt(key, "no key of a known kind")
	}
	return err
}

// shard checks what must hold between the rows of a shard, by loading it as a
// start does and comparing.
func (v *verifier) shard(s *Store, sh uint16) error {
	l, err := openLog(s, sh)
	if err != nil {
		v.problem(err)
		return nil
	}
	v.log(l)
	x, err := loadShard(s, sh, l)
	if err != nil {
		v.problem(err)
		return nil
	}
	row, err := s.readStateRow(sh)
	if err != nil {
		return err
	}
	t := x.machine.Totals()
	r := ShardReport{
		Shard: sh, Durable: row.durable, Spilled: row.spilled, LogFirst: l.first, LogLast: l.last,
		Queues: t.Queues, Messages: t.Count, Bytes: t.Bytes, Generation: row.generation,
	}
	for sp, n := range v.rowsOf {
		if sp.sh == sh && sp.g != row.generation {
			r.OldRows += n
		}
	}
	if err := v.bodies(x, &r); err != nil {
		return err
	}
	if err := v.names(x); err != nil {
		return err
	}
	v.report.Shards = append(v.report.Shards, r)
	return nil
}

// log checks that the log has no gap and that its packs can be read.
func (v *verifier) log(l *Log) {
	if l.first == 0 {
		return
	}
	for index := l.first; index <= l.last; index++ {
		var e Entry
		if err := l.Get(index, &e); err != nil {
			v.problem(err)
			continue
		}
		if e.Type == EntryPack {
			if err := checkPack(e.Data); err != nil {
				v.problem(corrupt(appendLogKey(nil, l.sh, index), "%v", err))
			}
		}
	}
}

func checkPack(data []byte) error {
	plain, err := PlainPack(data)
	if err != nil {
		return err
	}
	r, err := queue.OpenPack(plain)
	if err != nil {
		return err
	}
	var rec queue.Record
	for {
		more, err := r.Next(&rec)
		if err != nil || !more {
			return err
		}
	}
}

// bodies checks that every live message has its body where it should be, and
// its deadline row.
func (v *verifier) bodies(x *Shard, r *ShardReport) error {
	var err error
	x.machine.Queues(func(q queue.ID, st *queue.State) bool {
		err = v.queueBodies(x, q, *st, r)
		return err == nil
	})
	return err
}

func (v *verifier) queueBodies(x *Shard, q queue.ID, st queue.State, r *ShardReport) error {
	end, ok := x.window.first(q)
	if !ok {
		end = st.Tail
	}
	prefix := x.space.queueKey(nil, kindMessage, q)
	it, err := x.store.db.newIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: prefixEnd(prefix)})
	if err != nil {
		return fmt.Errorf("journal: verify: %w", err)
	}
	defer it.Close()
	next, more := x.machine.NextAlive(q, 0)
	missing := func(upTo queue.Seq) {
		for more && next < min(upTo, end) {
			v.problem(corrupt(x.space.seqKey(nil, kindMessage, q, next), "a live message has no body"))
			next, more = x.machine.NextAlive(q, next+1)
		}
	}
	for ok := it.First(); ok; ok = it.Next() {
		seq := seqOf(it.Key())
		missing(seq)
		if !more || seq != next || seq >= end {
			r.Leftovers++
			continue
		}
		if err := v.deadlineRow(x, it.Key(), it.Value()); err != nil {
			return err
		}
		next, more = x.machine.NextAlive(q, seq+1)
	}
	missing(end)
	return it.Error()
}

// deadlineRow checks the T row of a spilled message.
func (v *verifier) deadlineRow(x *Shard, key, value []byte) error {
	m, err := decodeMessageValue(key, value)
	if err != nil || m.deadlineMillis == 0 {
		return nil // the damage is reported by rows
	}
	row := x.space.deadlineKey(nil, m.deadlineMillis, queueOf(key), seqOf(key))
	found, err := x.store.db.get(row, func([]byte) error { return nil })
	if err != nil {
		return fmt.Errorf("journal: verify: %w", err)
	}
	if !found {
		v.problem(corrupt(row, "a live message with a deadline has no such row"))
	}
	return nil
}

// names checks that every queue has a name that leads to it, or to a newer one
// of the same name: rows of deleted queues do not stay.
func (v *verifier) names(x *Shard) error {
	var err error
	x.machine.Queues(func(q queue.ID, _ *queue.State) bool {
		err = v.nameOf(x, q)
		var damaged *CorruptionError
		if errors.As(err, &damaged) {
			v.problem(damaged)
			err = nil
		}
		return err == nil
	})
	return err
}

func (v *verifier) nameOf(x *Shard, q queue.ID) error {
	key := x.space.queueKey(nil, kindID, q)
	name, err := x.store.getPlain(key)
	if errors.Is(err, ErrNotFound) {
		return corrupt(key, "a queue has no name")
	}
	if err != nil {
		return err
	}
	owner, _, err := x.nameRow(x.space.nameKey(nil, string(name)))
	if err == nil && owner < q {
		err = corrupt(key, "the name %q leads to q%d", name, owner)
	}
	return err
}
