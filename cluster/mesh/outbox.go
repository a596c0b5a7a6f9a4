package mesh

import (
	"sync"
	"time"
)

const (
	// chunkBytes is a gathering buffer: a part of a stream with its header fits in.
	chunkBytes = 64<<10 + 64
	// copyBelow: shorter parts are copied behind the header, longer ones are written
	// from where they are.
	copyBelow = 4 << 10
	// queueBytes is when Send says ErrCongested.
	queueBytes = 64 << 20
	// quietFor is how long nothing must have been written for a sender to write
	// itself: below that more is likely to come, and goes into one write.
	quietFor = 20 * time.Microsecond
)

// partBytes is the largest part of each class: what an urgent message may have to
// wait for, and how finely bulk is mixed into the rest.
var partBytes = [classes]int{urgent: maxPart, normal: maxPart, bulk: 64 << 10}

// shares are how many bytes of each class go into one write; a frame that is begun
// is finished. So no class starves, and an urgent frame waits for about 600 KiB.
var shares = [classes]int{urgent: 256 << 10, normal: 256 << 10, bulk: 64 << 10}

// chunk is a gathering buffer. It goes back to the pool when all segments that lie in
// it are written.
type chunk struct {
	buf  []byte
	refs int
}

var chunks = sync.Pool{New: func() any { return &chunk{buf: make([]byte, 0, chunkBytes)} }}

// segment is bytes to write: in a chunk, or a sender's own.
type segment struct {
	b     []byte
	chunk *chunk // nil: not ours
	end   bool   // a frame ends with it
}

// lane is what is queued of one class.
type lane struct {
	segments []segment // from head on
	head     int
	open     *chunk // where the next small bytes go
}

// outbox is what a session has to write. Frames are encoded as they come in; the
// writer only takes bytes.
//
//	Send ──► lane urgent ─┐
//	Send ──► lane normal ─┼─► take: one batch ──► one write
//	Send ──► lane bulk   ─┘
type outbox struct {
	mu      sync.Mutex
	lanes   [classes]lane
	bytes   int  // queued, not taken yet
	writing bool // someone writes, or the writer is about to
	wrote   time.Time
	failed  bool // nothing goes out any more
}

// full says whether a message must wait. Urgent ones have as much room again, so that
// a slow line does not look like a dead node. It is called under mu.
func (o *outbox) full(h header) bool {
	if h.kind != kindMessage && h.kind != kindCall {
		return false
	}
	return o.bytes > queueBytes && (h.class != urgent || o.bytes > 2*queueBytes)
}

// push encodes a message. checks are those of its frames (see checksOf). Short parts
// and headers are copied, all others must not change any more. It is called under mu.
func (o *outbox) push(h header, checks []uint32, parts [][]byte) {
	l := &o.lanes[h.class]
	left := h.total
	h.first = true
	for i := 0; left > 0 || h.first; i++ {
		h.part, h.check = min(left, partBytes[h.class]), checks[i]
		h.put(l.room(headerBytes))
		parts = l.body(parts, h.part)
		l.segments[len(l.segments)-1].end = true
		left -= h.part
		o.bytes += headerBytes + h.part
		h.first = false
	}
}

// pushChunk queues a chunk that holds one whole frame. It is called under mu.
func (o *outbox) pushChunk(k class, c *chunk) {
	l := &o.lanes[k]
	l.seal()
	c.refs++
	l.segments = append(l.segments, segment{c.buf, c, true})
	o.bytes += len(c.buf)
}

// body queues n bytes of parts and returns the parts that remain.
func (l *lane) body(parts [][]byte, n int) [][]byte {
	for n > 0 {
		p := parts[0]
		k := min(n, len(p))
		if k < copyBelow {
			copy(l.room(k), p[:k])
		} else {
			l.segments = append(l.segments, segment{b: p[:k:k]})
		}
		n -= k
		if k < len(p) {
			parts = append([][]byte{p[k:]}, parts[1:]...)
		} else {
			parts = parts[1:]
		}
	}
	return parts
}

// room makes room for n bytes, at most copyBelow, behind what was queued last.
func (l *lane) room(n int) []byte {
	if l.open != nil && len(l.open.buf)+n > cap(l.open.buf) {
		l.seal()
	}
	if l.open == nil {
		l.open = chunks.Get().(*chunk)
		l.open.refs = 1 // the lane's
	}
	c := l.open
	at := len(c.buf)
	c.buf = c.buf[:at+n]
	if k := len(l.segments); k > l.head && l.segments[k-1].chunk == c {
		s := &l.segments[k-1]
		s.b = s.b[:len(s.b)+n]
		s.end = false
	} else {
		c.refs++
		l.segments = append(l.segments, segment{b: c.buf[at : at+n], chunk: c})
	}
	return c.buf[at : at+n]
}

// seal lets no more into the open chunk.
func (l *lane) seal() {
	if l.open != nil {
		l.open.release()
		l.open = nil
	}
}

func (c *chunk) release() {
	if c.refs--; c.refs == 0 {
		c.buf = c.buf[:0]
		chunks.Put(c)
	}
}

// take moves the next batch to the writer. It is called under mu.
func (o *outbox) take(batch []segment) []segment {
	if o.bytes == 0 {
		return batch
	}
	for k := range o.lanes {
		batch = o.lanes[k].take(batch, shares[k], &o.bytes)
	}
	return batch
}

func (l *lane) take(batch []segment, share int, queued *int) []segment {
	n, size := l.head, 0
	for n < len(l.segments) && (size < share || !l.segments[n-1].end) {
		size += len(l.segments[n].b)
		n++
	}
	batch = append(batch, l.segments[l.head:n]...)
	clear(l.segments[l.head:n])
	*queued -= size
	if l.head = n; n == len(l.segments) {
		l.segments, l.head = l.segments[:0], 0
		l.seal() // an idle connection holds no buffer
	} else if n >= 1024 && n > len(l.segments)/2 {
		l.segments = append(l.segments[:0], l.segments[n:]...)
		l.head = 0
	}
	return batch
}

// written gives back what a batch held. It is called under mu.
func (o *outbox) written(batch []segment) {
	for i := range batch {
		if batch[i].chunk != nil {
			batch[i].chunk.release()
		}
		batch[i] = segment{}
	}
}

// drop forgets everything: the connection is over. It is called under mu.
func (o *outbox) drop() {
	o.failed = true
	for k := range o.lanes {
		l := &o.lanes[k]
		o.written(l.segments[l.head:])
		l.seal()
		*l = lane{}
	}
	o.bytes = 0
}

// checksOf appends the check of each frame that the parts will make.
func checksOf(checks []uint32, k class, parts [][]byte) []uint32 {
	most := partBytes[k]
	check, n := uint32(0), 0
	for _, p := range parts {
		for len(p) > 0 {
			k := min(len(p), most-n)
			check = checksum(check, p[:k])
			p = p[k:]
			if n += k; n == most {
				checks, check, n = append(checks, check), 0, 0
			}
		}
	}
	if n > 0 || len(checks) == 0 {
		checks = append(checks, check)
	}
	return checks
}
