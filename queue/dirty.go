package queue

import (
	"cmp"
	"slices"
)

// dirtySet is what changed in a Machine since it was last taken: queues, and
// pages of live sets. A mark at the state and at the page keeps out doubles on
// the hot path; the rare ones that remain are taken out when it is read.
type dirtySet struct {
	queues []ID
	pages  []dirtyPage
	batch  []PageNo // scratch of take
}

type dirtyPage struct {
	q ID
	n PageNo
}

// queue notes that s, the state of q, changed.
func (d *dirtySet) queue(q ID, s *State) {
	if s.flags&stateDirty == 0 {
		s.flags |= stateDirty
		d.queues = append(d.queues, q)
	}
}

// deleted notes that q is no more.
func (d *dirtySet) deleted(q ID) { d.queues = append(d.queues, q) }

// page notes that page n of q changes; p is what it is or was (nil: all alive).
func (d *dirtySet) page(q ID, n PageNo, p *page) {
	if p != nil && p != deadPage {
		if p.dirty {
			return
		}
		p.dirty = true
	}
	d.pages = append(d.pages, dirtyPage{q, n})
}

// TakeDirty calls f for each queue that changed since the last call, in the
// order of ids, with the pages of its live set that changed, in order. s is nil
// for a queue that was deleted: all its rows go, and pages is empty. s and
// pages are valid during the call of f, which must not change the Machine.
func (m *Machine) TakeDirty(f func(q ID, s *State, pages []PageNo)) {
	d := &m.dirty
	slices.Sort(d.queues)
	slices.SortFunc(d.pages, func(a, b dirtyPage) int {
		return cmp.Or(cmp.Compare(a.q, b.q), cmp.Compare(a.n, b.n))
	})
	pages := d.pages
	for i, q := range d.queues {
		if i > 0 && q == d.queues[i-1] {
			continue
		}
		s := m.queues.get(q)
		pages = d.takePages(pages, q, s)
		if s != nil {
			s.flags &^= stateDirty
		} else {
			d.batch = d.batch[:0]
		}
		f(q, s, d.batch)
	}
	d.queues, d.pages = shrink(d.queues), shrink(d.pages)
}

// takePages collects q's pages into batch and gives those that follow.
func (d *dirtySet) takePages(pages []dirtyPage, q ID, s *State) []dirtyPage {
	d.batch = d.batch[:0]
	for len(pages) > 0 && pages[0].q == q {
		n := pages[0].n
		if len(d.batch) == 0 || d.batch[len(d.batch)-1] != n {
			d.batch = append(d.batch, n)
		}
		if s != nil {
			if p := s.live.at(n); p != nil && p != deadPage {
				p.dirty = false
			}
		}
		pages = pages[1:]
	}
	return pages
}

// shrink empties a list and lets go of an array that one large change made.
func shrink[T any](list []T) []T {
	const keep = 64 << 10
	if cap(list) > keep {
		return nil
	}
	return list[:0]
}
