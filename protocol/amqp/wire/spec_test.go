package wire

import (
	"fmt"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The tests of this file hold the composites against the specification's own
// table: testdata/spec.tsv says which fields there are, in which order, of which
// type, which are mandatory and what their defaults are.

type specField struct {
	name, typ           string
	mandatory, multiple bool
	def                 string
}

type specType struct {
	name, symbol, source string
	code                 Descriptor
	fields               []specField
}

func readSpec(t *testing.T) []specType {
	text, err := os.ReadFile("testdata/spec.tsv")
	require.NoError(t, err)
	var types []specType
	for line := range strings.Lines(string(text)) {
		col := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		switch col[0] {
		case "type":
			code, err := strconv.ParseUint(col[3], 0, 64)
			require.NoError(t, err)
			types = append(types, specType{name: col[1], symbol: col[2], code: Descriptor(code), source: col[4]})
		case "field":
			last := &types[len(types)-1]
			last.fields = append(last.fields, specField{name: col[1], typ: col[2],
				mandatory: col[3] == "mandatory", multiple: col[4] == "multiple", def: col[5]})
		}
	}
	return types
}

// composites are all composites of the package.
func composites() []Composite {
	return []Composite{
		new(Open), new(Begin), new(Attach), new(Flow), new(Transfer), new(Disposition), new(Detach), new(End),
		new(Close), new(Error), new(Received), new(Accepted), new(Rejected), new(Released), new(Modified),
		new(Source), new(Target), new(DeleteOnClose), new(DeleteOnNoLinks), new(DeleteOnNoMessages),
		new(DeleteOnNoLinksOrMessages), new(Coordinator), new(Declare), new(Discharge), new(Declared),
		new(TransactionalState), new(SASLMechanisms), new(SASLInit), new(SASLChallenge), new(SASLResponse),
		new(SASLOutcome), new(Header), new(Properties),
	}
}

// newComposite returns an empty composite of the type.
func newComposite(t *testing.T, d Descriptor) Composite {
	for _, c := range composites() {
		if c.Descriptor() == d {
			return c
		}
	}
	t.Fatalf("the package has no composite for %v", d)
	return nil
}

// eachComposite runs f for every composite type of the specification.
func eachComposite(t *testing.T, f func(t *testing.T, s specType)) {
	for _, s := range readSpec(t) {
		if s.source == "list" && s.code != DescAMQPSequence {
			t.Run(s.name, func(t *testing.T) { f(t, s) })
		}
	}
}

// sample returns a value of the field that is not its default.
func (f specField) sample() any {
	if f.multiple {
		return Array{Type: TypeSymbol, Values: []any{Symbol("a"), Symbol("b")}}
	}
	switch f.typ {
	case "boolean":
		return true
	case "ubyte":
		return uint8(1)
	case "ushort":
		return uint16(7)
	case "uint":
		return uint32(2)
	case "ulong":
		return uint64(9)
	case "timestamp":
		return Timestamp(1234)
	case "string", "*address":
		return "text"
	case "symbol":
		return Symbol("sym")
	case "binary", "*txn-id":
		return []byte{1, 2}
	case "map":
		return Map{{Symbol("k"), "v"}}
	case "*message-id":
		return uint64(5)
	case "*global-tx-id":
		return "global"
	case "error":
		return Described{uint64(DescError), List{CondNotFound}}
	case "*delivery-state", "*outcome":
		return Described{uint64(DescAccepted), List{}}
	case "*source":
		return Described{uint64(DescSource), List{"queue"}}
	case "*target":
		return Described{uint64(DescTarget), List{"queue"}}
	}
	panic("no sample for " + f.typ)
}

// wrong returns a value of a type that the field must not have.
func (f specField) wrong() any {
	switch f.typ {
	case "boolean":
		return uint32(1)
	case "*global-tx-id":
		return nil // anything goes
	case "*message-id":
		return true
	}
	return float32(1)
}

// list returns the composite with the mandatory fields, and field i set to v.
func (s specType) list(i int, v any) []byte {
	values := make(List, len(s.fields))
	for k, f := range s.fields {
		if f.mandatory {
			values[k] = f.sample()
		}
	}
	if i >= 0 {
		values[i] = v
	}
	return AppendAny(nil, Described{uint64(s.code), values})
}

// fieldsOf returns the fields of an encoded composite as they stand on the wire.
func fieldsOf(t *testing.T, p []byte) List {
	r := NewReader(p)
	v, err := r.ReadAny()
	require.NoError(t, err)
	require.Zero(t, r.Len(), "Append writes one value")
	return v.(Described).Value.(List)
}

func TestSpecDescriptors(t *testing.T) {
	for _, s := range readSpec(t) {
		require.Equal(t, s.symbol, descriptorNames[s.code])
		require.Equal(t, s.name, s.code.String())
		for _, p := range [][]byte{
			AppendDescriptor(nil, s.code),
			AppendSymbol([]byte{0}, Symbol(s.symbol)),
			append([]byte{0, 0x80}, 0, 0, 0, 0, 0, 0, 0, byte(s.code)),
		} {
			d, err := PeekDescriptor(p)
			require.NoError(t, err)
			require.Equal(t, s.code, d, "a numeric and a symbolic descriptor mean the same")
		}
	}
}

// TestSpecNames: a reader who knows the specification finds every field under its
// name.
func TestSpecNames(t *testing.T) {
	eachComposite(t, func(t *testing.T, s specType) {
		typ := reflect.TypeOf(newComposite(t, s.code)).Elem()
		require.True(t, strings.EqualFold(strings.ReplaceAll(s.name, "-", ""), typ.Name()), typ.Name())
		for _, f := range s.fields {
			name := strings.ReplaceAll(f.name, "-", "")
			_, ok := typ.FieldByNameFunc(func(got string) bool { return strings.EqualFold(got, name) })
			require.True(t, ok, f.name)
		}
	})
}

// TestSpecFields puts each field alone (with the mandatory ones) through Decode
// and Append: it must come out in its place, and nothing behind it.
func TestSpecFields(t *testing.T) {
	eachComposite(t, func(t *testing.T, s specType) {
		for i, f := range s.fields {
			in := s.list(i, f.sample())
			c := newComposite(t, s.code)
			r := NewReader(in)
			require.NoError(t, c.Decode(&r), f.name)
			require.Zero(t, r.Len(), "Decode reads the whole composite")
			got := fieldsOf(t, c.Append(nil))
			require.Greater(t, len(got), i, f.name)
			require.Equal(t, f.sample(), got[i], f.name)
			for k := i + 1; k < len(got); k++ {
				require.True(t, s.fields[k].mandatory || got[k] == nil, "%s: %v appeared", s.fields[k].name, got[k])
			}
		}
	})
}

func TestSpecWrongType(t *testing.T) {
	eachComposite(t, func(t *testing.T, s specType) {
		for i, f := range s.fields {
			if f.wrong() != nil {
				requireFault(t, s, s.list(i, f.wrong()), CondDecodeError, f.name)
			}
		}
	})
}

func TestSpecMandatory(t *testing.T) {
	eachComposite(t, func(t *testing.T, s specType) {
		for i, f := range s.fields {
			if f.mandatory {
				requireFault(t, s, s.list(i, nil), CondInvalidField, f.name)
			}
		}
	})
}

// TestSpecDefaults: an absent field means its default, and a field that has its
// default is left out.
func TestSpecDefaults(t *testing.T) {
	named := map[string]any{
		"mixed": uint8(SenderMixed), "first": uint8(ReceiverFirst), "none": uint32(DurabilityNone),
		"session-end": ExpirySessionEnd, "false": false,
	}
	eachComposite(t, func(t *testing.T, s specType) {
		for i, f := range s.fields {
			if f.def == "-" {
				continue
			}
			def, ok := named[f.def]
			if !ok {
				n, err := strconv.ParseUint(f.def, 10, 32)
				require.NoError(t, err)
				def = uint32(n)
				if f.typ == "ushort" {
					def = uint16(n)
				}
			}
			given, absent := newComposite(t, s.code), newComposite(t, s.code)
			r := NewReader(s.list(i, def))
			require.NoError(t, given.Decode(&r), f.name)
			r = NewReader(s.list(-1, nil))
			require.NoError(t, absent.Decode(&r), f.name)
			require.Equal(t, absent, given, f.name)
			require.Equal(t, absent.Append(nil), given.Append(nil), f.name)
			if got := fieldsOf(t, given.Append(nil)); len(got) > i {
				require.Nil(t, got[i], f.name)
			}
		}
	})
}

func TestSpecTooManyFields(t *testing.T) {
	eachComposite(t, func(t *testing.T, s specType) {
		s.fields = append(s.fields, specField{})
		requireFault(t, s, s.list(len(s.fields)-1, true), CondDecodeError, "")
	})
}

// TestSpecTruncated: no composite that is cut off decodes, wherever the cut is.
func TestSpecTruncated(t *testing.T) {
	eachComposite(t, func(t *testing.T, s specType) {
		values := make(List, len(s.fields))
		for i, f := range s.fields {
			values[i] = f.sample()
		}
		whole := AppendAny(nil, Described{uint64(s.code), values})
		c := newComposite(t, s.code)
		for n := range whole {
			r := NewReader(whole[:n])
			require.Error(t, c.Decode(&r), "%d of %d bytes", n, len(whole))
		}
		r := NewReader(whole)
		require.NoError(t, c.Decode(&r))
		require.Equal(t, whole, c.Append(nil), "all fields together")
		if len(s.fields) > 0 {
			r = NewReader(shorten(whole))
			require.Error(t, c.Decode(&r), "the list's size ends within its last field")
		}
	})
}

// shorten takes the last byte from a composite and its list, but leaves the count.
func shorten(p []byte) []byte {
	p = append([]byte{}, p[:len(p)-1]...)
	p[4]--
	return p
}

// requireFault wants Decode to fail with the condition, and to name the place.
func requireFault(t *testing.T, s specType, p []byte, cond Symbol, field string) {
	t.Helper()
	r := NewReader(p)
	err := newComposite(t, s.code).Decode(&r)
	var fault *DecodeError
	require.ErrorAs(t, err, &fault, field)
	require.Equal(t, cond, fault.Condition, field)
	require.Equal(t, s.name, fault.Composite)
	require.Equal(t, field, fault.Field)
	require.Contains(t, err.Error(), fmt.Sprint(cond, ": ", s.name))
}
