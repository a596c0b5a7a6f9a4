package sim

import (
	"encoding/binary"
	"errors"
	"hash/crc32"

	"entrepot/broker/sim/history"
)

// A body says whose it is. Big-endian:
//
//	offset  size  field
//	     0     4  producer
//	     4     8  n
//	    12     n  filling, a pattern of the id
//	    -4     4  CRC-32 (IEEE) of all before it
func encodeBody(id history.ID, filling int) []byte {
	b := binary.BigEndian.AppendUint32(nil, id.Producer)
	b = binary.BigEndian.AppendUint64(b, id.N)
	for i := range filling {
		b = append(b, byte(i)^byte(id.N))
	}
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
}

var errBody = errors.New("the body is not one of ours, or was changed")

func decodeBody(b []byte) (id history.ID, err error) {
	if len(b) < 16 {
		return id, errBody
	}
	data, sum := b[:len(b)-4], binary.BigEndian.Uint32(b[len(b)-4:])
	if crc32.ChecksumIEEE(data) != sum {
		return id, errBody
	}
	return history.ID{Producer: binary.BigEndian.Uint32(b), N: binary.BigEndian.Uint64(b[4:])}, nil
}
