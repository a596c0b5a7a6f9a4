package broker

import "sync"

// A mailbox carries work to the one goroutine that owns a piece of state. Any
// goroutine may post and never waits: what can grow is bounded by credit at the
// sender, not by a full mailbox, so that no two owners can ever wait for each
// other.
type mailbox[T any] struct {
	mu     sync.Mutex
	items  []T
	closed bool
	signal chan struct{} // capacity 1: "there is something"
	done   chan struct{} // closed by close
}

func newMailbox[T any]() *mailbox[T] {
	return &mailbox[T]{signal: make(chan struct{}, 1), done: make(chan struct{})}
}

// post adds items and wakes the owner. It reports false when the owner is gone;
// then nothing was added.
func (m *mailbox[T]) post(items ...T) bool {
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return false
	}
	wake := len(m.items) == 0
	m.items = append(m.items, items...)
	m.mu.Unlock()
	if wake {
		select {
		case m.signal <- struct{}{}:
		default:
		}
	}
	return true
}

// keepItems is how many items' room a mailbox keeps after a burst.
const keepItems = 16 << 10

// take gives the owner all that was posted; spare becomes the next buffer.
// REQUIRES: the owner is done with what it took before, and has cleared it: what
// was handed over must not be kept alive by a spare buffer.
func (m *mailbox[T]) take(spare []T) []T {
	if cap(spare) > keepItems {
		spare = nil
	}
	m.mu.Lock()
	got := m.items
	m.items = spare[:0]
	m.mu.Unlock()
	return got
}

// close ends the mailbox, once, and gives what was left in it.
func (m *mailbox[T]) close() []T {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	close(m.done)
	left := m.items
	m.items = nil
	return left
}
