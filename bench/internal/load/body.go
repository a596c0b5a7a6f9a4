package load

import (
	"encoding/binary"
	"math/rand/v2"
)

// StampSize is the least size of a message's body:
//
//	offset  size  what
//	0       8     stamp: Now() at (intended) sending, big-endian
//	8       n-8   random bytes, so that no broker gains by compressing
const StampSize = 8

// Filler hands out random bytes without making any: windows into one pool that
// start at ever other places.
type Filler struct {
	pool []byte
	size int
	next int
}

const (
	fillerSpan = 1 << 20 // places where a window may start
	fillerStep = 4099    // a prime, so that neighbours share little and every place has its turn
)

// NewFiller makes a filler for bodies of size bytes in all, stamp included.
func NewFiller(size int) *Filler {
	size = max(size-StampSize, 0)
	pool := make([]byte, fillerSpan+size)
	source := rand.NewChaCha8([32]byte{'b', 'e', 'n', 'c', 'h'})
	_, _ = source.Read(pool) // never fails
	return &Filler{pool: pool, size: size}
}

// Next is what follows the stamp in the next body. It is shared: read only.
func (f *Filler) Next() []byte {
	from := f.next
	f.next = (f.next + fillerStep) % fillerSpan
	return f.pool[from : from+f.size]
}

// PutStamp writes stamp at the start of a body.
func PutStamp(body []byte, stamp int64) { binary.BigEndian.PutUint64(body, uint64(stamp)) }

// Stamp reads a body's stamp; false if the body is too short to have one.
func Stamp(body []byte) (int64, bool) {
	if len(body) < StampSize {
		return 0, false
	}
	return int64(binary.BigEndian.Uint64(body)), true
}
