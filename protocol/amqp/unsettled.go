package amqp

import "sort"

// unsettled is the unsettled map of a session in one direction [amqp-transport
// 2.6.12], over all its links, in the order of delivery ids.
//
//	entries:  . . . . [id 7] dead [id 9] [id 12] dead [id 14]
//	          ^ gone  ^ head                                ^ append
//
// Settling mostly happens at the head and in runs, so an entry is found at its
// distance from the last one; gaps (deliveries that went settled are never in here)
// and compaction make that guess fail, then a binary search finds it. One old
// delivery that nobody settles costs nothing but its entry: dead ones behind it are
// squeezed out before the slice grows. A map was tried in thought and left: it has
// no order, and ranges are what dispositions speak of.
type unsettled struct {
	entries []entry
	head    int
	dead    int // at and behind head
	// last is the id that was given out last, whether it is in here or not.
	last uint64
}

type entry struct {
	id   uint64
	link *Link // nil: dead
	ref  uint64
	// told: the outcome was reported to the owner, or told to the peer.
	told bool
	// partial: the delivery is still arriving.
	partial bool
	// second: the delivery is settled in rcv-settle-mode second.
	second bool
}

// push appends. REQUIRES: e.id is above all ids before.
func (u *unsettled) push(e entry) {
	assert(len(u.entries) == 0 || u.entries[len(u.entries)-1].id < e.id, "delivery ids rise")
	if len(u.entries) == cap(u.entries) && u.head+u.dead > len(u.entries)/2 {
		u.compact()
	}
	u.entries = append(u.entries, e)
}

// compact squeezes out what is dead.
func (u *unsettled) compact() {
	kept := u.entries[:0]
	for _, e := range u.entries[u.head:] {
		if e.link != nil {
			kept = append(kept, e)
		}
	}
	clear(u.entries[len(kept):])
	u.entries, u.head, u.dead = kept, 0, 0
}

// seek returns the first living entry whose id is at least id, or nil.
// It is valid until the next push.
func (u *unsettled) seek(id uint64) *entry {
	i := u.position(id)
	for i < len(u.entries) && u.entries[i].link == nil {
		i++
	}
	if i == len(u.entries) {
		return nil
	}
	return &u.entries[i]
}

// find returns the living entry of id, or nil.
func (u *unsettled) find(id uint64) *entry {
	if e := u.seek(id); e != nil && e.id == id {
		return e
	}
	return nil
}

// position is the index of the first entry, dead or not, with at least this id.
func (u *unsettled) position(id uint64) int {
	n := len(u.entries)
	if u.head == n || u.entries[n-1].id < id {
		return n
	}
	if back := u.entries[n-1].id - id; back < uint64(n-u.head) {
		if guess := n - 1 - int(back); u.entries[guess].id == id {
			return guess
		}
	}
	return u.head + sort.Search(n-u.head, func(i int) bool { return u.entries[u.head+i].id >= id })
}

// kill removes an entry and counts it off its link.
func (u *unsettled) kill(e *entry) {
	assert(e.link != nil && e.link.unsettled > 0, "a delivery is settled once")
	e.link.unsettled--
	e.link, e.ref = nil, 0
	u.dead++
	for u.head < len(u.entries) && u.entries[u.head].link == nil {
		u.head++
		u.dead--
	}
	if u.head == len(u.entries) {
		u.entries, u.head = u.entries[:0], 0
	}
}

// drop removes all entries of a link.
func (u *unsettled) drop(l *Link) {
	if l.unsettled == 0 {
		return
	}
	for i := u.head; i < len(u.entries); i++ {
		if u.entries[i].link == l {
			u.entries[i].link = nil
			u.dead++
		}
	}
	l.unsettled = 0
	u.compact()
}

// shrink gives memory back that is not needed now.
func (u *unsettled) shrink() {
	if len(u.entries) == 0 && cap(u.entries) > 16 {
		u.entries = nil
	}
}
