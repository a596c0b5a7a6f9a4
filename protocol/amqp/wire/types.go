package wire

import "bytes"

// The Go types of the AMQP types that have none of their own [amqp-types 1.6].
// See ReadAny for the whole list.
type (
	// Symbol is ASCII from a small domain: a condition, a capability, a key.
	Symbol string
	// Timestamp is milliseconds since 1970-01-01 UTC.
	Timestamp int64
	// UUID is an RFC 4122 identifier, in network order.
	UUID [16]byte
	// Char is one Unicode code point.
	Char rune
	// Decimal32 is IEEE 754-2008 in network order, carried and not computed with.
	Decimal32 [4]byte
	// Decimal64 is like Decimal32.
	Decimal64 [8]byte
	// Decimal128 is like Decimal32.
	Decimal128 [16]byte

	// List is a sequence of values of any types.
	List []any
	// Map is a sequence of pairs: order and types of the keys are kept.
	Map []Pair
	// Pair is one entry of a Map.
	Pair struct{ Key, Value any }

	// Array is a sequence of values of one type.
	Array struct {
		// Type is the elements' type; all Values are of its Go type.
		Type Type
		// Descriptors stand before every element, the outermost first; nil if
		// the elements are plain.
		Descriptors []any
		Values      []any
	}

	// Described is a value with a descriptor (a ulong or a Symbol, by custom).
	Described struct{ Descriptor, Value any }

	// Raw is one complete encoded value, constructor and all. Nil is no value.
	Raw []byte
)

// Get returns the value of the first entry whose key is the symbol or string key.
func (m Map) Get(key Symbol) (any, bool) {
	for _, p := range m {
		if k, ok := p.Key.(Symbol); ok && k == key {
			return p.Value, true
		}
		if k, ok := p.Key.(string); ok && k == string(key) {
			return p.Value, true
		}
	}
	return nil, false
}

// Clone returns a copy with memory of its own; nil stays nil.
func (v Raw) Clone() Raw { return bytes.Clone(v) }

// Opt is a field that may be absent (null on the wire).
type Opt[T any] struct {
	V   T
	Set bool
}

// Some returns a field that is there.
func Some[T any](v T) Opt[T] { return Opt[T]{V: v, Set: true} }

// Or returns the field's value, or def if it is absent.
func (o Opt[T]) Or(def T) T {
	if o.Set {
		return o.V
	}
	return def
}
