package journal

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"entrepot/queue"
)

// loadShard builds a shard's memory: the Machine from its rows, as of K, and
// the window from the log's entries in (W, K].
func loadShard(store *Store, sh uint16, l *Log) (*Shard, error) {
	row, err := store.readStateRow(sh)
	if err != nil {
		return nil, err
	}
	s := newShard(store, sh, l)
	s.space = space{sh, row.generation}
	s.applied, s.durable = row.durable, row.durable
	s.replayTo = l.Last()
	s.deadBytes = reclaimBytes // what the process before has left: the first round looks
	if row.durable > 0 && l.First() > row.spilled+1 {
		return nil, corrupt(appendLogKey(nil, sh, row.spilled+1), "the log begins at %d, the state ends at %d", l.First(), row.spilled)
	}
	if len(row.meta) > 0 {
		if err := s.machine.LoadMeta(row.meta); err != nil {
			return nil, corrupt(appendMarkKey(nil, sh, stateRowName), "%v", err)
		}
	}
	s.sweptRow = s.machine.SweptMillis()
	if err := s.loadRows(); err != nil {
		return nil, err
	}
	if err := s.loadWindow(row); err != nil {
		return nil, err
	}
	if err := s.loadExcepted(); err != nil {
		return nil, err
	}
	return s, s.loadModified()
}

// loadRows loads the state of all queues.
func (s *Shard) loadRows() error {
	err := s.eachRow(kindHead, queueKeyLen, func(key, value []byte) error {
		return s.machine.LoadState(queueOf(key), value)
	})
	if err != nil {
		return err
	}
	err = s.eachRow(kindPage, pageKeyLen, func(key, value []byte) error {
		return s.machine.LoadPage(queueOf(key), pageOf(key), value)
	})
	if err != nil {
		return err
	}
	if err := s.machine.Check(); err != nil {
		return corrupt(s.space.prefix(nil, kindHead), "%v", err)
	}
	return nil
}

// eachRow calls f for every row of a kind with the value behind its frame. An
// error of f is the row's.
func (s *Shard) eachRow(kind byte, keyLen int, f func(key, value []byte) error) error {
	prefix := s.space.prefix(nil, kind)
	it, err := s.store.db.newIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: prefixEnd(prefix)})
	if err != nil {
		return fmt.Errorf("journal: read %c rows: %w", kind, err)
	}
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		if len(it.Key()) != keyLen {
			return corrupt(it.Key(), "the key has %d bytes", len(it.Key()))
		}
		value, err := unseal(it.Key(), it.Value())
		if err != nil {
			return err
		}
		if err := f(it.Key(), value); err != nil {
			return corrupt(it.Key(), "%v", err)
		}
	}
	if err := it.Error(); err != nil {
		return readError(prefix, err)
	}
	return nil
}

// loadWindow rebuilds the window from the entries in (W, K]. They have been
// applied: what is to be found out is which sequence numbers their messages
// got. A queue's last one in there got the one before its tail, and so on
// backwards; see stateRow for those that got none.
func (s *Shard) loadWindow(row stateRow) error {
	if row.spilled == row.durable {
		return nil
	}
	w := windowLoader{shard: s, refused: map[refusal]struct{}{}, next: map[queue.ID]queue.Seq{}}
	for _, f := range row.refused {
		w.refused[f] = struct{}{}
	}
	if err := w.readPacks(row.spilled+1, row.durable); err != nil {
		return err
	}
	if err := w.count(); err != nil {
		return err
	}
	return w.fill()
}

// windowLoader is loadWindow at work.
type windowLoader struct {
	shard   *Shard
	refused map[refusal]struct{}
	// next is the number of a queue's messages, and then what the next gets.
	next    map[queue.ID]queue.Seq
	indexes []uint64
	packs   [][]byte
}

