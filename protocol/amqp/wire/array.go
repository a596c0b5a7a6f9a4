package wire

import (
	"encoding/binary"
	"fmt"
	"math"
)

// array reads the constructor and the elements of an array [amqp-types 1.6.24]:
//
//	+-------------------------+-----+-----------+-----------+--
//	| 0x00 descriptor (0..n)  | code| element 1 | element 2 | ...
//	+-------------------------+-----+-----------+-----------+--
func (r *Reader) array(count int) (Array, error) {
	var a Array
	c, err := r.code()
	for err == nil && c == codeDescribed {
		if len(a.Descriptors) == MaxDepth {
			return Array{}, errTooDeep
		}
		var d any
		if d, err = r.ReadAny(); err == nil {
			a.Descriptors = append(a.Descriptors, d)
			c, err = r.code()
		}
	}
	if err != nil {
		return Array{}, err
	}
	if a.Type = typeOf[c]; a.Type == 0 {
		return Array{}, unknownCode(c)
	}
	if err := r.admit(c, count); err != nil {
		return Array{}, err
	}
	a.Values = make([]any, 0, count)
	for range count {
		v, err := r.untyped(c)
		if err != nil {
			return Array{}, err
		}
		a.Values = append(a.Values, v)
	}
	return a, nil
}

// admit holds the announced count of elements with format code c against the
// bytes that are there, or, where they have none, against MaxEmptyElements.
func (r *Reader) admit(c byte, count int) error {
	width, fixed := fixedWidth(c)
	if !fixed {
		width = 1
	}
	if width > 0 {
		if count > r.Len()/width {
			return decodeError("the count is more than the size holds")
		}
		return r.announce(count)
	}
	if count > MaxEmptyElements-r.empties {
		return decodeError("an array has too many elements without bytes")
	}
	r.empties += count
	return nil
}

// arrayCodes are the format codes of elements: the one that holds every value of
// the type.
var arrayCodes = [...]byte{
	TypeNull: codeNull, TypeBoolean: codeBoolean, TypeUbyte: codeUbyte, TypeUshort: codeUshort,
	TypeUint: codeUint, TypeUlong: codeUlong, TypeSignedByte: codeByte, TypeShort: codeShort,
	TypeInt: codeInt, TypeLong: codeLong, TypeFloat: codeFloat, TypeDouble: codeDouble,
	TypeDecimal32: codeDecimal32, TypeDecimal64: codeDecimal64, TypeDecimal128: codeDecimal128,
	TypeChar: codeChar, TypeTimestamp: codeTimestamp, TypeUUID: codeUUID,
	TypeBinary: codeBinary32, TypeString: codeString32, TypeSymbol: codeSymbol32,
	TypeList: codeList32, TypeMap: codeMap32, TypeArray: codeArray32,
}

// appendArray panics if a value's Go type is not that of a.Type: the caller's bug.
func appendArray(b []byte, a Array) []byte {
	if a.Type == 0 || int(a.Type) >= len(arrayCodes) {
		panic(fmt.Sprintf("wire: an array of %v", a.Type))
	}
	start := len(b)
	b = openCompound(b)
	for _, d := range a.Descriptors {
		b = AppendAny(append(b, codeDescribed), d)
	}
	c := a.elementCode()
	b = append(b, c)
	for _, v := range a.Values {
		if typeOfGo(v) != a.Type {
			panic(fmt.Sprintf("wire: %T in an array of %v", v, a.Type))
		}
		b = appendUntyped(b, c, v)
	}
	return closeCompound(b, start, codeArray8, len(a.Values))
}

// elementCode returns the smallest format code that holds all elements.
func (a *Array) elementCode() byte {
	c := arrayCodes[a.Type]
	if a.Type != TypeBinary && a.Type != TypeString && a.Type != TypeSymbol {
		return c
	}
	for _, v := range a.Values {
		if lengthOf(v) > math.MaxUint8 {
			return c
		}
	}
	return c &^ 0x10
}

// lengthOf returns how many bytes a variable value has.
func lengthOf(v any) int {
	switch v := v.(type) {
	case []byte:
		return len(v)
	case string:
		return len(v)
	case Symbol:
		return len(v)
	}
	return 0
}

// appendSymbols appends an array of symbols.
func appendSymbols(b []byte, symbols []Symbol) []byte {
	c := codeSymbol8
	for _, s := range symbols {
		if len(s) > math.MaxUint8 {
			c = codeSymbol32
		}
	}
	start := len(b)
	b = append(openCompound(b), c)
	for _, s := range symbols {
		b = append(appendCount(b, c, len(s)), s...)
	}
	return closeCompound(b, start, codeArray8, len(symbols))
}

// appendCount appends a size in the width that the format code c has.
func appendCount(b []byte, c byte, n int) []byte {
	if isWide(c) {
		return binary.BigEndian.AppendUint32(b, uint32(n))
	}
	return append(b, byte(n))
}

// appendUntyped appends v without its constructor, in the form of the format code
// c: that of v in arrayCodes, or its one-byte form for sizes.
func appendUntyped(b []byte, c byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return b
	case bool:
		if v {
			return append(b, 1)
		}
		return append(b, 0)
	case UUID:
		return append(b, v[:]...)
	case Decimal32:
		return append(b, v[:]...)
	case Decimal64:
		return append(b, v[:]...)
	case Decimal128:
		return append(b, v[:]...)
	case []byte:
		return append(appendCount(b, c, len(v)), v...)
	case string:
		return append(appendCount(b, c, len(v)), v...)
	case Symbol:
		return append(appendCount(b, c, len(v)), v...)
	case List, Map, Array:
		return appendWide(b, v)
	}
	var p [8]byte
	binary.BigEndian.PutUint64(p[:], bitsOf(v))
	width, _ := fixedWidth(c)
	return append(b, p[8-width:]...)
}

// appendWide appends a compound without its code and with four bytes for size and
// count, as all elements of an array have them.
func appendWide(b []byte, v any) []byte {
	start := len(b)
	switch v := v.(type) {
	case List:
		b = appendList(b, v)
	case Map:
		b = appendMap(b, v)
	case Array:
		b = appendArray(b, v)
	}
	return widenCompound(b, start)
}

// widenCompound turns the compound at start into its four-byte form, less the
// format code.
func widenCompound(b []byte, start int) []byte {
	if b[start] == codeList0 {
		return append(b[:start], 0, 0, 0, 4, 0, 0, 0, 0)
	}
	if isWide(b[start]) {
		copy(b[start:], b[start+1:])
		return b[:len(b)-1]
	}
	size, count, end := b[start+1], b[start+2], len(b)
	b = append(b, 0, 0, 0, 0, 0)
	copy(b[start+8:], b[start+3:end])
	binary.BigEndian.PutUint32(b[start:], uint32(size)+3)
	binary.BigEndian.PutUint32(b[start+4:], uint32(count))
	return b
}
