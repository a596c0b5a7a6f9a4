package wire

import (
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// typedReads reads a value by its type's own function.
var typedReads = map[Type]func(r *Reader) (any, error){
	TypeBoolean:    func(r *Reader) (any, error) { return asAny(r.ReadBoolean()) },
	TypeUbyte:      func(r *Reader) (any, error) { return asAny(r.ReadUbyte()) },
	TypeUshort:     func(r *Reader) (any, error) { return asAny(r.ReadUshort()) },
	TypeUint:       func(r *Reader) (any, error) { return asAny(r.ReadUint()) },
	TypeUlong:      func(r *Reader) (any, error) { return asAny(r.ReadUlong()) },
	TypeSignedByte: func(r *Reader) (any, error) { return asAny(r.ReadSignedByte()) },
	TypeShort:      func(r *Reader) (any, error) { return asAny(r.ReadShort()) },
	TypeInt:        func(r *Reader) (any, error) { return asAny(r.ReadInt()) },
	TypeLong:       func(r *Reader) (any, error) { return asAny(r.ReadLong()) },
	TypeFloat:      func(r *Reader) (any, error) { return asAny(r.ReadFloat()) },
	TypeDouble:     func(r *Reader) (any, error) { return asAny(r.ReadDouble()) },
	TypeChar:       func(r *Reader) (any, error) { return asAny(r.ReadChar()) },
	TypeTimestamp:  func(r *Reader) (any, error) { return asAny(r.ReadTimestamp()) },
	TypeUUID:       func(r *Reader) (any, error) { return asAny(r.ReadUUID()) },
	TypeBinary:     func(r *Reader) (any, error) { return asAny(r.ReadBinary()) },
	TypeString:     func(r *Reader) (any, error) { return asAny(r.ReadString()) },
	TypeSymbol:     func(r *Reader) (any, error) { return asAny(r.ReadSymbol()) },
	TypeMap:        func(r *Reader) (any, error) { return asAny(r.ReadMap()) },
}

// TestTypedReads: each function accepts every encoding of its type, and of no other.
func TestTypedReads(t *testing.T) {
	for _, e := range encodings {
		p := unhex(t, e.hex)
		for typ, read := range typedReads {
			r := NewReader(p)
			got, err := read(&r)
			switch {
			case typeOf[p[0]] == typ:
				require.NoError(t, err, e.name)
				require.Equal(t, e.value, got, e.name)
				require.Zero(t, r.Len(), e.name)
			case typ == TypeMap && e.value == nil:
				require.NoError(t, err, "null is a nil map")
			default:
				require.ErrorContains(t, err, "want "+typ.String(), e.name)
			}
		}
	}
}

// TestAppendTyped: the typed functions write what AppendAny does.
func TestAppendTyped(t *testing.T) {
	for _, v := range []uint64{0, 1, 255, 256, 1<<32 - 1} {
		require.Equal(t, AppendAny(nil, v), AppendUlong(nil, v))
		require.Equal(t, AppendAny(nil, uint32(v)), AppendUint(nil, uint32(v)))
		require.Equal(t, AppendAny(nil, uint16(v)), AppendUshort(nil, uint16(v)))
		require.Equal(t, AppendAny(nil, uint8(v)), AppendUbyte(nil, uint8(v)))
		require.Equal(t, AppendAny(nil, int16(v)), AppendShort(nil, int16(v)))
		require.Equal(t, AppendAny(nil, int8(v)), AppendSignedByte(nil, int8(v)))
		require.Equal(t, AppendAny(nil, float32(v)), AppendFloat(nil, float32(v)))
		require.Equal(t, AppendAny(nil, float64(v)), AppendDouble(nil, float64(v)))
		require.Equal(t, AppendAny(nil, Char(v)), AppendChar(nil, Char(v)))
		require.Equal(t, AppendAny(nil, Timestamp(v)), AppendTimestamp(nil, Timestamp(v)))
	}
	require.Equal(t, AppendAny(nil, nil), AppendNull(nil))
	require.Equal(t, AppendAny(nil, UUID{1}), AppendUUID(nil, UUID{1}))
	// The largest size of one byte, and the smallest of four.
	for _, n := range []int{255, 256} {
		s := strings.Repeat("a", n)
		for _, p := range [][]byte{AppendString(nil, s), AppendSymbol(nil, Symbol(s)), AppendBinary(nil, []byte(s))} {
			r := NewReader(p)
			require.NoError(t, r.Skip())
			require.Zero(t, r.Len())
			require.Equal(t, n > 255, isWide(p[0]))
		}
	}
}

// TestBadValues: well-formed by size, but no value of the type.
func TestBadValues(t *testing.T) {
	for _, c := range []struct{ name, hex, reason string }{
		{"boolean", "56 02", "neither 0x00 nor 0x01"},
		{"char beyond Unicode", "73 00 11 00 00", "no code point"},
		{"char that is a surrogate", "73 00 00 d8 00", "no code point"},
		{"string", "a1 02 c3 28", "UTF-8"},
		{"symbol", "a3 01 80", "ASCII"},
		{"list without room for the count", "c0 00", "no room for the count"},
		{"list32 without room for the count", "d0 00 00 00 03 00 00 00", "no room for the count"},
		{"list with more elements than bytes", "c0 02 02 40", "more than the size holds"},
		{"list with bytes behind its elements", "c0 03 01 40 40", "bytes follow"},
		{"list whose element goes beyond it", "c0 02 01 52 07", "cut off"},
		{"map with a key alone", "c1 02 01 40", "without a value"},
		{"array without constructor", "e0 01 00", "no constructor"},
		{"array with more elements than bytes", "e0 03 02 70 00", "more than the size holds"},
		{"array of an unknown code", "e0 02 01 ff", "format code"},
		{"four billion nulls in nine bytes", "f0 00 00 00 05 7f ff ff ff 40", "too many elements without bytes"},
		{"count beyond int32", "f0 00 00 00 05 ff ff ff ff 40", "beyond all reason"},
		{"counts that nest", "d0 00000019 00000015 d0 00000010 0000000c 404040404040404040404040", "more than the input holds"},
		{"binary longer than the input", "b0 ff ff ff ff 00", "cut off"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := NewReader(unhex(t, c.hex))
			v, err := r.ReadAny()
			require.Nil(t, v)
			var fault *DecodeError
			require.ErrorAs(t, err, &fault)
			require.Equal(t, CondDecodeError, fault.Condition)
			require.Contains(t, fault.Reason, c.reason)
		})
	}
}

