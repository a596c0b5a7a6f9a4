package amqp

// denseEntries is how many low numbers a table keeps in a slice. Peers use the
// lowest free channel or handle, so the map is for those who do not.
const denseEntries = 256

// table maps the numbers that a peer has chosen (channels, handles) to what they
// stand for. A high number costs no more memory than a low one.
type table[T any] struct {
	dense  []*T
	sparse map[uint32]*T
}

// get returns nil for a number that stands for nothing.
func (t *table[T]) get(n uint32) *T {
	if n < uint32(len(t.dense)) {
		return t.dense[n]
	}
	return t.sparse[n]
}

// set makes n stand for v; nil frees it.
func (t *table[T]) set(n uint32, v *T) {
	switch {
	case n < denseEntries:
		for uint32(len(t.dense)) <= n {
			t.dense = append(t.dense, nil)
		}
		t.dense[n] = v
	case v == nil:
		delete(t.sparse, n)
	default:
		if t.sparse == nil {
			t.sparse = make(map[uint32]*T)
		}
		t.sparse[n] = v
	}
}

// slots hands out our own numbers, the lowest free one first.
type slots[T any] struct {
	used []*T
	// free is the lowest number that may be free.
	// Invariant: all slots below it are used.
	free int
}

// take gives v a number of at most max; ok is false if none is free.
func (s *slots[T]) take(v *T, max uint32) (n uint32, ok bool) {
	i := s.free
	for i < len(s.used) && s.used[i] != nil {
		i++
	}
	if uint64(i) > uint64(max) {
		return 0, false
	}
	if i == len(s.used) {
		s.used = append(s.used, nil)
	}
	s.used[i], s.free = v, i+1
	return uint32(i), true
}

func (s *slots[T]) release(n uint32) {
	s.used[n] = nil
	s.free = min(s.free, int(n))
}

// get returns nil for a number that is not taken.
func (s *slots[T]) get(n uint32) *T {
	if uint64(n) < uint64(len(s.used)) {
		return s.used[n]
	}
	return nil
}
