package journal

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// streamReader cuts the bytes of a stream into rows, and checks all that can be
// checked without knowing what they mean. It keeps one frame.
type streamReader struct {
	buf    []byte
	offset int64  // of buf[0] in the stream
	frames uint32 // read so far
	begun  bool   // the preamble was read
	ended  bool   // the end was read: nothing may follow
	sender space
	state  stateRow
	totals rowTotals

	kind int    // place in streamKinds of the last row
	last []byte // its key, as the sender has it
	key  []byte // the one being read
}

// streamSink takes what a streamReader has read. Keys and values are valid during
// the call only.
type streamSink interface {
	head(row stateRow) error
	row(key, value []byte) error // key: with the sender's generation
	end() error
}

func (r *streamReader) fail(format string, args ...any) error {
	return &StreamError{Offset: r.offset, Reason: fmt.Sprintf(format, args...)}
}

// write takes bytes and gives what is whole to the sink. Errors of the sink that are
// none of the store's are the stream's.
func (r *streamReader) write(p []byte, sink streamSink) error {
	r.buf = append(r.buf, p...)
	rest := r.buf
	for len(rest) > 0 {
		n, err := r.step(rest, sink)
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
		r.offset += int64(n)
		rest = rest[n:]
	}
	if len(rest) < len(r.buf) {
		r.buf = append(r.buf[:0], rest...)
	}
	return nil
}

// step reads the preamble or a frame at the beginning of b, and gives its length; 0
// if it has not come yet.
func (r *streamReader) step(b []byte, sink streamSink) (int, error) {
	if r.ended {
		return 0, r.fail("bytes behind the end")
	}
	if !r.begun {
		return r.preamble(b)
	}
	if len(b) < frameHeadLen {
		return 0, nil
	}
	f, err := readFrameHead(b)
	if err != nil {
		return 0, r.fail("%v", err)
	}
	if f.number != r.frames || (f.kind == frameHead) != (r.frames == 0) {
		return 0, r.fail("frame %d of kind %q where %d belongs", f.number, f.kind, r.frames)
	}
	total := frameOver + int(f.length)
	if len(b) < total {
		return 0, nil
	}
	payload := b[frameHeadLen : total-crcLen]
	if err := checkPayload(payload, b[total-crcLen:]); err != nil {
		return 0, r.fail("%v", err)
	}
	r.frames++
	return total, r.payload(f, payload, sink)
}

func (r *streamReader) preamble(b []byte) (int, error) {
	n := min(len(b), len(streamMagic))
	if string(b[:n]) != streamMagic[:n] {
		return 0, r.fail("this is no stream")
	}
	if len(b) < preambleLen {
		return 0, nil
	}
	if v := b[len(streamMagic)]; v != streamVersion {
		return 0, r.fail("unknown format version %d", v)
	}
	r.begun = true
	return preambleLen, nil
}

func (r *streamReader) payload(f frame, payload []byte, sink streamSink) error {
	switch f.kind {
	case frameHead:
		return r.head(payload, sink)
	case frameRows:
		return r.rows(f, payload, sink)
	case frameEnd:
		if string(payload) != string(r.totals.append(nil)) {
			return r.fail("the end counts other rows than came: %d of %d bytes came", r.totals.rows, r.totals.bytes)
		}
		r.ended = true
		return r.mine(sink.end())
	}
	return r.fail("unknown frame %q", f.kind)
}

func (r *streamReader) head(payload []byte, sink streamSink) error {
	if len(payload) < 2 {
		return r.fail("the head has %d bytes", len(payload))
	}
	sh := binary.BigEndian.Uint16(payload)
	row, err := decodeStateRow(appendMarkKey(nil, sh, stateRowName), clone(payload[2:]))
	if err != nil {
		return r.fail("%v", err)
	}
	if row.spilled != row.durable || len(row.refused) > 0 {
		return r.fail("a state whose bodies are in the log: K %d, W %d", row.durable, row.spilled)
	}
	r.sender, r.state = space{sh, row.generation}, row
	return r.mine(sink.head(row))
}

func (r *streamReader) rows(f frame, payload []byte, sink streamSink) error {
	for n := f.rows; ; n-- {
		if (n == 0) != (len(payload) == 0) {
			return r.fail("a frame of %d rows has others", f.rows)
		}
		if n == 0 {
			return nil
		}
		suffix, value, rest, err := readRow(payload)
		if err != nil {
			return r.fail("%v", err)
		}
		r.key = append(r.sender.prefix(r.key[:0], suffix[0]), suffix[1:]...)
		if err := r.follows(); err != nil {
			return err
		}
		if err := checkRow(r.key, value); err != nil {
			return r.fail("%v", err)
		}
		r.totals.add(len(payload) - len(rest))
		if err := r.mine(sink.row(r.key, value)); err != nil {
			return err
		}
		r.last, r.key = r.key, r.last
		payload = rest
	}
}

// follows: the key is one that may come behind the last one.
func (r *streamReader) follows() error {
	kind := strings.IndexByte(streamKinds, r.key[0])
	if kind < 0 {
		return r.fail("a row of kind %q", r.key[0])
	}
	if want := keyLen(r.key[0]); want != 0 && len(r.key) != want {
		return r.fail("a key %x", r.key)
	}
	if kind < r.kind || kind == r.kind && string(r.key) <= string(r.last) {
		return r.fail("%s behind %s", describeKey(r.key), describeKey(r.last))
	}
	r.kind = kind
	return nil
}

// mine makes an error of format or fit the stream's, with its place.
func (r *streamReader) mine(err error) error {
	if unfit, ok := err.(rowUnfit); ok {
		return r.fail("%s", string(unfit))
	}
	return err
}

// rowUnfit is why a row cannot be what the sender had.
type rowUnfit string

func (e rowUnfit) Error() string { return string(e) }

// keyLen is the length of a kind's keys, 0 if they have no fixed one.
func keyLen(kind byte) int {
	switch kind {
	case kindHead, kindID:
		return queueKeyLen
	case kindPage:
		return pageKeyLen
	case kindModified, kindMessage:
		return seqKeyLen
	case kindDeadline:
		return deadlineKeyLen
	}
	return 0
}
