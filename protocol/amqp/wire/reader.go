package wire

import (
	"encoding/binary"
	"fmt"
	"math"
	"unicode/utf8"
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

// TryNull steps over null, if that is what follows, and reports whether it was.
func (r *Reader) TryNull() bool {
	if r.off < len(r.buf) && r.buf[r.off] == codeNull {
		r.off++
		return true
	}
	return false
}

// ReadBoolean reads a boolean.
func (r *Reader) ReadBoolean() (bool, error) {
	c, err := r.typed(TypeBoolean)
	if err != nil {
		return false, err
	}
	return r.boolean(c)
}

func (r *Reader) boolean(c byte) (bool, error) {
	if c != codeBoolean {
		return c == codeTrue, nil
	}
	n, err := r.number(c)
	if n > 1 {
		return false, decodeError("a boolean is neither 0x00 nor 0x01")
	}
	return n == 1, err
}

// ReadUbyte reads a ubyte.
func (r *Reader) ReadUbyte() (uint8, error) {
	n, err := r.fixed(TypeUbyte)
	return uint8(n), err
}

// ReadUshort reads a ushort.
func (r *Reader) ReadUshort() (uint16, error) {
	n, err := r.fixed(TypeUshort)
	return uint16(n), err
}

// ReadUint reads a uint.
func (r *Reader) ReadUint() (uint32, error) {
	n, err := r.fixed(TypeUint)
	return uint32(n), err
}

// ReadUlong reads a ulong.
func (r *Reader) ReadUlong() (uint64, error) { return r.fixed(TypeUlong) }

// ReadSignedByte reads a byte, which AMQP has signed.
func (r *Reader) ReadSignedByte() (int8, error) {
	n, err := r.fixed(TypeSignedByte)
	return int8(n), err
}

// ReadShort reads a short.
func (r *Reader) ReadShort() (int16, error) {
	n, err := r.fixed(TypeShort)
	return int16(n), err
}

// ReadInt reads an int.
func (r *Reader) ReadInt() (int32, error) {
	c, err := r.typed(TypeInt)
	if err != nil {
		return 0, err
	}
	n, err := r.signed(c, codeSmallInt)
	return int32(n), err
}

// ReadLong reads a long.
func (r *Reader) ReadLong() (int64, error) {
	c, err := r.typed(TypeLong)
	if err != nil {
		return 0, err
	}
	return r.signed(c, codeSmallLong)
}

// signed reads an int or a long, of which small is the form of one signed byte.
func (r *Reader) signed(c, small byte) (int64, error) {
	n, err := r.number(c)
	if c == small {
		return int64(int8(n)), err
	}
	return int64(n), err
}

// ReadFloat reads a float.
func (r *Reader) ReadFloat() (float32, error) {
	n, err := r.fixed(TypeFloat)
	return math.Float32frombits(uint32(n)), err
}

// ReadDouble reads a double.
func (r *Reader) ReadDouble() (float64, error) {
	n, err := r.fixed(TypeDouble)
	return math.Float64frombits(n), err
}

// ReadChar reads a char.
func (r *Reader) ReadChar() (Char, error) {
	c, err := r.typed(TypeChar)
	if err != nil {
		return 0, err
	}
	return r.char(c)
}

func (r *Reader) char(c byte) (Char, error) {
	n, err := r.number(c)
	if err == nil && (n > utf8.MaxRune || !utf8.ValidRune(rune(n))) {
		return 0, decodeError("a char is no code point")
	}
	return Char(n), err
}

// ReadTimestamp reads a timestamp.
func (r *Reader) ReadTimestamp() (Timestamp, error) {
	n, err := r.fixed(TypeTimestamp)
	return Timestamp(n), err
}

// ReadUUID reads a uuid.
func (r *Reader) ReadUUID() (v UUID, err error) {
	if _, err = r.typed(TypeUUID); err != nil {
		return v, err
	}
	p, err := r.take(len(v))
	copy(v[:], p)
	return v, err
}

// ReadBinary reads a binary, which aliases the input and is not nil.
func (r *Reader) ReadBinary() ([]byte, error) {
	c, err := r.typed(TypeBinary)
	if err != nil {
		return nil, err
	}
	return r.sized(c)
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

// ReadString reads a string, which has its own memory.
func (r *Reader) ReadString() (string, error) {
	p, err := r.ReadStringBytes()
	return string(p), err
}

// ReadStringBytes reads a string, which aliases the input.
func (r *Reader) ReadStringBytes() ([]byte, error) {
	c, err := r.typed(TypeString)
	if err != nil {
		return nil, err
	}
	return r.stringBytes(c)
}

func (r *Reader) stringBytes(c byte) ([]byte, error) {
	p, err := r.sized(c)
	if err == nil && !utf8.Valid(p) {
		return nil, decodeError("a string is not valid UTF-8")
	}
	return p, err
}

// ReadSymbol reads a symbol. It allocates only for symbols that are not in the
// specification.
func (r *Reader) ReadSymbol() (Symbol, error) {
	p, err := r.ReadSymbolBytes()
	return internSymbol(p), err
}

// ReadSymbolBytes reads a symbol, which aliases the input.
func (r *Reader) ReadSymbolBytes() ([]byte, error) {
	c, err := r.typed(TypeSymbol)
	if err != nil {
		return nil, err
	}
	return r.symbolBytes(c)
}

func (r *Reader) symbolBytes(c byte) ([]byte, error) {
	p, err := r.sized(c)
	for _, ch := range p {
		if ch >= utf8.RuneSelf {
			return nil, decodeError("a symbol is not ASCII")
		}
	}
	return p, err
}
