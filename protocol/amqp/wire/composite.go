package wire

import (
	"bytes"
	"strings"
)

// Composite is a described list of the specification. Append writes exactly what
// Decode reads, descriptor and all. Hot paths call the methods of the concrete
// types, so that nothing escapes to the heap.
type Composite interface {
	Descriptor() Descriptor
	// Append appends the encoded composite to b.
	Append(b []byte) []byte
	// Decode reads the composite in place and forgets what was there before.
	// After an error (always a *DecodeError that names composite and field) the
	// contents and the reader's position are undefined.
	Decode(r *Reader) error
}

// A composite on the wire [amqp-types 1.4]:
//
//	+------+------------+------+------+-------+---------+---------+--
//	| 0x00 | descriptor | 0xc0 | size | count | field 1 | field 2 | ...
//	+------+------------+------+------+-------+---------+---------+--
//
// Fields stand in the order of the specification; an absent one is null, and nulls
// at the end are left out. Without any field the list is 0x45.

// fieldReader reads the fields of one composite in their order. The first error
// stays; whatever is read after it is absent. So a Decode method is a list of its
// fields, and the one check is at the end.
type fieldReader struct {
	r     *Reader
	desc  Descriptor
	field string // the last one that was asked for
	left  int    // fields that are still to come
	outer int    // see Reader.enter
	// failed: the error is in r.err. It is not here because then the compiler would
	// think that the returned error holds the Reader, and put it on the heap.
	failed bool
}

// readFields reads the beginning of a composite, which must be of type desc.
func readFields(r *Reader, desc Descriptor) fieldReader {
	f := fieldReader{r: r, desc: desc}
	got, err := r.ReadDescriptor()
	if err == nil && got != desc {
		err = decodeError("want " + desc.String() + ", got " + got.String())
	}
	if err != nil {
		f.fail(err)
		return f
	}
	f.left, f.outer, err = r.enter(TypeList)
	f.fail(err)
	return f
}

// fail keeps the first error and completes it by the place.
func (f *fieldReader) fail(err error) {
	if err != nil {
		f.locate(err)
	}
}

// locate is apart from fail so that fail costs a comparison.
func (f *fieldReader) locate(err error) {
	if !f.failed {
		f.failed = true
		f.r.err = located(err, f.desc.String(), strings.Clone(f.field))
	}
}

// next moves on to the next field and reports whether it is there.
func (f *fieldReader) next(field string) bool {
	f.field = field
	if f.failed || f.left == 0 {
		return false
	}
	f.left--
	return !f.r.TryNull()
}

// close checks that the list ends where the fields do.
func (f *fieldReader) close() error {
	if !f.failed {
		f.field = ""
		if f.left > 0 {
			f.fail(decodeError("the list has more fields than the type"))
		} else {
			f.fail(f.r.leave(f.outer))
		}
	}
	return f.err()
}

// err returns the first error.
func (f *fieldReader) err() error {
	if f.failed {
		return f.r.err
	}
	return nil
}

// must returns a mandatory field.
func must[T any](f *fieldReader, v Opt[T]) T {
	if !v.Set {
		f.fail(invalidField("the field is mandatory"))
	}
	return v.V
}

// as converts a field to the Go type of its restricted type.
func as[To, From ~uint8 | ~uint32](v Opt[From]) Opt[To] {
	return Opt[To]{V: To(v.V), Set: v.Set}
}

// The functions that follow differ in a word or two. One that took the reading as
// a func would put the Reader on the heap.

func (f *fieldReader) boolean(field string) (v Opt[bool]) {
	if f.next(field) {
		n, err := f.r.ReadBoolean()
		f.fail(err)
		v = Some(n)
	}
	return v
}

// flag is a boolean that is false by default.
func (f *fieldReader) flag(field string) bool { return f.boolean(field).V }

func (f *fieldReader) ubyte(field string) (v Opt[uint8]) {
	if f.next(field) {
		n, err := f.r.ReadUbyte()
		f.fail(err)
		v = Some(n)
	}
	return v
}

