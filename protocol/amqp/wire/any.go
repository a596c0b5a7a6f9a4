package wire

import "fmt"

// ReadAny reads the next value, whatever it is. What it returns has its own
// memory. The Go types are:
//
//	null     nil        ubyte   uint8     float       float32      binary  []byte
//	boolean  bool       ushort  uint16    double      float64      string  string
//	byte     int8       uint    uint32    decimal32   Decimal32    symbol  Symbol
//	short    int16      ulong   uint64    decimal64   Decimal64    list    List
//	int      int32      char    Char      decimal128  Decimal128   map     Map
//	long     int64      uuid    UUID      timestamp   Timestamp    array   Array
//	described values    Described
//
// Keys of a map are not compared with each other: duplicates come as they stand.
func (r *Reader) ReadAny() (any, error) {
	c, err := r.code()
	if err != nil {
		return nil, err
	}
	if c != codeDescribed {
		v, err := r.untyped(c)
		if err != nil {
			return nil, err
		}
		return v, nil
	}
	if r.depth >= MaxDepth {
		return nil, errTooDeep
	}
	r.depth++
	defer func() { r.depth-- }()
	descriptor, err := r.ReadAny()
	if err != nil {
		return nil, err
	}
	value, err := r.ReadAny()
	if err != nil {
		return nil, err
	}
	return Described{Descriptor: descriptor, Value: value}, nil
}

// untyped reads the value behind the format code c.
func (r *Reader) untyped(c byte) (any, error) {
	switch typeOf[c] {
	case TypeList, TypeMap, TypeArray:
		return r.untypedCompound(c)
	case TypeBinary:
		p, err := r.sized(c)
		return append([]byte{}, p...), err
	case TypeString:
		p, err := r.stringBytes(c)
		return string(p), err
	case TypeSymbol:
		p, err := r.symbolBytes(c)
		return internSymbol(p), err
	case TypeBoolean:
		return r.boolean(c)
	case TypeChar:
		return r.char(c)
	case TypeUUID, TypeDecimal128, TypeDecimal64, TypeDecimal32:
		width, _ := fixedWidth(c)
		p, err := r.take(width)
		if err != nil {
			return nil, err
		}
		return untypedBytes(typeOf[c], p), nil
	}
	return r.untypedNumber(c)
}

// untypedBytes returns p as the type of fixed width that is carried in bytes.
func untypedBytes(t Type, p []byte) any {
	switch t {
	case TypeUUID:
		return UUID(p)
	case TypeDecimal32:
		return Decimal32(p)
	case TypeDecimal64:
		return Decimal64(p)
	}
	return Decimal128(p)
}

// untypedNumber reads null or a number.
func (r *Reader) untypedNumber(c byte) (any, error) {
	switch t := typeOf[c]; t {
	case 0:
		return nil, unknownCode(c)
	case TypeNull:
		return nil, nil
	case TypeInt:
		n, err := r.signed(c, codeSmallInt)
		return int32(n), err
	case TypeLong:
		return asAny(r.signed(c, codeSmallLong))
	default:
		n, err := r.number(c)
		return numberOf(t, n), err
	}
}

func asAny[T any](v T, err error) (any, error) { return v, err }

// untypedCompound reads a list, map or array, one level deeper.
func (r *Reader) untypedCompound(c byte) (v any, err error) {
	if r.depth >= MaxDepth {
		return nil, errTooDeep
	}
	count, end, err := r.compound(c)
	if err != nil {
		return nil, err
	}
	r.depth++
	outer := r.within(end)
	switch typeOf[c] {
	case TypeList:
		v, err = asAny(r.elements(count))
	case TypeMap:
		v, err = asAny(r.pairs(count))
	default:
		v, err = asAny(r.array(count))
	}
	if err != nil {
		return nil, err
	}
	r.depth--
	return v, r.leave(outer)
}

// announce takes the count that a list, map or array announces. Each element has
// at least one byte of its own, so all counts together can't be more than the
// input: with that, room for them may be made at once, however they nest.
func (r *Reader) announce(count int) error {
	if count > r.room {
		return decodeError("the counts are more than the input holds")
	}
	r.room -= count
	return nil
}

// elements reads the elements of a list.
func (r *Reader) elements(count int) (List, error) {
	if err := r.announce(count); err != nil {
		return nil, err
	}
	list := make(List, 0, count)
	for range count {
		v, err := r.ReadAny()
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, nil
}

// pairs reads the entries of a map of count keys and values.
func (r *Reader) pairs(count int) (Map, error) {
	if err := r.announce(count); err != nil {
		return nil, err
	}
	m := make(Map, 0, count/2)
	for range count / 2 {
		k, err := r.ReadAny()
		if err != nil {
			return nil, err
		}
		v, err := r.ReadAny()
		if err != nil {
			return nil, err
		}
		m = append(m, Pair{Key: k, Value: v})
	}
	return m, nil
}

// ReadMap reads a map, or null, which becomes a nil Map. It has its own memory.
func (r *Reader) ReadMap() (Map, error) {
	if r.TryNull() {
		return nil, nil
	}
	c, err := r.typed(TypeMap)
	if err != nil {
		return nil, err
	}
	v, err := r.untypedCompound(c)
	if err != nil {
		return nil, err
	}
	return v.(Map), nil
}

// AppendAny appends v, which is of a type that ReadAny returns, or a Raw, which
// stands for itself. Any other type is a bug of the caller's and panics.
func AppendAny(b []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(b, codeNull)
	case bool:
		return AppendBoolean(b, v)
	case int32:
		return AppendInt(b, v)
	case int64:
		return AppendLong(b, v)
	case uint32:
		return AppendUint(b, v)
	case uint64:
		return AppendUlong(b, v)
	case []byte:
		return AppendBinary(b, v)
	case string:
		return AppendString(b, v)
	case Symbol:
		return AppendSymbol(b, v)
	case List:
		return appendList(b, v)
	case Map:
		return appendMap(b, v)
	case Array:
		return appendArray(b, v)
	case Described:
		return AppendAny(AppendAny(append(b, codeDescribed), v.Descriptor), v.Value)
	case Raw:
		return append(b, v...)
	}
	// What has one encoding only is the same here as in an array.
	t := typeOfGo(v)
	if t == 0 {
		panic(fmt.Sprintf("wire: %T is no AMQP type", v))
	}
	c := arrayCodes[t]
	return appendUntyped(append(b, c), c, v)
}

func appendList(b []byte, v List) []byte {
	if len(v) == 0 {
		return append(b, codeList0)
	}
	start := len(b)
	b = openCompound(b)
	for _, e := range v {
		b = AppendAny(b, e)
	}
	return closeCompound(b, start, codeList8, len(v))
}

func appendMap(b []byte, v Map) []byte {
	start := len(b)
	b = openCompound(b)
	for _, p := range v {
		b = AppendAny(AppendAny(b, p.Key), p.Value)
	}
	return closeCompound(b, start, codeMap8, 2*len(v))
}
