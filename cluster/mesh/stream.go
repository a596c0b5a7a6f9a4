package mesh

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
)

// A stream is a request whose body comes in parts, each within the window that the
// receiver has granted. What ends it: the answer (which may come before the end of
// the data), an abort by the sender, or the end of the session.
//
//	stream    id u64 │ length u8, method │ size i64 (-1: not known) │ head
//	data      id u64 │ at most 64 KiB
//	end       id u64
//	abort     id u64 │ text: why
//	credit    id u64 │ bytes u32: so many more may be sent
const (
	streamWindow = 1 << 20
	streamPart   = 64 << 10
)

// credit is how much of a stream may still be sent.
type credit struct {
	mu    sync.Mutex
	bytes int
	more  chan struct{} // holds one: bytes has grown
}

func (c *credit) add(n int) {
	c.mu.Lock()
	c.bytes += n
	c.mu.Unlock()
	select {
	case c.more <- struct{}{}:
	default:
	}
}

// take takes up to n, 0 if there is none.
func (c *credit) take(n int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n = min(n, c.bytes)
	c.bytes -= n
	return n
}

// credited takes a credit from the receiver of a stream of ours.
func (s *session) credited(id uint64, b []byte) error {
	s.mu.Lock()
	r := s.asked[id]
	s.mu.Unlock()
	switch {
	case len(b) != 4 || r != nil && r.credit == nil:
		return errProtocol
	case r != nil:
		r.credit.add(int(binary.BigEndian.Uint32(b)))
	}
	return nil
}

// outStream is a stream of ours.
type outStream struct {
	session *session
	id      uint64
	request *request
	sent    int64
	size    int64 // -1: not known
}

// stream is Stream in this session.
func (s *session) stream(ctx context.Context, method string, head []byte, size int64, r io.Reader) ([]byte, error) {
	q := &request{method: method, answer: make(chan answer, 1)}
	q.credit = &credit{bytes: streamWindow, more: make(chan struct{}, 1)}
	id, err := s.ask(q)
	if err != nil {
		return nil, err
	}
	defer s.forget(id)
	o := &outStream{session: s, id: id, request: q, size: size}
	begin := binary.BigEndian.AppendUint64(appendCall(nil, id, method), uint64(size))
	if err := s.send(header{kind: kindStream, class: bulk}, [][]byte{begin, head}); err != nil {
		return nil, err
	}
	a, err := o.run(ctx, r)
	if err != nil {
		o.tell(kindStreamAbort, []byte(err.Error()))
		return nil, err
	}
	return a.data, a.err
}

func (o *outStream) tell(k kind, text []byte) {
	_ = o.session.send(header{kind: k, class: bulk}, [][]byte{binary.BigEndian.AppendUint64(nil, o.id), text})
}

// run sends r and waits for the answer. An error is ours: the receiver does not know it.
func (o *outStream) run(ctx context.Context, r io.Reader) (answer, error) {
	for ended := false; !ended; {
		room := 0
		for room == 0 {
			select { // also with room: an answer ends it
			case a := <-o.request.answer:
				return a, nil
			case <-ctx.Done():
				return answer{}, ctx.Err()
			default:
			}
			if room = o.request.credit.take(streamPart); room > 0 {
				break
			}
			select {
			case a := <-o.request.answer:
				return a, nil
			case <-ctx.Done():
				return answer{}, ctx.Err()
			case <-o.request.credit.more:
			}
		}
		var err error
		if ended, err = o.part(r, room); err != nil {
			return answer{}, err
		}
	}
	o.tell(kindStreamEnd, nil)
	select {
	case a := <-o.request.answer:
		return a, nil
	case <-ctx.Done():
		return answer{}, ctx.Err()
	}
}

