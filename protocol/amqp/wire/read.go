package wire

import (
	"math"
	"unicode/utf8"
)

// Each of these reads one value of its type [amqp-types 1.6].

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
