package journal

// rowWalker goes over the rows of one generation in the order of a stream, and
// checks each.
type rowWalker struct {
	space space
	it    *iterator
	kind  int // place in streamKinds
	begun bool
}

// next gives the next row; it is valid until the following next.
func (w *rowWalker) next() (key, value []byte, ok bool, err error) {
	for w.kind < len(streamKinds) {
		valid := false
		if w.begun {
			valid = w.it.Next()
		} else {
			prefix := w.space.prefix(nil, streamKinds[w.kind])
			w.it.SetBounds(prefix, prefixEnd(prefix))
			valid, w.begun = w.it.First(), true
		}
		if valid {
			key = w.it.Key()
			if value, err = w.it.ValueAndErr(); err == nil {
				return key, value, true, checkRow(key, value)
			}
		}
		if err := w.it.Error(); err != nil {
			return nil, nil, false, readError(w.space.prefix(nil, streamKinds[w.kind]), err)
		}
		w.kind, w.begun = w.kind+1, false
	}
	return nil, nil, false, nil
}

func (w *rowWalker) restart() { w.kind, w.begun = 0, false }
