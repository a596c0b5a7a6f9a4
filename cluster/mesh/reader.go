package mesh

import (
	"fmt"
	"io"
)

const (
	readBytes = 64 << 10
	// believed is how much is allocated at once because a header announces it; a
	// larger message grows as it comes.
	believed = 16 << 20
)

// frameReader puts messages together. What is read ahead is copied once into the
// message; the rest of a large part is read straight into it.
type frameReader struct {
	from     io.Reader
	buf      []byte // buf[at:end] is read ahead
	at, end  int
	open     [classes]partial
	received func(n int) // told of every read; may be nil
}

// partial is a message of which more parts are to come.
type partial struct {
	header header
	data   []byte // the parts so far; cap is the total, as far as it is believed
	begun  bool
}

// message is what came, whole.
type message struct {
	kind    kind
	channel Channel
	data    []byte
}

func newFrameReader(from io.Reader) *frameReader {
	return &frameReader{from: from, buf: make([]byte, readBytes)}
}

// next waits for the next whole message. After an error there is no next.
func (r *frameReader) next() (message, error) {
	for {
		if err := r.fill(headerBytes); err != nil {
			return message{}, err
		}
		h, err := readHeader(r.buf[r.at:])
		if err != nil {
			return message{}, err
		}
		r.at += headerBytes
		m, whole, err := r.part(h)
		if whole || err != nil {
			return m, err
		}
	}
}

// part reads one frame's bytes.
func (r *frameReader) part(h header) (m message, whole bool, err error) {
	p := &r.open[h.class]
	if err := p.take(h); err != nil {
		return message{}, false, err
	}
	was := len(p.data)
	p.data = grow(p.data, h)
	if err := r.full(p.data[was:]); err != nil {
		return message{}, false, err
	}
	if checksum(0, p.data[was:]) != h.check {
		return message{}, false, fmt.Errorf("%w: the check of a part is wrong", errFrame)
	}
	if len(p.data) < h.total {
		return message{}, false, nil
	}
	m = message{h.kind, h.channel, p.data}
	*p = partial{}
	return m, true, nil
}

// take checks that h goes on with what is there, or begins.
func (p *partial) take(h header) error {
	if h.first == p.begun {
		return fmt.Errorf("%w: a part out of turn", errFrame)
	}
	if h.first {
		*p = partial{header: h, begun: true}
		return nil
	}
	if b := p.header; b.kind != h.kind || b.channel != h.channel || b.total != h.total || len(p.data)+h.part > h.total {
		return fmt.Errorf("%w: a part of another message", errFrame)
	}
	return nil
}

// grow makes room for h's part.
func grow(data []byte, h header) []byte {
	n := len(data) + h.part
	if data == nil {
		return make([]byte, n, min(h.total, max(believed, n)))
	}
	if n <= cap(data) {
		return data[:n]
	}
	more := make([]byte, n, min(h.total, 2*cap(data)))
	copy(more, data)
	return more
}

// full fills p, first with what was read ahead.
func (r *frameReader) full(p []byte) error {
	for {
		n := copy(p, r.buf[r.at:r.end])
		r.at += n
		p = p[n:]
		if len(p) == 0 {
			return nil
		}
		if len(p) < readBytes/2 {
			if err := r.fill(1); err != nil {
				return unexpected(err)
			}
			continue
		}
		n, err := r.from.Read(p)
		r.count(n)
		if p = p[n:]; err != nil && len(p) > 0 {
			return unexpected(err)
		}
	}
}

// fill reads ahead until n bytes are there; n is at most headerBytes. io.EOF means
// that the peer has ended between two frames.
func (r *frameReader) fill(n int) error {
	if r.end-r.at >= n {
		return nil
	}
	copy(r.buf, r.buf[r.at:r.end])
	r.at, r.end = 0, r.end-r.at
	for r.end < n {
		k, err := r.from.Read(r.buf[r.end:])
		r.count(k)
		if r.end += k; err != nil && r.end < n {
			if r.end > 0 {
				return unexpected(err)
			}
			return err
		}
	}
	return nil
}

func (r *frameReader) count(n int) {
	if r.received != nil && n > 0 {
		r.received(n)
	}
}

func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
