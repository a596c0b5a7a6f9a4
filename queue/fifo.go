package queue

import "slices"

// fifo is a list that is added to at the end and taken from at the front. Its
// memory is used again.
type fifo[T any] struct {
	list []T
	head int
}

func (f *fifo[T]) len() int { return len(f.list) - f.head }

// all is what is in it, the oldest first. It is valid until the next push.
func (f *fifo[T]) all() []T { return f.list[f.head:] }

func (f *fifo[T]) push(x T) {
	if f.head > 64 && f.head*2 > len(f.list) {
		n := copy(f.list, f.list[f.head:])
		clear(f.list[n:])
		f.list, f.head = f.list[:n], 0
	}
	f.list = append(f.list, x)
}

// pop takes out the oldest. REQUIRES: there is one.
func (f *fifo[T]) pop() T {
	var none T
	x := f.list[f.head]
	f.list[f.head] = none
	f.head++
	if f.head == len(f.list) {
		f.list, f.head = f.list[:0], 0
	}
	return x
}

// takeFirst takes out the oldest one that matches: O(1) if that is the oldest
// of all.
func (f *fifo[T]) takeFirst(match func(*T) bool) (x T, ok bool) {
	for i := f.head; i < len(f.list); i++ {
		if !match(&f.list[i]) {
			continue
		}
		if i == f.head {
			return f.pop(), true
		}
		x = f.list[i]
		f.list = slices.Delete(f.list, i, i+1)
		return x, true
	}
	return x, false
}
