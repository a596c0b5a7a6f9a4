package wire

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// anyValue draws a value of any type, nested at most depth deep.
func anyValue(depth int) *rapid.Generator[any] {
	if depth == 0 {
		return scalar()
	}
	return rapid.OneOf(scalar(), compoundValue(depth-1))
}

func boxed[T any](g *rapid.Generator[T]) *rapid.Generator[any] {
	return rapid.Map(g, func(v T) any { return v })
}

// scalars draw the types without parts.
var scalars = map[Type]*rapid.Generator[any]{
	TypeNull: rapid.Just[any](nil), TypeBoolean: boxed(rapid.Bool()),
	TypeUbyte: boxed(rapid.Uint8()), TypeUshort: boxed(rapid.Uint16()),
	TypeUint: boxed(rapid.Uint32()), TypeUlong: boxed(rapid.Uint64()),
	TypeSignedByte: boxed(rapid.Int8()), TypeShort: boxed(rapid.Int16()),
	TypeInt: boxed(rapid.Int32()), TypeLong: boxed(rapid.Int64()),
	TypeFloat: boxed(rapid.Float32()), TypeDouble: boxed(rapid.Float64()),
	TypeChar:      boxed(rapid.Map(rapid.Rune(), func(r rune) Char { return Char(r) })),
	TypeTimestamp: boxed(rapid.Map(rapid.Int64(), func(n int64) Timestamp { return Timestamp(n) })),
	TypeUUID:      boxed(rapid.Map(rapid.Uint64(), func(n uint64) UUID { return UUID{byte(n), 15: byte(n >> 8)} })),
	TypeDecimal32: boxed(rapid.Map(rapid.Uint32(), func(n uint32) Decimal32 { return Decimal32{byte(n)} })),
	TypeDecimal64: boxed(rapid.Map(rapid.Uint32(), func(n uint32) Decimal64 { return Decimal64{7: byte(n)} })),
	TypeDecimal128: boxed(rapid.Map(rapid.Uint32(), func(n uint32) Decimal128 {
		return Decimal128{15: byte(n)}
	})),
	TypeBinary: boxed(rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 300), func(p []byte) []byte { return append([]byte{}, p...) })),
	TypeString: boxed(rapid.String()),
	TypeSymbol: boxed(rapid.Map(rapid.StringMatching(`[ -~]{0,300}`), func(s string) Symbol { return Symbol(s) })),
}

func scalar() *rapid.Generator[any] {
	var all []*rapid.Generator[any]
	for t := TypeNull; t <= TypeSymbol; t++ {
		all = append(all, scalars[t])
	}
	return rapid.OneOf(all...)
}

func compoundValue(depth int) *rapid.Generator[any] {
	element := anyValue(depth)
	return rapid.Custom(func(t *rapid.T) any {
		switch rapid.IntRange(0, 3).Draw(t, "kind") {
		case 0:
			return append(List{}, rapid.SliceOfN(element, 0, 5).Draw(t, "list")...)
		case 1:
			m := Map{}
			for range rapid.IntRange(0, 4).Draw(t, "entries") {
				m = append(m, Pair{element.Draw(t, "key"), element.Draw(t, "value")})
			}
			return m
		case 2:
			return Described{element.Draw(t, "descriptor"), element.Draw(t, "value")}
		}
		return drawArray(t, depth)
	})
}

func drawArray(t *rapid.T, depth int) any {
	a := Array{Type: Type(rapid.IntRange(int(TypeNull), int(TypeSymbol)).Draw(t, "type"))}
	element := scalars[a.Type]
	if rapid.Bool().Draw(t, "of lists") {
		a.Type = TypeList
		element = boxed(rapid.Map(rapid.SliceOfN(anyValue(depth), 0, 3), func(v []any) List { return append(List{}, v...) }))
	}
	if rapid.Bool().Draw(t, "described") {
		a.Descriptors = []any{Symbol("d"), uint64(7)}
	}
	a.Values = append([]any{}, rapid.SliceOfN(element, 0, 5).Draw(t, "values")...)
	return a
}

// TestRoundTrip: what is appended is read again, by ReadAny, Skip and ReadRaw
// alike, and nothing that is cut off is.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := anyValue(3).Draw(t, "value")
		p := AppendAny(nil, v)
		r := NewReader(p)
		got, err := r.ReadAny()
		require.NoError(t, err)
		require.Zero(t, r.Len())
		require.Equal(t, v, got)

		r = NewReader(p)
		raw, err := r.ReadRaw()
		require.NoError(t, err)
		require.Equal(t, p, []byte(raw))

		cut := NewReader(p[:rapid.IntRange(0, len(p)-1).Draw(t, "cut")])
		_, err = cut.ReadAny()
		require.Error(t, err)
	})
}
