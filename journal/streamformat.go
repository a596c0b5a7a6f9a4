package journal

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// The bytes of a Stream. Big-endian; uv is an unsigned varint.
//
//	| "EPSTREAM" | version u8 |                                the preamble
//	| head | rows | rows | ... | end |                         frames
//
//	frame:
//	0      1            5         9            13         17
//	+------+------------+---------+------------+----------+-------------+---------+
//	| kind | number u32 | rows u32| length u32 | crc u32  | payload ... | crc u32 |
//	+------+------------+---------+------------+----------+-------------+---------+
//	 frames are counted from 0;     of payload   of 0..12                 of payload
//	 rows is 0 in head and end
//
//	payload of 'h', head:  | shard u16 | state row, without the S row's frame ... |
//	payload of 'r', rows:  | row | row | ...
//	payload of 'e', end:   | rows u64 | bytes of rows u64 |
//
//	row:
//	+--------+--------+------+---------------------+-----------+
//	| uv     | uv     | kind | key behind sh and g | value ... |
//	+--------+--------+------+---------------------+-----------+
//	 n, of    m, of          \------- n bytes ----/ \- m bytes-/
//	 the key  the value
//
// Rows come kind by kind in the order of streamKinds, and in the order of keys
// within one: first what says which messages live, so that the receiver can hold
// every body against it, and the bodies last.
//
// A value is the row's own, with the checksum that was made over it and its key when
// the row was written: the receiver checks that one, with the sender's generation,
// before it makes its own. So damage is found wherever it comes from, and the
// frame's checksums only guard lengths and order. Both sides have one frame in
// memory.
const (
	streamMagic   = "EPSTREAM"
	streamVersion = 1
	preambleLen   = len(streamMagic) + 1

	frameHead = 'h'
	frameRows = 'r'
	frameEnd  = 'e'

	frameHeadLen = 1 + 4 + 4 + 4 + crcLen
	frameOver    = frameHeadLen + crcLen // what a frame has beside its payload
	endLen       = 8 + 8

	// frameBytes is where a frame of rows ends: a row is never divided.
	frameBytes = 64 << 10
	// maxFrame bounds what a receiver takes for a frame.
	maxFrame = 1 << 30
)

// streamKinds are the kinds of rows, in the order of a stream.
const streamKinds = "HBINMTQ"

// frame is one frame's head.
type frame struct {
	kind         byte
	number, rows uint32
	length       uint32
}

// beginFrame makes room for a frame's head at the end of b.
func beginFrame(b []byte) []byte { return append(b, make([]byte, frameHeadLen)...) }

// endFrame completes the frame that was begun at b[at:].
func endFrame(b []byte, at int, kind byte, number, rows uint32) []byte {
	head, payload := b[at:at+frameHeadLen], b[at+frameHeadLen:]
	head[0] = kind
	binary.BigEndian.PutUint32(head[1:], number)
	binary.BigEndian.PutUint32(head[5:], rows)
	binary.BigEndian.PutUint32(head[9:], uint32(len(payload)))
	binary.BigEndian.PutUint32(head[13:], crc32.Checksum(head[:13], castagnoli))
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(payload, castagnoli))
}

// readFrameHead reads a head. b has at least frameHeadLen bytes.
func readFrameHead(b []byte) (frame, error) {
	if crc32.Checksum(b[:13], castagnoli) != binary.BigEndian.Uint32(b[13:]) {
		return frame{}, fmt.Errorf("the head of a frame is damaged")
	}
	f := frame{
		kind:   b[0],
		number: binary.BigEndian.Uint32(b[1:]),
		rows:   binary.BigEndian.Uint32(b[5:]),
		length: binary.BigEndian.Uint32(b[9:]),
	}
	if f.length > maxFrame {
		return frame{}, fmt.Errorf("a frame of %d bytes", f.length)
	}
	return f, nil
}

// checkPayload holds a payload against the checksum behind it.
func checkPayload(payload []byte, crc []byte) error {
	if crc32.Checksum(payload, castagnoli) != binary.BigEndian.Uint32(crc) {
		return fmt.Errorf("the payload of a frame is damaged")
	}
	return nil
}

// rowLen is the size of a row in a frame; key is the whole key.
func rowLen(key, value []byte) int {
	n := 1 + len(key) - spaceLen
	return uvarintLen(uint64(n)) + uvarintLen(uint64(len(value))) + n + len(value)
}

func uvarintLen(v uint64) int {
	n := 1
	for ; v >= 0x80; v >>= 7 {
		n++
	}
	return n
}

// appendRow appends a row; key is the whole key.
func appendRow(b, key, value []byte) []byte {
	b = binary.AppendUvarint(b, uint64(1+len(key)-spaceLen))
	b = binary.AppendUvarint(b, uint64(len(value)))
	b = append(b, key[0])
	b = append(b, key[spaceLen:]...)
	return append(b, value...)
}

// readRow reads the row at the beginning of b. key is kind and what is behind sh
// and g.
func readRow(b []byte) (key, value, rest []byte, err error) {
	n, used := binary.Uvarint(b)
	if used <= 0 {
		return nil, nil, nil, fmt.Errorf("a row is cut off")
	}
	b = b[used:]
	m, used := binary.Uvarint(b)
	if used <= 0 {
		return nil, nil, nil, fmt.Errorf("a row is cut off")
	}
	b = b[used:]
	if n == 0 || n > uint64(len(b)) || m > uint64(len(b))-n {
		return nil, nil, nil, fmt.Errorf("a row of %d and %d bytes in %d", n, m, len(b))
	}
	return b[:n], b[n : n+m], b[n+m:], nil
}

// rowTotals is what the end of a stream says.
type rowTotals struct{ rows, bytes uint64 }

func (t *rowTotals) add(size int) {
	t.rows++
	t.bytes += uint64(size)
}

func (t *rowTotals) append(b []byte) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(b, t.rows), t.bytes)
}
