package queue

import (
	"encoding/binary"
	"fmt"
	"math"
)

// decoder reads fixed and variable numbers from p, from off on. The first
// failure stays: later reads give zero, and done reports it. That keeps the
// format's code as flat as its drawing.
type decoder struct {
	p    []byte
	off  int
	what string // names the thing being read in errors
	err  error
}

func (d *decoder) fail(format string, args ...any) {
	if d.err == nil {
		d.err = &FormatError{Offset: d.off, What: d.what + ": " + fmt.Sprintf(format, args...)}
	}
}

// bytes takes the next n bytes; they alias the input.
func (d *decoder) bytes(field string, n int) []byte {
	if d.err != nil {
		return nil
	}
	if len(d.p)-d.off < n {
		d.fail("cut off in %s", field)
		return nil
	}
	b := d.p[d.off : d.off+n : d.off+n]
	d.off += n
	return b
}

// rest takes what is left.
func (d *decoder) rest() []byte {
	return d.bytes("rest", len(d.p)-d.off)
}

func (d *decoder) u8(field string) uint8 {
	if b := d.bytes(field, 1); b != nil {
		return b[0]
	}
	return 0
}

func (d *decoder) u16(field string) uint16 {
	if b := d.bytes(field, 2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (d *decoder) u32(field string) uint32 {
	if b := d.bytes(field, 4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (d *decoder) u64(field string) uint64 {
	if b := d.bytes(field, 8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

func (d *decoder) uvarint(field string) uint64 {
	if d.err != nil {
		return 0
	}
	v, n := binary.Uvarint(d.p[d.off:])
	if n <= 0 {
		d.fail("cut off or too long in %s", field)
		return 0
	}
	d.off += n
	return v
}

// uvarint32 reads a number that must fit into 32 bits.
func (d *decoder) uvarint32(field string) uint32 {
	v := d.uvarint(field)
	if v > math.MaxUint32 {
		d.fail("%s %d is out of range", field, v)
		return 0
	}
	return uint32(v)
}

// done gives the first failure; bytes left over are one.
func (d *decoder) done() error {
	if d.err == nil && d.off != len(d.p) {
		d.fail("%d bytes too many", len(d.p)-d.off)
	}
	return d.err
}
