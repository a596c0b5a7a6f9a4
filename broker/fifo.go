package broker

import "slices"

// fifo is a queue of items. Its room is that of the most items it held lately.
// Owner: whoever has it.
type fifo[T any] struct {
	items []T // from head on
	head  int
}

func (f *fifo[T]) len() int { return len(f.items) - f.head }

func (f *fifo[T]) push(item T) {
	// Half of the room is taken up by what has left: to move the rest costs less than
	// one step for each that came. Else a queue that never runs empty would grow.
	if len(f.items) == cap(f.items) && f.head > len(f.items)/2 {
		kept := copy(f.items, f.items[f.head:])
		clear(f.items[kept:])
		f.items, f.head = f.items[:kept], 0
	}
	f.items = append(f.items, item)
}

// pop takes the first item. REQUIRES: there is one.
func (f *fifo[T]) pop() T {
	var none T
	item := f.items[f.head]
	f.items[f.head] = none
	f.head++
	f.settle()
	return item
}

// popLast takes the last item back. REQUIRES: there is one.
func (f *fifo[T]) popLast() T {
	var none T
	last := len(f.items) - 1
	item := f.items[last]
	f.items[last] = none
	f.items = f.items[:last]
	f.settle()
	return item
}

// takeFirst takes out the first item that matches.
func (f *fifo[T]) takeFirst(match func(*T) bool) (item T, ok bool) {
	for i := f.head; i < len(f.items); i++ {
		if match(&f.items[i]) {
			item = f.items[i]
			f.items = slices.Delete(f.items, i, i+1)
			f.settle()
			return item, true
		}
	}
	return item, false
}

// settle begins at the front again when nothing is left.
func (f *fifo[T]) settle() {
	if f.head == len(f.items) {
		f.items, f.head = f.items[:0], 0
	}
}

// trim gives up the room of an empty queue.
func (f *fifo[T]) trim() {
	if f.len() == 0 {
		*f = fifo[T]{}
	}
}
