package journal

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"sync"

	"entrepot/queue"
)

// Stream is the state of a shard at one index, as bytes for another replica.
// It must be closed. Read and Close may be called by different goroutines.
//
// It reads from one Pebble iterator that was made at that index, and not from a
// Pebble snapshot: reclaim cuts dead tables out under snapshots, but an iterator
// keeps what it has seen. What that costs while the stream is open: the memtables
// of that moment (two at most), and the disk space of tables that are compacted
// away or cut out. Nothing of it grows with the shard.
type Stream struct {
	// Index is K: the stream holds the effects of every entry up to it and of no
	// later one.
	Index uint64
	// Size is how many bytes Read will give before io.EOF, exactly.
	Size int64

	shard *Shard

	mu     sync.Mutex // guards all that follows
	it     *iterator
	rows   rowWalker
	live   queue.Totals
	state  []byte // the state row, as it is behind the frame of S rows
	buf    []byte // bytes of the frame that is being read
	at     int    // of them are read
	number uint32 // of the next frame
	totals rowTotals
	ended  bool
	err    error // what Read gave last
}

// calmBytes is how small the window shall be when Apply is held for the last round:
// writing it takes some milliseconds.
const calmBytes = 1 << 20

// OpenStream writes all state to disk and opens a stream of it, as of that
// moment. Apply waits for a few milliseconds meanwhile; afterwards traffic goes
// on beside the stream. Then it reads all rows once, for Size and to see that none
// is damaged: some seconds for 10 GB, which ctx ends.
//
// Errors: *CorruptionError if a row is damaged, ctx's, the store's failure.
func (s *Shard) OpenStream(ctx context.Context) (*Stream, error) {
	opened := make(chan *Stream, 1)
	err := s.store.failure.or(func() error {
		st, err := s.openStream(ctx)
		opened <- st
		return err
	})
	if err != nil {
		return nil, s.found(err)
	}
	return <-opened, nil
}

func (s *Shard) openStream(ctx context.Context) (*Stream, error) {
	for range 4 { // with much traffic it never is calm for good
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if s.WindowBytes() <= calmBytes {
			break
		}
		if err := s.round(true); err != nil {
			return nil, err
		}
	}
	st, err := s.cutStream()
	if err != nil {
		return nil, err
	}
	if err := errors.Join(st.measure(ctx), s.keepStream(st)); err != nil {
		return nil, errors.Join(err, st.Close())
	}
	return st, nil
}

// cutStream makes K and W equal to the applied index and opens the iterator,
// all while Apply is held.
func (s *Shard) cutStream() (*Stream, error) {
	s.hold(1)
	defer s.hold(-1)
	s.spilling.Lock()
	defer s.spilling.Unlock()
	if err := s.unfit(); err != nil {
		return nil, err
	}
	for !s.clean() {
		if err := s.roundLocked(true); err != nil {
			return nil, err
		}
	}
	it, err := s.store.db.newIter(nil)
	if err != nil {
		return nil, readError(s.space.prefix(nil, kindHead), err)
	}
	st := &Stream{
		Index: s.AppliedIndex(), shard: s, it: it, rows: rowWalker{space: s.space, it: it}, live: s.Totals(),
	}
	if err := st.readState(); err != nil {
		return nil, errors.Join(err, st.Close())
	}
	return st, nil
}

// hold makes Apply wait (1) or lets it go on (-1).
func (s *Shard) hold(by int) {
	s.mu.Lock()
	s.held += by
	s.mu.Unlock()
	s.wake(s.room)
}

// readState reads the state row. A shard to which nothing was applied has none.
func (st *Stream) readState() error {
	s := st.shard
	key := appendMarkKey(nil, s.sh, stateRowName)
	row := stateRow{generation: s.space.g}
	if st.it.SeekGE(key) && string(st.it.Key()) == string(key) {
		b, err := unseal(key, st.it.Value())
		if err != nil {
			return err
		}
		if row, err = decodeStateRow(key, clone(b)); err != nil {
			return err
		}
	}
	if err := st.it.Error(); err != nil {
		return readError(key, err)
	}
	if row.durable != st.Index || row.spilled != row.durable || row.generation != s.space.g {
		return corrupt(key, "K %d, W %d, generation %d, but %d was applied in generation %d",
			row.durable, row.spilled, row.generation, st.Index, s.space.g)
	}
	st.state = row.append(nil)
	return nil
}

