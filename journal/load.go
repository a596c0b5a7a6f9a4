package journal

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"entrepot/queue"
)

// Loaded is what Load found.
type Loaded struct {
	Messages []queue.Message
	// Next: no live message of the queue is in [from, Next) but Messages.
	Next queue.Seq
	// Applied is the index of the entry up to which that is true.
	Applied uint64
}

// Load appends to dst the live messages of q at or behind from, in order: at
// most maxMessages and about maxBytes of payload, but at least one if there is
// one. A message that is removed while Load runs may be among them.
//
// What is alive is decided under the lock, by the live set, so the disk is
// asked for exactly those bodies: nothing scans over what was settled.
//
// Errors: *CorruptionError, and what Pebble says of the disk.
func (s *Shard) Load(q queue.ID, from queue.Seq, maxMessages, maxBytes int, dst []queue.Message) (Loaded, error) {
	s.flip.RLock()
	defer s.flip.RUnlock()
	l := loader{shard: s, queue: q, maxMessages: max(maxMessages, 1), left: maxBytes}
	l.out.Messages = dst
	for {
		l.out.Next = from
		l.plan(from)
		if len(l.runs) == 0 {
			return l.out, nil
		}
		found, err := l.readRuns()
		if err != nil {
			return Loaded{}, s.found(err)
		}
		if found > 0 {
			return l.out, nil
		}
		from = l.out.Next // all of them were removed meanwhile
	}
}

// loader is one Load.
type loader struct {
	shard       *Shard
	queue       queue.ID
	maxMessages int
	left        int // bytes

	runs     []seqRange                 // live messages to be read from Q keys
	modified map[queue.Seq]modification // of them, where there is no row yet
	chunk    []byte                     // memory for payloads
	out      Loaded
}

// plan decides what to read: live messages with Q keys if there are any, else
// it takes them from the window at once.
func (l *loader) plan(from queue.Seq) {
	s := l.shard
	s.mu.Lock()
	defer s.mu.Unlock()
	l.out.Applied = s.applied
	st, ok := s.machine.Queue(l.queue)
	if !ok {
		return
	}
	inWindow, ok := s.window.first(l.queue)
	if !ok {
		inWindow = st.Tail
	}
	l.runs = l.runs[:0]
	for n := 0; n < l.maxMessages; {
		first, end, ok := s.machine.NextAliveRun(l.queue, from)
		if !ok || first >= inWindow {
			break
		}
		end = min(end, inWindow, first+queue.Seq(l.maxMessages-n))
		l.runs = append(l.runs, seqRange{first, end})
		n += int(end - first)
		from = end
	}
	if len(l.runs) > 0 {
		l.planModified()
		return
	}
	l.fromWindow(from, st.Tail)
}

// planModified keeps what is known of the planned messages without a row.
// REQUIRES: s.mu.
func (l *loader) planModified() {
	s := l.shard
	l.modified = nil
	for _, known := range s.modifications() {
		if len(known) == 0 {
			continue
		}
		for _, r := range l.runs {
			for seq := r.from; seq < r.to; seq++ {
				if m, ok := known[queue.Ref{Queue: l.queue, Seq: seq}]; ok {
					l.keepModified(seq, m)
				}
			}
		}
	}
}

// keepModified puts an older modification under what is known already.
func (l *loader) keepModified(seq queue.Seq, older modification) {
	if l.modified == nil {
		l.modified = map[queue.Seq]modification{}
	}
	if m, ok := l.modified[seq]; ok {
		older = m.over(older)
	}
	l.modified[seq] = older
}

// fromWindow takes live messages from the window. REQUIRES: s.mu; everything
// alive at or behind from is in the window.
func (l *loader) fromWindow(from, tail queue.Seq) {
	s := l.shard
	start := len(l.out.Messages)
	for _, ref := range s.window.from(l.queue, from) {
		end := ref.segment().end()
		for {
			seq, ok := s.machine.NextAlive(l.queue, from)
			if !ok {
				l.out.Next = tail
				return
			}
			from = seq
			if seq >= end {
				break
			}
			if n := len(l.out.Messages) - start; n == l.maxMessages || n > 0 && l.left <= 0 {
				l.out.Next = seq
				return
			}
			l.out.Messages = append(l.out.Messages, queue.Message{})
			m := &l.out.Messages[len(l.out.Messages)-1]
			ref.message(seq, m)
			l.overlayPending(m)
			l.left -= len(m.Payload)
			from = seq + 1
		}
	}
	l.out.Next = tail
}

