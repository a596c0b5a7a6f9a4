package corpus

import (
	"encoding/binary"
	"errors"
)

var errTorn = errors.New("corpus: a section at the head of the message is torn")

// Kept is the part of a message that a broker must not touch: all but the
// header, which it rewrites, and the delivery-annotations, which are for the
// next hop only [amqp-messaging 3.2]. The result aliases msg.
func Kept(msg []byte) ([]byte, error) {
	for _, descriptor := range []byte{0x70, 0x71} {
		if len(msg) < 3 || msg[0] != 0x00 || msg[1] != 0x53 || msg[2] != descriptor {
			continue
		}
		n, err := compoundSize(msg[3:])
		if err != nil {
			return nil, err
		}
		msg = msg[3+n:]
	}
	return msg, nil
}

// compoundSize is the whole size of an encoded list or map.
func compoundSize(b []byte) (int, error) {
	n := 0
	switch {
	case len(b) >= 1 && b[0] == 0x45:
		n = 1
	case len(b) >= 2 && (b[0] == 0xc0 || b[0] == 0xc1):
		n = 2 + int(b[1])
	case len(b) >= 5 && (b[0] == 0xd0 || b[0] == 0xd1):
		n = 5 + int(binary.BigEndian.Uint32(b[1:]))
	}
	if n == 0 || n > len(b) {
		return 0, errTorn
	}
	return n, nil
}