// choice is a ubyte of which only the values 0..last have a meaning.
func (f *fieldReader) choice(field string, last uint8) Opt[uint8] {
	v := f.ubyte(field)
	if v.V > last {
		f.fail(invalidField("the value has no meaning"))
	}
	return v
}

func (f *fieldReader) ushort(field string) (v Opt[uint16]) {
	if f.next(field) {
		n, err := f.r.ReadUshort()
		f.fail(err)
		v = Some(n)
	}
	return v
}

func (f *fieldReader) uint(field string) (v Opt[uint32]) {
	if f.next(field) {
		n, err := f.r.ReadUint()
		f.fail(err)
		v = Some(n)
	}
	return v
}

func (f *fieldReader) ulong(field string) (v Opt[uint64]) {
	if f.next(field) {
		n, err := f.r.ReadUlong()
		f.fail(err)
		v = Some(n)
	}
	return v
}

func (f *fieldReader) timestamp(field string) (v Opt[Timestamp]) {
	if f.next(field) {
		n, err := f.r.ReadTimestamp()
		f.fail(err)
		v = Some(n)
	}
	return v
}

func (f *fieldReader) string(field string) (v Opt[string]) {
	if f.next(field) {
		s, err := f.r.ReadString()
		f.fail(err)
		v = Some(s)
	}
	return v
}

func (f *fieldReader) symbol(field string) (v Opt[Symbol]) {
	if f.next(field) {
		s, err := f.r.ReadSymbol()
		f.fail(err)
		v = Some(s)
	}
	return v
}

// binary aliases the input; nil is absent.
func (f *fieldReader) binary(field string) (v []byte) {
	if f.next(field) {
		p, err := f.r.ReadBinary()
		f.fail(err)
		v = p
	}
	return v
}

// mustBinary is mandatory and has its own memory.
func (f *fieldReader) mustBinary(field string) []byte {
	v := f.binary(field)
	if v == nil {
		f.fail(invalidField("the field is mandatory"))
	}
	return bytes.Clone(v)
}

// symbols reads a field that may have several values: one symbol, or an array of
// them [amqp-types 1.4, "multiple"].
func (f *fieldReader) symbols(field string) []Symbol {
	if !f.next(field) {
		return nil
	}
	v, err := f.r.ReadAny()
	if err != nil {
		f.fail(err)
		return nil
	}
	switch v := v.(type) {
	case Symbol:
		return []Symbol{v}
	case Array:
		if v.Type == TypeSymbol && v.Descriptors == nil {
			symbols := make([]Symbol, len(v.Values))
			for i := range v.Values {
				symbols[i] = v.Values[i].(Symbol)
			}
			return symbols
		}
	}
	f.fail(decodeError("want symbols"))
	return nil
}

// fields reads a map of the type "fields" and the like; it has its own memory.
func (f *fieldReader) fields(field string) (v Map) {
	if f.next(field) {
		m, err := f.r.ReadMap()
		f.fail(err)
		v = m
	}
	return v
}

// rawMap reads a map as it is, after a check that its entries are whole values.
// It aliases the input.
func (f *fieldReader) rawMap(field string) Raw {
	if !f.next(field) {
		return nil
	}
	start := f.r.off
	if err := f.r.walk(TypeMap); err != nil {
		f.fail(err)
		return nil
	}
	return Raw(f.r.buf[start:f.r.off:f.r.off])
}

// any reads a field of no defined type; it has its own memory.
func (f *fieldReader) any(field string) (v any) {
	if f.next(field) {
		a, err := f.r.ReadAny()
		f.fail(err)
		v = a
	}
	return v
}

// peek returns the descriptor of the field that next has found.
func (f *fieldReader) peek() Descriptor {
	d, err := f.r.peekDescriptor()
	f.fail(err)
	return d
}

// raw returns the field that next has found as it stands. It aliases the input.
func (f *fieldReader) raw() Raw {
	if f.failed {
		return nil
	}
	v, err := f.r.ReadRaw()
	f.fail(err)
	return v
}

// skip steps over a field.
func (f *fieldReader) skip() {
	if f.next("") {
		f.fail(f.r.Skip())
	}
}
