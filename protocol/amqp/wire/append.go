package wire

import (
	"encoding/binary"
	"math"
)

// Each of these appends one value in its smallest encoding [amqp-types 1.6].

// AppendNull appends null.
func AppendNull(b []byte) []byte { return append(b, codeNull) }

// AppendBoolean appends a boolean.
func AppendBoolean(b []byte, v bool) []byte {
	if v {
		return append(b, codeTrue)
	}
	return append(b, codeFalse)
}

// AppendUbyte appends a ubyte.
func AppendUbyte(b []byte, v uint8) []byte { return append(b, codeUbyte, v) }

// AppendUshort appends a ushort.
func AppendUshort(b []byte, v uint16) []byte {
	return append(b, codeUshort, byte(v>>8), byte(v))
}

// AppendUint appends a uint.
func AppendUint(b []byte, v uint32) []byte {
	switch {
	case v == 0:
		return append(b, codeUint0)
	case v <= math.MaxUint8:
		return append(b, codeSmallUint, byte(v))
	}
	return binary.BigEndian.AppendUint32(append(b, codeUint), v)
}

// AppendUlong appends a ulong.
func AppendUlong(b []byte, v uint64) []byte {
	switch {
	case v == 0:
		return append(b, codeUlong0)
	case v <= math.MaxUint8:
		return append(b, codeSmallUlong, byte(v))
	}
	return binary.BigEndian.AppendUint64(append(b, codeUlong), v)
}

// AppendSignedByte appends a byte, which AMQP has signed.
func AppendSignedByte(b []byte, v int8) []byte { return append(b, codeByte, byte(v)) }

// AppendShort appends a short.
func AppendShort(b []byte, v int16) []byte {
	return binary.BigEndian.AppendUint16(append(b, codeShort), uint16(v))
}

// AppendInt appends an int.
func AppendInt(b []byte, v int32) []byte {
	if v == int32(int8(v)) {
		return append(b, codeSmallInt, byte(v))
	}
	return binary.BigEndian.AppendUint32(append(b, codeInt), uint32(v))
}

// AppendLong appends a long.
func AppendLong(b []byte, v int64) []byte {
	if v == int64(int8(v)) {
		return append(b, codeSmallLong, byte(v))
	}
	return binary.BigEndian.AppendUint64(append(b, codeLong), uint64(v))
}

// AppendFloat appends a float.
func AppendFloat(b []byte, v float32) []byte {
	return binary.BigEndian.AppendUint32(append(b, codeFloat), math.Float32bits(v))
}

// AppendDouble appends a double.
func AppendDouble(b []byte, v float64) []byte {
	return binary.BigEndian.AppendUint64(append(b, codeDouble), math.Float64bits(v))
}

// AppendChar appends a char.
func AppendChar(b []byte, v Char) []byte {
	return binary.BigEndian.AppendUint32(append(b, codeChar), uint32(v))
}

// AppendTimestamp appends a timestamp.
func AppendTimestamp(b []byte, v Timestamp) []byte {
	return binary.BigEndian.AppendUint64(append(b, codeTimestamp), uint64(v))
}

// AppendUUID appends a uuid.
func AppendUUID(b []byte, v UUID) []byte { return append(append(b, codeUUID), v[:]...) }

// AppendBinary appends a binary; nil is one of no bytes, not null.
func AppendBinary(b []byte, v []byte) []byte {
	return append(appendSize(b, codeBinary8, len(v)), v...)
}

// AppendString appends a string. REQUIRES: v is valid UTF-8.
func AppendString(b []byte, v string) []byte {
	return append(appendSize(b, codeString8, len(v)), v...)
}

// AppendSymbol appends a symbol. REQUIRES: v is ASCII.
func AppendSymbol(b []byte, v Symbol) []byte {
	return append(appendSize(b, codeSymbol8, len(v)), v...)
}

// AppendDescriptor appends the beginning of a described value: its descriptor.
func AppendDescriptor(b []byte, d Descriptor) []byte {
	return AppendUlong(append(b, codeDescribed), uint64(d))
}

// appendSize appends the format code of a variable type, of which short is the
// one-byte form, and the size.
func appendSize(b []byte, short byte, size int) []byte {
	if size <= math.MaxUint8 {
		return append(b, short, byte(size))
	}
	return binary.BigEndian.AppendUint32(append(b, short|0x10), uint32(size))
}

// openCompound appends room for code, size and count of a list, map or array in
// its short form; the elements are appended behind it, then closeCompound.
func openCompound(b []byte) []byte { return append(b, 0, 0, 0) }

// closeCompound fills in what openCompound left open at start. Where the short
// form is too small, the elements make room for the long one, which is rare and
// costs less than counting first.
func closeCompound(b []byte, start int, short byte, count int) []byte {
	size := len(b) - start - 2
	if size <= math.MaxUint8 && count <= math.MaxUint8 {
		b[start], b[start+1], b[start+2] = short, byte(size), byte(count)
		return b
	}
	end := len(b)
	b = append(b, 0, 0, 0, 0, 0, 0)
	copy(b[start+9:], b[start+3:end])
	b[start] = short | 0x10
	binary.BigEndian.PutUint32(b[start+1:], uint32(size+3))
	binary.BigEndian.PutUint32(b[start+5:], uint32(count))
	return b
}
