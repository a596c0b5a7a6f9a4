package wire

import "encoding/binary"

// A frame [amqp-transport 2.3.1]:
//
//	  byte 0       1       2       3       4       5       6       7
//	+-------+-------+-------+-------+-------+-------+-------+-------+
//	|             size              | doff  | type  |    channel    |
//	+-------+-------+-------+-------+-------+-------+-------+-------+
//	| extended header: 4*doff - 8 bytes, ignored                    |
//	+---------------------------------------------------------------+
//	| body: size - 4*doff bytes: a performative, and its payload    |
//	+---------------------------------------------------------------+
//
// size counts all of it. A SASL frame has no channel; what stands there is ignored.

// FrameHeaderSize is the size of the fixed part of a frame's header, and so of the
// smallest frame, in bytes.
const FrameHeaderSize = 8

// minDataOffset is FrameHeaderSize in words of 4 bytes.
const minDataOffset = FrameHeaderSize / 4

// FrameType tells the layers apart.
type FrameType uint8

// The types of frames.
const (
	FrameAMQP FrameType = 0
	FrameSASL FrameType = 1
)

// FrameHeader is the fixed part of a frame's header.
type FrameHeader struct {
	// Size is that of the whole frame, in bytes.
	Size uint32
	// DataOffset is where the body begins, in words of 4 bytes.
	DataOffset uint8
	Type       FrameType
	// Channel is that of an AMQP frame.
	Channel uint16
}

// ParseFrameHeader reads the header of a frame that may have maxSize bytes.
// REQUIRES: len(p) >= FrameHeaderSize. Errors are framing errors, after which the
// stream can't be followed any more.
func ParseFrameHeader(p []byte, maxSize uint32) (FrameHeader, error) {
	h := FrameHeader{
		Size:       binary.BigEndian.Uint32(p),
		DataOffset: p[4],
		Type:       FrameType(p[5]),
		Channel:    binary.BigEndian.Uint16(p[6:]),
	}
	switch {
	// [amqp-transport 2.3.1] "The frame is malformed if the size is less than the
	// size of the frame header (8 bytes)."
	case h.Size < FrameHeaderSize:
		return h, framingError("size", "a frame is smaller than its header")
	// [amqp-transport 2.3.1] "Due to the mandatory 8-byte frame header, the frame
	// is malformed if the value is less than 2."
	case h.DataOffset < minDataOffset:
		return h, framingError("doff", "the body begins inside of the frame header")
	case uint32(h.DataOffset)*4 > h.Size:
		return h, framingError("doff", "the body begins behind the end of the frame")
	case h.Size > maxSize:
		return h, framingError("size", "a frame is larger than the max-frame-size")
	case h.Type != FrameAMQP && h.Type != FrameSASL:
		return h, framingError("type", "the type of a frame is unknown")
	}
	return h, nil
}

// Body returns the body of the frame p. REQUIRES: len(p) >= h.Size. It aliases p.
func (h FrameHeader) Body(p []byte) []byte {
	return p[uint32(h.DataOffset)*4 : h.Size : h.Size]
}

// BeginFrame appends a frame's header. The body follows, and then EndFrame, which
// wants len(b) of before.
func BeginFrame(b []byte, t FrameType, channel uint16) []byte {
	return append(b, 0, 0, 0, 0, minDataOffset, byte(t), byte(channel>>8), byte(channel))
}

// EndFrame fills in the size of the frame that begins at start and ends with b.
func EndFrame(b []byte, start int) {
	binary.BigEndian.PutUint32(b[start:], uint32(len(b)-start))
}

// AppendEmptyFrame appends a frame without a body, which only shows that we live
// [amqp-transport 2.4.5].
func AppendEmptyFrame(b []byte) []byte {
	return append(b, 0, 0, 0, FrameHeaderSize, minDataOffset, byte(FrameAMQP), 0, 0)
}

func framingError(field, reason string) error {
	return &DecodeError{Condition: CondFramingError, Composite: "frame", Field: field, Reason: reason}
}
