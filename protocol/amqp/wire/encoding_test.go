package wire

import (
	"encoding/hex"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// unhex reads bytes that are written with spaces between them.
func unhex(t testing.TB, s string) []byte {
	t.Helper()
	p, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	require.NoError(t, err)
	return p
}

// encodings has literal bytes for every format code [amqp-types 1.6]. Where
// smallest is set, it is what Append writes for the value; else Append writes the
// bytes themselves.
var encodings = []struct {
	name, hex string
	value     any
	smallest  string
}{
	{name: "null", hex: "40", value: nil},
	{name: "true", hex: "41", value: true},
	{name: "false", hex: "42", value: false},
	{name: "boolean true", hex: "56 01", value: true, smallest: "41"},
	{name: "boolean false", hex: "56 00", value: false, smallest: "42"},
	{name: "ubyte", hex: "50 ff", value: uint8(255)},
	{name: "ushort", hex: "60 01 02", value: uint16(0x0102)},
	{name: "uint0", hex: "43", value: uint32(0)},
	{name: "smalluint", hex: "52 ff", value: uint32(255)},
	{name: "uint", hex: "70 00 00 01 00", value: uint32(256)},
	{name: "uint wide", hex: "70 00 00 00 00", value: uint32(0), smallest: "43"},
	{name: "ulong0", hex: "44", value: uint64(0)},
	{name: "smallulong", hex: "53 ff", value: uint64(255)},
	{name: "ulong", hex: "80 ff ff ff ff ff ff ff ff", value: uint64(math.MaxUint64)},
	{name: "ulong wide", hex: "80 00 00 00 00 00 00 00 01", value: uint64(1), smallest: "53 01"},
	{name: "byte", hex: "51 80", value: int8(-128)},
	{name: "short", hex: "61 ff fe", value: int16(-2)},
	{name: "smallint", hex: "54 80", value: int32(-128)},
	{name: "int", hex: "71 ff ff ff 7f", value: int32(-129)},
	{name: "int wide", hex: "71 00 00 00 05", value: int32(5), smallest: "54 05"},
	{name: "smalllong", hex: "55 ff", value: int64(-1)},
	{name: "long", hex: "81 80 00 00 00 00 00 00 00", value: int64(math.MinInt64)},
	{name: "long wide", hex: "81 ff ff ff ff ff ff ff ff", value: int64(-1), smallest: "55 ff"},
	{name: "float", hex: "72 3f c0 00 00", value: float32(1.5)},
	{name: "double", hex: "82 c0 04 00 00 00 00 00 00", value: float64(-2.5)},
	{name: "decimal32", hex: "74 01 02 03 04", value: Decimal32{1, 2, 3, 4}},
	{name: "decimal64", hex: "84 01 02 03 04 05 06 07 08", value: Decimal64{1, 2, 3, 4, 5, 6, 7, 8}},
	{name: "decimal128", hex: "94 01 00 00 00 00 00 00 00 00 00 00 00 00 00 00 02", value: Decimal128{0: 1, 15: 2}},
	{name: "char", hex: "73 00 01 f6 00", value: Char('😀')},
	{name: "timestamp", hex: "83 ff ff ff ff ff ff ff fe", value: Timestamp(-2)},
	{name: "uuid", hex: "98 00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f",
		value: UUID{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}},
	{name: "vbin8", hex: "a0 02 00 ff", value: []byte{0, 255}},
	{name: "vbin8 empty", hex: "a0 00", value: []byte{}},
	{name: "vbin32", hex: "b0 00 00 00 02 00 ff", value: []byte{0, 255}, smallest: "a0 02 00 ff"},
	{name: "str8", hex: "a1 03 e2 82 ac", value: "€"},
	{name: "str32", hex: "b1 00 00 00 03 e2 82 ac", value: "€", smallest: "a1 03 e2 82 ac"},
	{name: "sym8", hex: "a3 01 61", value: Symbol("a")},
	{name: "sym32", hex: "b3 00 00 00 01 61", value: Symbol("a"), smallest: "a3 01 61"},
	{name: "list0", hex: "45", value: List{}},
	{name: "list8", hex: "c0 04 02 40 52 07", value: List{nil, uint32(7)}},
	{name: "list8 empty", hex: "c0 01 00", value: List{}, smallest: "45"},
	{name: "list32", hex: "d0 00 00 00 07 00 00 00 02 40 52 07", value: List{nil, uint32(7)}, smallest: "c0 04 02 40 52 07"},
	{name: "map8", hex: "c1 07 02 a3 01 6b a1 01 76", value: Map{{Symbol("k"), "v"}}},
	{name: "map8 empty", hex: "c1 01 00", value: Map{}},
	{name: "map32", hex: "d1 00 00 00 0a 00 00 00 02 a3 01 6b a1 01 76", value: Map{{Symbol("k"), "v"}},
		smallest: "c1 07 02 a3 01 6b a1 01 76"},
	{name: "array8", hex: "e0 06 02 a3 01 61 01 62",
		value: Array{Type: TypeSymbol, Values: []any{Symbol("a"), Symbol("b")}}},
	{name: "array32 empty", hex: "f0 00 00 00 05 00 00 00 00 50",
		value: Array{Type: TypeUbyte, Values: []any{}}, smallest: "e0 02 00 50"},
	{name: "array8 empty", hex: "e0 02 00 70", value: Array{Type: TypeUint, Values: []any{}}},
	{name: "array32 of ubyte", hex: "f0 00 00 00 07 00 00 00 02 50 01 02",
		value: Array{Type: TypeUbyte, Values: []any{uint8(1), uint8(2)}}, smallest: "e0 04 02 50 01 02"},
	{name: "array of smalluint", hex: "e0 04 02 52 01 02",
		value:    Array{Type: TypeUint, Values: []any{uint32(1), uint32(2)}},
		smallest: "e0 0a 02 70 00 00 00 01 00 00 00 02"},
	{name: "array of uint0", hex: "e0 02 02 43",
		value:    Array{Type: TypeUint, Values: []any{uint32(0), uint32(0)}},
		smallest: "e0 0a 02 70 00 00 00 00 00 00 00 00"},
	{name: "array of lists", hex: "e0 14 02 d0 00000006 00000001 5205 00000004 00000000",
		value: Array{Type: TypeList, Values: []any{List{uint32(5)}, List{}}}},
	{name: "array of described", hex: "e0 07 02 00 53 7f 50 01 02",
		value: Array{Type: TypeUbyte, Descriptors: []any{uint64(0x7f)}, Values: []any{uint8(1), uint8(2)}}},
	{name: "described", hex: "00 53 99 a1 01 78", value: Described{uint64(0x99), "x"}},
	{name: "described by a symbol", hex: "00 a3 01 78 45", value: Described{Symbol("x"), List{}}},
	{name: "described twice", hex: "00 53 01 00 53 02 40", value: Described{uint64(1), Described{uint64(2), nil}}},
}

func TestEveryEncoding(t *testing.T) {
	seen := map[byte]bool{}
	for _, e := range encodings {
		t.Run(e.name, func(t *testing.T) {
			p := unhex(t, e.hex)
			seen[p[0]] = true
			r := NewReader(p)
			got, err := r.ReadAny()
			require.NoError(t, err)
			require.Equal(t, e.value, got)
			require.Zero(t, r.Len())

			want := p
			if e.smallest != "" {
				want = unhex(t, e.smallest)
			}
			require.Equal(t, want, AppendAny(nil, e.value), "the smallest encoding")
			require.Equal(t, p, AppendAny(nil, Raw(p)), "a Raw stands for itself")

			r = NewReader(append(p, 0xee))
			require.NoError(t, r.Skip())
			require.Equal(t, []byte{0xee}, r.Rest(), "Skip takes one value")
		})
	}
	for c, typ := range typeOf {
		require.True(t, typ == 0 || seen[byte(c)], "no case has the format code 0x%02x", c)
	}
}

// TestTruncatedEverywhere: no value that is cut off is taken for a value.
func TestTruncatedEverywhere(t *testing.T) {
	for _, e := range encodings {
		p := unhex(t, e.hex)
		for n := range p {
			r := NewReader(p[:n])
			_, err := r.ReadAny()
			require.Error(t, err, "%s: %d bytes", e.name, n)
			r = NewReader(p[:n])
			require.Error(t, r.Skip(), "%s: %d bytes", e.name, n)
		}
	}
}

func TestUnknownFormatCodes(t *testing.T) {
	for c := 1; c < 256; c++ {
		if typeOf[c] != 0 {
			continue
		}
		p := append([]byte{byte(c)}, make([]byte, 32)...)
		r := NewReader(p)
		_, err := r.ReadAny()
		require.ErrorContains(t, err, "format code")
		r = NewReader(p)
		require.ErrorContains(t, r.Skip(), "format code")
	}
}
