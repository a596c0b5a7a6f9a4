package mesh

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// Everything after the handshake is frames. A message is one frame, or several of the
// same class in a row with frames of other classes between them, so that an urgent
// message waits for one part of a large one at most.
//
//	 0      1         2       3       4           8          12         16         20
//	┌──────┬─────────┬───────┬───────┬───────────┬──────────┬──────────┬──────────┬───────
//	│ kind │ channel │ class │ flags │ total u32 │ part u32 │ body crc │ head crc │ part bytes
//	└──────┴─────────┴───────┴───────┴───────────┴──────────┴──────────┴──────────┴───────
//
// Integers are big-endian. total is the size of the whole message, part that of this
// frame's bytes. Both checks are CRC-32C: of the part, and of the 16 bytes before it,
// so that no length is believed that was damaged on the way.
const (
	headerBytes = 20
	// maxPart holds a pack of 256 KiB with what Raft says about it.
	maxPart = 288 << 10
	// MaxMessage is the largest message, request or answer, in bytes.
	MaxMessage = 256 << 20
	// flagFirst marks the frame that begins a message.
	flagFirst = 1
)

// kind is what a frame is for; layouts of the bodies stand where they are made.
type kind uint8

const (
	kindMessage kind = iota + 1
	kindPing
	kindPong
	kindCall
	kindCancel
	kindAnswer
	kindStream
	kindStreamData
	kindStreamEnd
	kindStreamAbort
	kindStreamCredit
)

// class is the priority of a message.
type class uint8

const (
	urgent class = iota
	normal
	bulk    // streams
	classes // how many there are
)

// header is a frame's header without its own check.
type header struct {
	kind    kind
	channel Channel
	class   class
	first   bool
	total   int
	part    int
	check   uint32 // of the part
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(check uint32, b []byte) uint32 { return crc32.Update(check, castagnoli, b) }

// put writes the header into the first headerBytes of b.
func (h *header) put(b []byte) {
	b[0], b[1], b[2], b[3] = byte(h.kind), byte(h.channel), byte(h.class), 0
	if h.first {
		b[3] = flagFirst
	}
	binary.BigEndian.PutUint32(b[4:], uint32(h.total))
	binary.BigEndian.PutUint32(b[8:], uint32(h.part))
	binary.BigEndian.PutUint32(b[12:], h.check)
	binary.BigEndian.PutUint32(b[16:], checksum(0, b[:16]))
}

// errFrame: what came is not what a mesh writes, or it was damaged on the way.
var errFrame = errors.New("bad frame")

// readHeader reads and checks the first headerBytes of b.
func readHeader(b []byte) (h header, err error) {
	if binary.BigEndian.Uint32(b[16:]) != checksum(0, b[:16]) {
		return h, fmt.Errorf("%w: the header's check is wrong", errFrame)
	}
	h = header{
		kind: kind(b[0]), channel: Channel(b[1]), class: class(b[2]), first: b[3]&flagFirst != 0,
		total: int(binary.BigEndian.Uint32(b[4:])), part: int(binary.BigEndian.Uint32(b[8:])),
		check: binary.BigEndian.Uint32(b[12:]),
	}
	switch {
	case h.kind == 0 || h.class >= classes:
		return h, fmt.Errorf("%w: kind %d, class %d", errFrame, h.kind, h.class)
	case h.total > MaxMessage || h.part > maxPart || h.part > h.total:
		return h, fmt.Errorf("%w: %d of %d bytes", errFrame, h.part, h.total)
	case h.part == 0 && h.total != 0:
		return h, fmt.Errorf("%w: an empty part", errFrame)
	}
	return h, nil
}
