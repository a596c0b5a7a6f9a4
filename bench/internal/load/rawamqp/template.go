package rawamqp

import (
	"encoding/binary"
	"time"

	"entrepot/bench/internal/load"
)

// template is the head of every message of a sender, of which only two numbers
// change:
//
//	00 53 70 c0 02 01 41              header: a list of one field, durable = true
//	00 53 73 c0 12 09 40 x 8 83 T     properties, only with deadlines: message-id to
//	                                  content-encoding null, absolute-expiry-time T
//	                                  (8 bytes, milliseconds since 1970)
//	00 53 75 b0 L                     data: a vbin32 of L bytes (4 bytes)
//	S                                 the body's first 8 bytes: the stamp
//
// The rest of the body follows from a load.Filler.
type template struct {
	bytes      []byte
	deadline   func(i int) time.Time
	deadlineAt int // offset of T; 0: none
}

func newTemplate(order load.Sending) *template {
	t := &template{deadline: order.Deadline}
	t.bytes = append(t.bytes, 0x00, 0x53, 0x70, 0xc0, 0x02, 0x01, 0x41)
	if t.deadline != nil {
		t.bytes = append(t.bytes, 0x00, 0x53, 0x73, 0xc0, 0x12, 0x09,
			0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x83)
		t.deadlineAt = len(t.bytes)
		t.bytes = append(t.bytes, make([]byte, 8)...)
	}
	t.bytes = append(t.bytes, 0x00, 0x53, 0x75, 0xb0)
	t.bytes = binary.BigEndian.AppendUint32(t.bytes, uint32(order.Size))
	t.bytes = append(t.bytes, make([]byte, load.StampSize)...)
	return t
}

// head is message i's head; it is valid until the next call.
func (t *template) head(i int, stamp int64) []byte {
	if t.deadlineAt > 0 {
		binary.BigEndian.PutUint64(t.bytes[t.deadlineAt:], uint64(t.deadline(i).UnixMilli()))
	}
	load.PutStamp(t.bytes[len(t.bytes)-load.StampSize:], stamp)
	return t.bytes
}
