package wire

// A value on the wire [amqp-types 1.2]:
//
//	+-------------+----------------------------------------------+
//	| constructor | untyped bytes                                |
//	+-------------+----------------------------------------------+
//	constructor:  one format code, or 0x00 descriptor constructor,
//	              where the descriptor is itself a value
//
// The high half of a format code tells how many bytes follow:
//
//	0x4_ 0 | 0x5_ 1 | 0x6_ 2 | 0x7_ 4 | 0x8_ 8 | 0x9_ 16
//	0xA_ size:1 bytes               | 0xB_ size:4 bytes
//	0xC_ size:1 count:1 elements    | 0xD_ size:4 count:4 elements
//	0xE_ size:1 count:1 constructor elements-without-constructor
//	0xF_ size:4 count:4 constructor elements-without-constructor
//
// Sizes count every byte behind themselves, the count included. All numbers are
// big-endian.
const (
	codeDescribed byte = 0x00

	codeNull       byte = 0x40
	codeTrue       byte = 0x41
	codeFalse      byte = 0x42
	codeUint0      byte = 0x43
	codeUlong0     byte = 0x44
	codeList0      byte = 0x45
	codeUbyte      byte = 0x50
	codeByte       byte = 0x51
	codeSmallUint  byte = 0x52
	codeSmallUlong byte = 0x53
	codeSmallInt   byte = 0x54
	codeSmallLong  byte = 0x55
	codeBoolean    byte = 0x56
	codeUshort     byte = 0x60
	codeShort      byte = 0x61
	codeUint       byte = 0x70
	codeInt        byte = 0x71
	codeFloat      byte = 0x72
	codeChar       byte = 0x73
	codeDecimal32  byte = 0x74
	codeUlong      byte = 0x80
	codeLong       byte = 0x81
	codeDouble     byte = 0x82
	codeTimestamp  byte = 0x83
	codeDecimal64  byte = 0x84
	codeDecimal128 byte = 0x94
	codeUUID       byte = 0x98
	codeBinary8    byte = 0xa0
	codeString8    byte = 0xa1
	codeSymbol8    byte = 0xa3
	codeBinary32   byte = 0xb0
	codeString32   byte = 0xb1
	codeSymbol32   byte = 0xb3
	codeList8      byte = 0xc0
	codeMap8       byte = 0xc1
	codeList32     byte = 0xd0
	codeMap32      byte = 0xd1
	codeArray8     byte = 0xe0
	codeArray32    byte = 0xf0
)

// Type is one of the primitive types [amqp-types 1.6].
type Type uint8

// The primitive types. The zero Type is none.
const (
	TypeNull Type = iota + 1
	TypeBoolean
	TypeUbyte
	TypeUshort
	TypeUint
	TypeUlong
	TypeSignedByte
	TypeShort
	TypeInt
	TypeLong
	TypeFloat
	TypeDouble
	TypeDecimal32
	TypeDecimal64
	TypeDecimal128
	TypeChar
	TypeTimestamp
	TypeUUID
	TypeBinary
	TypeString
	TypeSymbol
	TypeList
	TypeMap
	TypeArray
)

// typeNames are the names of the specification.
var typeNames = [...]string{
	TypeNull: "null", TypeBoolean: "boolean", TypeUbyte: "ubyte", TypeUshort: "ushort",
	TypeUint: "uint", TypeUlong: "ulong", TypeSignedByte: "byte", TypeShort: "short",
	TypeInt: "int", TypeLong: "long", TypeFloat: "float", TypeDouble: "double",
	TypeDecimal32: "decimal32", TypeDecimal64: "decimal64", TypeDecimal128: "decimal128",
	TypeChar: "char", TypeTimestamp: "timestamp", TypeUUID: "uuid", TypeBinary: "binary",
	TypeString: "string", TypeSymbol: "symbol", TypeList: "list", TypeMap: "map", TypeArray: "array",
}

// String returns the specification's name of the type.
func (t Type) String() string {
	if int(t) < len(typeNames) && t != 0 {
		return typeNames[t]
	}
	return "no type"
}

// typeOf tells the type of every format code; 0 for those that do not exist.
var typeOf = [256]Type{
	codeNull: TypeNull, codeTrue: TypeBoolean, codeFalse: TypeBoolean, codeBoolean: TypeBoolean,
	codeUbyte: TypeUbyte, codeUshort: TypeUshort,
	codeUint0: TypeUint, codeSmallUint: TypeUint, codeUint: TypeUint,
	codeUlong0: TypeUlong, codeSmallUlong: TypeUlong, codeUlong: TypeUlong,
	codeByte: TypeSignedByte, codeShort: TypeShort,
	codeSmallInt: TypeInt, codeInt: TypeInt, codeSmallLong: TypeLong, codeLong: TypeLong,
	codeFloat: TypeFloat, codeDouble: TypeDouble,
	codeDecimal32: TypeDecimal32, codeDecimal64: TypeDecimal64, codeDecimal128: TypeDecimal128,
	codeChar: TypeChar, codeTimestamp: TypeTimestamp, codeUUID: TypeUUID,
	codeBinary8: TypeBinary, codeBinary32: TypeBinary,
	codeString8: TypeString, codeString32: TypeString,
	codeSymbol8: TypeSymbol, codeSymbol32: TypeSymbol,
	codeList0: TypeList, codeList8: TypeList, codeList32: TypeList,
	codeMap8: TypeMap, codeMap32: TypeMap, codeArray8: TypeArray, codeArray32: TypeArray,
}

// fixedWidth returns how many bytes follow the format code c, if that is fixed.
func fixedWidth(c byte) (width int, ok bool) {
	switch c >> 4 {
	case 0x4:
		return 0, true
	case 0x5, 0x6, 0x7, 0x8, 0x9:
		return 1 << (c>>4 - 5), true
	}
	return 0, false
}

// isWide reports whether sizes and counts of the variable format code c have four
// bytes; else they have one.
func isWide(c byte) bool { return c&0x10 != 0 }
