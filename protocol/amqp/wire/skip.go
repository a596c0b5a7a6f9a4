package wire

import (
	"encoding/binary"
	"math"
)

var errTooDeep = decodeError("values nest too deep")

// Skip steps over the next value. Of lists, maps and arrays it checks size and
// count, not what is inside.
func (r *Reader) Skip() error {
	c, err := r.code()
	if err != nil {
		return err
	}
	if c != codeDescribed {
		return r.skipUntyped(c)
	}
	if r.depth >= MaxDepth {
		return errTooDeep
	}
	r.depth++
	defer func() { r.depth-- }()
	if err := r.Skip(); err != nil {
		return err
	}
	return r.Skip()
}

// skipUntyped steps over the bytes behind the format code c.
func (r *Reader) skipUntyped(c byte) error {
	switch t := typeOf[c]; {
	case t == 0:
		return unknownCode(c)
	case t == TypeList, t == TypeMap, t == TypeArray:
		_, end, err := r.compound(c)
		if err == nil {
			r.off = end
		}
		return err
	}
	if width, ok := fixedWidth(c); ok {
		_, err := r.take(width)
		return err
	}
	_, err := r.sized(c)
	return err
}

// ReadRaw returns the next value as it stands, after Skip's checks. It aliases
// the input.
func (r *Reader) ReadRaw() (Raw, error) {
	start := r.off
	if err := r.Skip(); err != nil {
		return nil, err
	}
	return Raw(r.buf[start:r.off:r.off]), nil
}

// compound reads size and count behind the format code c of a list, map or array.
// It returns how many elements there are (in a map: keys and values) and the
// offset where they end. The elements of a list or map are at most as many as
// their bytes.
func (r *Reader) compound(c byte) (count, end int, err error) {
	if c == codeList0 {
		return 0, r.off, nil
	}
	p, err := r.sized(c)
	if err != nil {
		return 0, 0, err
	}
	end = r.off
	width := 1
	if isWide(c) {
		width = 4
	}
	if len(p) < width {
		return 0, 0, decodeError("the size leaves no room for the count")
	}
	n := uint64(p[0])
	if width == 4 {
		n = uint64(binary.BigEndian.Uint32(p))
	}
	room := len(p) - width
	switch t := typeOf[c]; {
	case t == TypeArray && room == 0:
		return 0, 0, decodeError("an array has no constructor")
	case t != TypeArray && n > uint64(room):
		return 0, 0, decodeError("the count is more than the size holds")
	case n > math.MaxInt32:
		return 0, 0, decodeError("the count is beyond all reason")
	case t == TypeMap && n%2 != 0:
		return 0, 0, decodeError("a map has a key without a value")
	}
	r.off = end - room
	return int(n), end, nil
}

// within narrows the reader to what ends at end; widen undoes it.
func (r *Reader) within(end int) (outer int) {
	outer = len(r.buf)
	r.buf = r.buf[:end]
	return outer
}

func (r *Reader) widen(outer int) { r.buf = r.buf[:outer] }

// enter reads the beginning of a list or map, narrows the reader to its elements,
// and returns their count and what leave wants.
func (r *Reader) enter(want Type) (count, outer int, err error) {
	c, err := r.typed(want)
	if err != nil {
		return 0, 0, err
	}
	count, end, err := r.compound(c)
	if err != nil {
		return 0, 0, err
	}
	return count, r.within(end), nil
}

// leave undoes enter after the last element.
func (r *Reader) leave(outer int) error {
	left := r.Len()
	r.widen(outer)
	if left > 0 {
		return decodeError("bytes follow the last element")
	}
	return nil
}

// walk steps over a list or map and checks that its elements are whole values and
// as many as it says.
func (r *Reader) walk(want Type) error {
	count, outer, err := r.enter(want)
	if err != nil {
		return err
	}
	for range count {
		if err := r.Skip(); err != nil {
			return err
		}
	}
	return r.leave(outer)
}