// part reads and sends up to room bytes; ended: r has given everything. The bytes
// are read to where they will be written from.
func (o *outStream) part(r io.Reader, room int) (ended bool, err error) {
	const before = headerBytes + 8
	c := chunks.Get().(*chunk)
	c.buf = c.buf[:before+room]
	n, err := io.ReadFull(r, c.buf[before:])
	ended = errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
	o.sent += int64(n)
	switch {
	case err != nil && !ended:
		err = fmt.Errorf("mesh: reading what is to be streamed: %w", err)
	case o.size >= 0 && (o.sent > o.size || ended && o.sent < o.size):
		err = fmt.Errorf("mesh: %d bytes of %d came to be streamed: %w", o.sent, o.size, io.ErrUnexpectedEOF)
	default:
		err = nil
	}
	if c.buf = c.buf[:before+n]; err != nil || n == 0 {
		c.buf = c.buf[:0]
		chunks.Put(c)
		return ended, err
	}
	o.request.credit.add(room - n)
	binary.BigEndian.PutUint64(c.buf[headerBytes:], o.id)
	body := c.buf[headerBytes:]
	h := header{kind: kindStreamData, class: bulk, first: true, total: len(body), part: len(body), check: checksum(0, body)}
	h.put(c.buf)
	o.session.sendChunk(h.class, c)
	return ended, nil
}

// sendChunk queues a chunk that is a frame. If the session has ended, the answer says so.
func (s *session) sendChunk(k class, c *chunk) {
	s.out.mu.Lock()
	if s.out.failed {
		s.out.mu.Unlock()
		return
	}
	s.out.pushChunk(k, c)
	s.goOut()
}

// serveStream begins a stream of the peer.
func (s *session) serveStream(b []byte) error {
	id, method, rest, err := readCall(b)
	if err != nil || len(rest) < 8 {
		return errProtocol
	}
	size, head := int64(binary.BigEndian.Uint64(rest)), rest[8:]
	f := s.mesh.streams[method]
	if f == nil {
		s.reply(id, nil, errors.New("no such stream"))
		return nil
	}
	in := &inStream{session: s, id: id, size: size}
	in.changed = sync.NewCond(&in.mu)
	return s.serve(id, in, func(ctx context.Context) ([]byte, error) {
		defer in.end(errReadAfter)
		return f(ctx, s.id, head, size, in)
	})
}

var errReadAfter = errors.New("mesh: the stream's handler has returned")

// inStream is a stream of the peer, as the handler reads it.
type inStream struct {
	session *session
	id      uint64
	size    int64 // -1: not known

	mu      sync.Mutex
	changed *sync.Cond
	parts   [][]byte // came and are not read
	held    int      // bytes in parts
	came    int64
	taken   int   // read, and not granted again yet
	err     error // io.EOF: all has come
}

// add takes a part from the reader of the connection.
func (in *inStream) add(p []byte) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.err != nil {
		return nil // over, and the sender does not know yet
	}
	in.came += int64(len(p))
	if in.held += len(p); in.held > streamWindow || in.size >= 0 && in.came > in.size {
		return errProtocol
	}
	in.parts = append(in.parts, p)
	in.changed.Signal()
	return nil
}

// finish says that all has come.
func (in *inStream) finish() {
	if in.size >= 0 && in.came != in.size {
		in.end(io.ErrUnexpectedEOF)
		return
	}
	in.end(io.EOF)
}

// end is the end of the data. What has come can be read if all has; the first reason counts.
func (in *inStream) end(why error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.err == nil || in.err == io.EOF && why != io.EOF {
		in.err = why
	}
	if in.err != io.EOF {
		in.parts, in.held = nil, 0
	}
	in.changed.Broadcast()
}

// Read waits for data and grants the sender as much again.
func (in *inStream) Read(p []byte) (n int, err error) {
	in.mu.Lock()
	for len(in.parts) == 0 && in.err == nil && len(p) > 0 {
		in.changed.Wait()
	}
	for n < len(p) && len(in.parts) > 0 {
		k := copy(p[n:], in.parts[0])
		n += k
		if in.parts[0] = in.parts[0][k:]; len(in.parts[0]) == 0 {
			in.parts[0] = nil
			in.parts = in.parts[1:]
		}
	}
	in.held -= n
	in.taken += n
	granted := 0
	if in.taken >= streamWindow/4 && in.err == nil {
		granted, in.taken = in.taken, 0
	}
	if n == 0 && len(p) > 0 {
		err = in.err
	}
	in.mu.Unlock()
	if granted > 0 {
		b := binary.BigEndian.AppendUint64(nil, in.id)
		b = binary.BigEndian.AppendUint32(b, uint32(granted))
		_ = in.session.send(header{kind: kindStreamCredit, class: urgent}, [][]byte{b})
	}
	return n, err
}