// readPacks reads the entries first..last.
func (w *windowLoader) readPacks(first, last uint64) error {
	l := w.shard.log
	for index := first; index <= last; index++ {
		var e Entry
		if err := l.Get(index, &e); err != nil {
			if errors.Is(err, ErrNotFound) {
				return corrupt(appendLogKey(nil, l.sh, index), "the state needs this entry, the log has %d..%d", l.First(), l.Last())
			}
			return err
		}
		if e.Type == EntryPack {
			plain, err := PlainPack(e.Data)
			if err != nil {
				return corrupt(appendLogKey(nil, l.sh, index), "%v", err)
			}
			w.indexes = append(w.indexes, index)
			w.packs = append(w.packs, plain)
		}
	}
	return nil
}

// count learns where each queue's messages begin.
func (w *windowLoader) count() error {
	for i := range w.packs {
		err := w.scan(i, func(_ uint32, rec *queue.Record, refused bool) {
			if !refused {
				w.next[rec.Queue]++
			}
		})
		if err != nil {
			return err
		}
	}
	s := w.shard
	for q, n := range w.next {
		st, _ := s.machine.Queue(q)
		if st.Tail <= n {
			return corrupt(s.space.queueKey(nil, kindHead, q), "tail %d, but the log behind W has %d messages", st.Tail, n)
		}
		w.next[q] = st.Tail - n
		s.orphans[q] = st.Tail
	}
	return nil
}

// fill puts the entries into the window.
func (w *windowLoader) fill() error {
	s := w.shard
	now := s.now()
	for i, pack := range w.packs {
		head, err := queue.ReadPackHeader(pack)
		if err != nil {
			return corrupt(appendLogKey(nil, s.sh, w.indexes[i]), "%v", err)
		}
		e := s.window.begin(w.indexes[i], now, head.NowMillis)
		if w.skipped(i) {
			e.refused = append(e.refused, wholePack)
		}
		err = w.scan(i, func(at uint32, rec *queue.Record, refused bool) {
			if refused {
				e.refused = append(e.refused, at)
				return
			}
			seq := w.next[rec.Queue]
			w.next[rec.Queue] = seq + 1
			s.window.add(e, rec.Queue, seq, slot{
				offset: uint32(rec.PayloadOffset), length: uint32(len(rec.Payload)),
				deadlineMillis: rec.DeadlineMillis, flags: rec.Flags,
			})
		})
		if err != nil {
			return err
		}
		s.window.push(e, pack)
	}
	return nil
}

// skipped: the pack was a duplicate or a gap.
func (w *windowLoader) skipped(i int) bool {
	_, skipped := w.refused[refusal{w.indexes[i], wholePack}]
	return skipped
}

// scan calls f for the Enqueues of a pack that was applied, but for those of
// queues that are no more.
func (w *windowLoader) scan(i int, f func(at uint32, rec *queue.Record, refused bool)) error {
	if w.skipped(i) {
		return nil
	}
	key := appendLogKey(nil, w.shard.sh, w.indexes[i])
	r, err := queue.OpenPack(w.packs[i])
	if err != nil {
		return corrupt(key, "%v", err)
	}
	var rec queue.Record
	for at := uint32(0); ; at++ {
		more, err := r.Next(&rec)
		if err != nil {
			return corrupt(key, "%v", err)
		}
		if !more {
			return nil
		}
		if rec.Kind != queue.KindEnqueue {
			continue
		}
		_, refused := w.refused[refusal{w.indexes[i], at}]
		if _, exists := w.shard.machine.Queue(rec.Queue); exists || refused {
			f(at, &rec, refused)
		}
	}
}

// loadModified finds out whether there are M rows, and keeps those of messages
// in the window.
func (s *Shard) loadModified() error {
	return s.eachRow(kindModified, seqKeyLen, func(key, value []byte) error {
		s.modifiedEver = true
		at := queue.Ref{Queue: queueOf(key), Seq: seqOf(key)}
		if first, ok := s.window.first(at.Queue); !ok || at.Seq < first || !s.machine.Alive(at.Queue, at.Seq) {
			return nil
		}
		m, err := decodeModified(key, value)
		s.written[at] = m
		return err
	})
}