// overlayPending gives m, a message in the window, its modifications: all of
// those are in memory, see Shard.written. REQUIRES: s.mu.
func (l *loader) overlayPending(m *queue.Message) {
	var found modification
	first := true
	for _, known := range l.shard.modifications() {
		older, ok := known[queue.Ref{Queue: l.queue, Seq: m.Seq}]
		switch {
		case !ok:
		case first:
			found, first = older, false
		default:
			found = found.over(older)
		}
	}
	m.DeliveryCount, m.Annotations = found.count, found.annotations
}

// readRuns reads the planned bodies.
func (l *loader) readRuns() (found int, err error) {
	s := l.shard
	first, last := l.runs[0].from, l.runs[len(l.runs)-1].to
	rows, err := l.readModified(first, last)
	if err != nil {
		return 0, err
	}
	it, err := s.store.db.newIter(&pebble.IterOptions{
		LowerBound: s.space.seqKey(nil, kindMessage, l.queue, first),
		UpperBound: s.space.seqKey(nil, kindMessage, l.queue, last),
	})
	if err != nil {
		return 0, fmt.Errorf("journal: load: %w", err)
	}
	defer it.Close()
	r := bodyReader{space: s.space, queue: l.queue, it: it}
	for _, run := range l.runs {
		for seq := run.from; seq < run.to; seq++ {
			if found > 0 && l.left <= 0 {
				l.out.Next = seq
				return found, nil
			}
			body, ok, err := r.at(seq)
			if err != nil {
				return 0, err
			}
			if !ok {
				if err := s.bodyMissing(l.queue, seq); err != nil {
					return 0, err
				}
				continue
			}
			l.add(seq, body, rows)
			found++
		}
		l.out.Next = run.to
	}
	return found, nil
}

// add appends a message that was read.
func (l *loader) add(seq queue.Seq, body storedMessage, rows map[queue.Seq]modification) {
	m := queue.Message{
		Queue: l.queue, Seq: seq, Flags: body.flags,
		DeadlineMillis: body.deadlineMillis, ArrivedMillis: body.arrivedMillis, Payload: l.keep(body.payload),
	}
	mod, ok := l.modified[seq]
	if row, inRow := rows[seq]; inRow {
		if ok {
			mod = mod.over(row)
		} else {
			mod = row
		}
	}
	m.DeliveryCount, m.Annotations = mod.count, mod.annotations
	l.out.Messages = append(l.out.Messages, m)
	l.left -= len(body.payload)
}

// chunkBytes is how much memory is got at a time for small payloads: not so
// much that one that is kept long holds a lot.
const chunkBytes = 64 << 10

// keep copies a payload out of the iterator's memory.
func (l *loader) keep(p []byte) []byte {
	if len(p) > len(l.chunk) {
		l.chunk = make([]byte, max(len(p), min(chunkBytes, len(p)*l.maxMessages)))
	}
	out := l.chunk[:len(p):len(p)]
	l.chunk = l.chunk[len(p):]
	copy(out, p)
	return out
}

// readModified reads the M rows of messages in [first, last).
func (l *loader) readModified(first, last queue.Seq) (map[queue.Seq]modification, error) {
	s := l.shard
	s.mu.Lock()
	ever := s.modifiedEver
	s.mu.Unlock()
	if !ever {
		return nil, nil
	}
	it, err := s.store.db.newIter(&pebble.IterOptions{
		LowerBound: s.space.seqKey(nil, kindModified, l.queue, first),
		UpperBound: s.space.seqKey(nil, kindModified, l.queue, last),
	})
	if err != nil {
		return nil, fmt.Errorf("journal: load: %w", err)
	}
	defer it.Close()
	var rows map[queue.Seq]modification
	for ok := it.First(); ok; ok = it.Next() {
		m, err := decodeModifiedValue(it.Key(), it.Value())
		if err != nil {
			return nil, err
		}
		if rows == nil {
			rows = map[queue.Seq]modification{}
		}
		rows[seqOf(it.Key())] = m
	}
	if err := it.Error(); err != nil {
		return nil, readError(s.space.seqKey(nil, kindModified, l.queue, first), err)
	}
	return rows, nil
}
