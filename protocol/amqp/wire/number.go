package wire

import "math"

// numberOf makes the Go value of the numeric type t from its bits.
func numberOf(t Type, n uint64) any {
	switch t {
	case TypeUbyte:
		return uint8(n)
	case TypeUshort:
		return uint16(n)
	case TypeUint:
		return uint32(n)
	case TypeUlong:
		return n
	case TypeSignedByte:
		return int8(n)
	case TypeShort:
		return int16(n)
	case TypeFloat:
		return math.Float32frombits(uint32(n))
	case TypeDouble:
		return math.Float64frombits(n)
	case TypeTimestamp:
		return Timestamp(n)
	}
	return nil
}

// bitsOf is the other way round. REQUIRES: v is a number.
func bitsOf(v any) uint64 {
	switch v := v.(type) {
	case uint8:
		return uint64(v)
	case uint16:
		return uint64(v)
	case uint32:
		return uint64(v)
	case uint64:
		return v
	case int8:
		return uint64(v)
	case int16:
		return uint64(v)
	case int32:
		return uint64(v)
	case int64:
		return uint64(v)
	case float32:
		return uint64(math.Float32bits(v))
	case float64:
		return math.Float64bits(v)
	case Char:
		return uint64(v)
	case Timestamp:
		return uint64(v)
	}
	return 0
}

// typeOfGo returns the type whose Go type v has; 0 if there is none.
func typeOfGo(v any) Type {
	switch v.(type) {
	case nil:
		return TypeNull
	case bool:
		return TypeBoolean
	case UUID:
		return TypeUUID
	case Decimal32:
		return TypeDecimal32
	case Decimal64:
		return TypeDecimal64
	case Decimal128:
		return TypeDecimal128
	case []byte:
		return TypeBinary
	case string:
		return TypeString
	case Symbol:
		return TypeSymbol
	case List:
		return TypeList
	case Map:
		return TypeMap
	case Array:
		return TypeArray
	}
	return numericTypeOfGo(v)
}

func numericTypeOfGo(v any) Type {
	switch v.(type) {
	case uint8:
		return TypeUbyte
	case uint16:
		return TypeUshort
	case uint32:
		return TypeUint
	case uint64:
		return TypeUlong
	case int8:
		return TypeSignedByte
	case int16:
		return TypeShort
	case int32:
		return TypeInt
	case int64:
		return TypeLong
	case float32:
		return TypeFloat
	case float64:
		return TypeDouble
	case Char:
		return TypeChar
	case Timestamp:
		return TypeTimestamp
	}
	return 0
}
