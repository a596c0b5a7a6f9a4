package wire

import (
	"encoding/binary"
	"fmt"
)

// Limits on what is read.
const (
	// MaxDepth is how deep lists, maps, arrays and descriptors may nest.
	MaxDepth = 32
	// MaxEmptyElements is how many array elements without bytes a Reader makes Go
	// values of in all: nine bytes can announce four billion.
	MaxEmptyElements = 1024
)

// Reader reads values one after the other. It accepts every encoding of a type,
// and null only where a function says so. Errors are *DecodeError; after one, the
// position is undefined.
type Reader struct {
	buf []byte
	// off is the next byte. Invariant: off <= len(buf).
	off int
	// depth is the nesting of the value that is being read.
	depth int
	// room is how many elements may still be announced, see announce.
	room int
	// empties counts array elements without bytes, see MaxEmptyElements.
	empties int
	// err is the error of the composite that is being read, see fieldReader.
	err error
}

// NewReader returns a reader of p.
func NewReader(p []byte) Reader { return Reader{buf: p, room: len(p)} }

// Len returns how many bytes are left.
func (r *Reader) Len() int { return len(r.buf) - r.off }

// Offset returns how many bytes have been read.
func (r *Reader) Offset() int { return r.off }

// Rest returns what is left, a transfer's payload for one. It aliases the input.
func (r *Reader) Rest() []byte { return r.buf[r.off:] }

var errTruncated = decodeError("the value is cut off")

// code reads a format code.
func (r *Reader) code() (byte, error) {
	if r.off >= len(r.buf) {
		return 0, errTruncated
	}
	c := r.buf[r.off]
	r.off++
	return c, nil
}

// take reads n bytes, which alias the input.
func (r *Reader) take(n int) ([]byte, error) {
	if n > r.Len() {
		return nil, errTruncated
	}
	p := r.buf[r.off : r.off+n : r.off+n]
	r.off += n
	return p, nil
}

// number reads the big-endian number behind the fixed format code c, of at most 8
// bytes.
func (r *Reader) number(c byte) (uint64, error) {
	p := r.buf[r.off:]
	switch c >> 4 {
	case 0x4:
		return 0, nil
	case 0x5:
		if len(p) >= 1 {
			r.off++
			return uint64(p[0]), nil
		}
	case 0x6:
		if len(p) >= 2 {
			r.off += 2
			return uint64(binary.BigEndian.Uint16(p)), nil
		}
	case 0x7:
		if len(p) >= 4 {
			r.off += 4
			return uint64(binary.BigEndian.Uint32(p)), nil
		}
	case 0x8:
		if len(p) >= 8 {
			r.off += 8
			return binary.BigEndian.Uint64(p), nil
		}
	}
	return 0, errTruncated
}

// typed reads a format code and holds it against the type that is wanted.
func (r *Reader) typed(want Type) (byte, error) {
	c, err := r.code()
	if err != nil {
		return 0, err
	}
	if typeOf[c] != want {
		return 0, wrongType(want, c)
	}
	return c, nil
}

func wrongType(want Type, c byte) error {
	got := fmt.Sprintf("the unknown format code 0x%02x", c)
	if c == codeDescribed {
		got = "a described value"
	} else if t := typeOf[c]; t != 0 {
		got = t.String()
	}
	return decodeError("want " + want.String() + ", got " + got)
}

// fixed reads a value of a fixed numeric type.
func (r *Reader) fixed(want Type) (uint64, error) {
	c, err := r.typed(want)
	if err != nil {
		return 0, err
	}
	return r.number(c)
}

// sized reads the size and the bytes of a variable value with format code c. They
// alias the input.
func (r *Reader) sized(c byte) ([]byte, error) {
	if !isWide(c) {
		if r.off >= len(r.buf) {
			return nil, errTruncated
		}
		n := int(r.buf[r.off])
		r.off++
		return r.take(n)
	}
	p, err := r.take(4)
	if err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(p)
	if uint64(n) > uint64(r.Len()) {
		return nil, errTruncated
	}
	return r.take(int(n))
}

// TryNull steps over null, if that is what follows, and reports whether it was.
func (r *Reader) TryNull() bool {
	if r.off < len(r.buf) && r.buf[r.off] == codeNull {
		r.off++
		return true
	}
	return false
}