// TestDepth: nesting of every kind ends at MaxDepth, for Skip as well, which would
// otherwise recurse with every 0x00.
func TestDepth(t *testing.T) {
	nested := map[string]func(depth int) []byte{
		"lists": func(depth int) []byte {
			v := List{}
			for range depth - 1 {
				v = List{v}
			}
			return AppendAny(nil, v)
		},
		"described": func(depth int) []byte {
			return append([]byte(strings.Repeat("\x00\x44", depth)), codeNull)
		},
		"descriptors": func(depth int) []byte {
			return []byte(strings.Repeat("\x00", depth) + strings.Repeat("\x40", depth+1))
		},
		"arrays": func(depth int) []byte {
			v := Array{Type: TypeNull, Values: []any{}}
			for range depth - 1 {
				v = Array{Type: TypeArray, Values: []any{v}}
			}
			return AppendAny(nil, v)
		},
	}
	for name, make := range nested {
		r := NewReader(make(MaxDepth))
		_, err := r.ReadAny()
		require.NoError(t, err, name)
		r = NewReader(make(MaxDepth + 1))
		_, err = r.ReadAny()
		require.ErrorIs(t, err, errTooDeep, name)
	}
	r := NewReader(make([]byte, 1<<20))
	require.ErrorIs(t, r.Skip(), errTooDeep)
}

