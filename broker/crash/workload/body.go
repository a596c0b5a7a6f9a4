package workload

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"

	"entrepot/broker/crash/oracle"
)

// A body says whose it is, so that a message is known by what it carries and
// not by an annotation that the broker handles. Big-endian:
//
//	offset  size  field
//	     0     4  magic "ENTC"
//	     4     4  producer
//	     8     8  n, from 1
//	    16     4  size of the whole body
//	    20     -  filler: pseudo-random, seeded with producer and n
//	  last     4  CRC-32C of all before
const (
	bodyMagic  = "ENTC"
	bodyHeader = 20
	minBody    = bodyHeader + 4
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// encodeBody makes the body of a message. REQUIRES: size >= minBody.
func encodeBody(id oracle.ID, size int) []byte {
	b := make([]byte, size)
	copy(b, bodyMagic)
	binary.BigEndian.PutUint32(b[4:], id.Producer)
	binary.BigEndian.PutUint64(b[8:], id.N)
	binary.BigEndian.PutUint32(b[16:], uint32(size))
	filler := rand.NewPCG(uint64(id.Producer), id.N)
	rest := b[bodyHeader : size-4]
	for len(rest) >= 8 {
		binary.LittleEndian.PutUint64(rest, filler.Uint64())
		rest = rest[8:]
	}
	binary.BigEndian.PutUint32(b[size-4:], crc32.Checksum(b[:size-4], castagnoli))
	return b
}

// decodeBody says whose body it is; an error means that nobody sent it so.
func decodeBody(b []byte) (oracle.ID, error) {
	if len(b) < minBody || string(b[:4]) != bodyMagic {
		return oracle.ID{}, fmt.Errorf("a body of %d bytes that is none of ours", len(b))
	}
	if want := binary.BigEndian.Uint32(b[16:]); int(want) != len(b) {
		return oracle.ID{}, fmt.Errorf("a body of %d bytes was sent with %d", len(b), want)
	}
	if crc32.Checksum(b[:len(b)-4], castagnoli) != binary.BigEndian.Uint32(b[len(b)-4:]) {
		return oracle.ID{}, errors.New("the checksum of the body is wrong")
	}
	return oracle.ID{Producer: binary.BigEndian.Uint32(b[4:]), N: binary.BigEndian.Uint64(b[8:])}, nil
}
