package load

import (
	"encoding/binary"
	"math/rand/v2"
)

// StampSize is the least size of a message's body:
//
//	offset  size  what
//	0       8     stamp: Now() at (intended) sending, big-endian
//	8       n-8   by BodyKind
const StampSize = 8

// BodyKind is what bodies are made of after the stamp.
type BodyKind int

const (
	// RandomBody is random bytes, so that no broker gains by compressing.
	RandomBody BodyKind = iota
	// TelemetryBody is what a device reports, as JSON: see appendTelemetry.
	TelemetryBody
)

// Filler hands out what follows the stamp without making any.
type Filler struct {
	pool []byte
	size int
	step int // from one place in the pool to the next
	span int // places where one may start
	next int
}

// NewFiller makes a filler for bodies of size bytes in all, stamp included.
func NewFiller(size int, kind BodyKind) *Filler {
	size = max(size-StampSize, 0)
	source := rand.NewChaCha8([32]byte{'b', 'e', 'n', 'c', 'h'})
	if kind == TelemetryBody {
		return telemetryFiller(size, rand.New(source))
	}
	const (
		span = 1 << 20
		step = 4099 // a prime, so that neighbours share little and every place has its turn
	)
	pool := make([]byte, span+size)
	_, _ = source.Read(pool) // never fails
	return &Filler{pool: pool, size: size, step: step, span: span}
}

// telemetryFiller has some thousand documents in a row.
func telemetryFiller(size int, random *rand.Rand) *Filler {
	const documents = 4096
	f := &Filler{size: size, step: size, span: max(size, 1) * documents}
	for i := range documents {
		f.pool = appendTelemetry(f.pool, size, i, random)
	}
	return f
}

// Next is what follows the stamp in the next body. It is shared: read only.
func (f *Filler) Next() []byte {
	from := f.next
	f.next = (f.next + f.step) % f.span
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