// TestEmptyElementsInAll: many small arrays get no further than one big one.
func TestEmptyElementsInAll(t *testing.T) {
	array := []byte{codeArray8, 2, 255, codeNull}
	var p []byte
	for range 5 {
		p = append(p, array...)
	}
	r := NewReader(p)
	for range MaxEmptyElements / 255 {
		_, err := r.ReadAny()
		require.NoError(t, err)
	}
	_, err := r.ReadAny()
	require.ErrorContains(t, err, "too many elements without bytes")
}

// TestMemoryPerByte holds the promise of the package's comment: what is decoded is
// bounded by the bytes that came, whatever they announce.
func TestMemoryPerByte(t *testing.T) {
	const size = 64 << 10
	for name, unit := range map[string]string{
		"nulls": "40", "empty lists": "45", "lists of one": "c0 02 01 40", "symbols": "a3 01 7a",
		"described": "00 40 40", "empty arrays": "e0 02 00 40", "maps": "c1 03 02 40 40",
		"uuids": "98 00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f", "floats": "72 01 02 03 04",
	} {
		t.Run(name, func(t *testing.T) {
			one := unhex(t, unit)
			list := make(List, size/len(one))
			for i := range list {
				list[i] = Raw(one)
			}
			p := AppendAny(nil, list)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			r := NewReader(p)
			v, err := r.ReadAny()
			runtime.ReadMemStats(&after)
			require.NoError(t, err)
			runtime.KeepAlive(v)
			perByte := (after.TotalAlloc - before.TotalAlloc) / uint64(len(p))
			require.LessOrEqual(t, perByte, uint64(48))
		})
	}
}

func TestAppendAnyPanicsOnForeignTypes(t *testing.T) {
	require.Panics(t, func() { AppendAny(nil, 1) }, "int is no AMQP type")
	require.Panics(t, func() { AppendAny(nil, Array{}) }, "an array of no type")
	require.Panics(t, func() { AppendAny(nil, Array{Type: TypeUint, Values: []any{"text"}}) })
}

// TestArraysOfLongAndNested: elements that need the wide forms.
func TestArraysOfLongAndNested(t *testing.T) {
	long := strings.Repeat("x", 300)
	for _, a := range []Array{
		{Type: TypeString, Values: []any{"a", long}},
		{Type: TypeSymbol, Values: []any{Symbol(long)}},
		{Type: TypeBinary, Values: []any{[]byte(long), []byte{}}},
		{Type: TypeMap, Values: []any{Map{{"k", long}}, Map{}}},
		{Type: TypeList, Values: []any{List{long}, List{}, List{nil}}},
		{Type: TypeArray, Values: []any{Array{Type: TypeUbyte, Values: []any{uint8(1)}}, Array{Type: TypeString, Values: []any{long}}}},
	} {
		r := NewReader(AppendAny(nil, a))
		got, err := r.ReadAny()
		require.NoError(t, err)
		require.Equal(t, a, got)
		require.Zero(t, r.Len())
	}
	capabilities := []Symbol{"a", Symbol(long)}
	r := NewReader((&Coordinator{Capabilities: capabilities}).Append(nil))
	var c Coordinator
	require.NoError(t, c.Decode(&r))
	require.Equal(t, capabilities, c.Capabilities)
}

func TestMapGet(t *testing.T) {
	m := Map{{Symbol("a"), 1}, {"b", 2}, {uint64(3), 3}, {"a", 4}}
	v, ok := m.Get("a")
	require.True(t, ok)
	require.Equal(t, 1, v, "the first of equal keys")
	v, ok = m.Get("b")
	require.True(t, ok, "clients send strings for symbols")
	require.Equal(t, 2, v)
	_, ok = m.Get("c")
	require.False(t, ok)
}