// measureStep is how many rows are read between two looks at a context.
const measureStep = 1024

// measure reads all rows once and sets Size.
func (st *Stream) measure(ctx context.Context) error {
	size := int64(preambleLen) + 2*frameOver + 2 + int64(len(st.state)) + endLen
	inFrame := 0
	var queues, bodies uint64
	for n := 0; ; n++ {
		if n%measureStep == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		key, value, ok, err := st.rows.next()
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		switch key[0] {
		case kindHead:
			queues++
		case kindMessage:
			bodies++
		}
		inFrame += rowLen(key, value)
		if inFrame >= frameBytes {
			size += int64(inFrame) + frameOver
			inFrame = 0
		}
	}
	if inFrame > 0 {
		size += int64(inFrame) + frameOver
	}
	st.Size = size
	st.rows.restart()
	if queues != st.live.Queues || bodies < st.live.Count {
		return corrupt(st.rows.space.prefix(nil, kindHead), "%d queues with %d messages, rows of %d with %d",
			st.live.Queues, st.live.Count, queues, bodies)
	}
	return nil
}

// Read gives the stream's next bytes, io.EOF behind the last.
//
// Errors: *CorruptionError, ErrClosed.
func (st *Stream) Read(p []byte) (int, error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.it == nil {
		return 0, ErrClosed
	}
	n := 0
	for n < len(p) {
		if st.at == len(st.buf) {
			if st.err == nil {
				st.err = st.fill()
			}
			if st.err != nil {
				break
			}
		}
		m := copy(p[n:], st.buf[st.at:])
		st.at += m
		n += m
	}
	if n > 0 || len(p) == 0 {
		return n, nil
	}
	return 0, st.shard.found(st.err)
}

// fill makes the next frame; io.EOF behind the last.
func (st *Stream) fill() error {
	if st.ended {
		return io.EOF
	}
	b := st.buf[:0]
	switch {
	case st.number == 0:
		b = append(append(b, streamMagic...), streamVersion)
		b = binary.BigEndian.AppendUint16(beginFrame(b), st.shard.sh)
		b = endFrame(append(b, st.state...), preambleLen, frameHead, 0, 0)
	default:
		var rows uint32
		var err error
		if b, rows, err = st.appendRows(beginFrame(b)); err != nil {
			return err
		}
		if rows > 0 {
			b = endFrame(b, 0, frameRows, st.number, rows)
			break
		}
		b = endFrame(st.totals.append(b), 0, frameEnd, st.number, 0)
		st.ended = true
	}
	st.number++
	st.buf, st.at = b, 0
	return nil
}

// appendRows appends the rows of one frame.
func (st *Stream) appendRows(b []byte) (_ []byte, rows uint32, err error) {
	for size := 0; size < frameBytes; rows++ {
		key, value, ok, err := st.rows.next()
		if err != nil || !ok {
			return b, rows, err
		}
		n := rowLen(key, value)
		b = appendRow(b, key, value)
		st.totals.add(n)
		size += n
	}
	return b, rows, nil
}

// Close gives back what the stream holds on to. It may be called twice.
func (st *Stream) Close() error {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.it == nil {
		return nil
	}
	st.shard.dropStream(st)
	err := st.it.Close()
	st.it, st.buf, st.state = nil, nil, nil
	return err
}

// keepStream notes an open stream, for close.
func (s *Shard) keepStream(st *Stream) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.streams == nil {
		return ErrClosed
	}
	s.streams[st] = struct{}{}
	return nil
}

func (s *Shard) dropStream(st *Stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.streams, st)
}

// closeStreams ends the open streams, and those that are about to open.
func (s *Shard) closeStreams() error {
	s.mu.Lock()
	streams := s.streams
	s.streams = nil
	s.mu.Unlock()
	var err error
	for st := range streams {
		err = errors.Join(err, st.Close())
	}
	return err
}
