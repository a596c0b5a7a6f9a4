package queue

// liveSet says which messages of a queue's [Head, Tail) are alive. Queues that
// are consumed in order have none: everything between head and tail is alive.
// It costs memory only where messages went out of order: 512 bytes for each
// page (4096 messages) in which some are alive and some are not, 8 for a page
// between such pages.
//
// Tried and left: a sorted list of dead runs. It is smaller for one hole, but
// an expiry that takes every second message of ten million makes it 160 MB,
// and a consumer that settles at random pays a search for each.
//
// Owner: the Machine. The pages' memory comes from, and goes back to, its pool.
type liveSet struct {
	first PageNo  // what pages[0] is
	pages []*page // nil: all alive; deadPage: none. Pages outside are all alive
	set   int     // pages that are not nil
}

// at is the page n, nil if all of it is alive. ls may be nil.
func (ls *liveSet) at(n PageNo) *page {
	if ls == nil || n < ls.first || n-ls.first >= PageNo(len(ls.pages)) {
		return nil
	}
	return ls.pages[n-ls.first]
}

// put makes p the page n, and gives the one that it was.
func (ls *liveSet) put(n PageNo, p *page) (old *page) {
	ls.cover(n)
	old = ls.pages[n-ls.first]
	ls.pages[n-ls.first] = p
	if old != nil {
		ls.set--
	}
	if p != nil {
		ls.set++
	}
	return old
}

// cover makes room for page n.
func (ls *liveSet) cover(n PageNo) {
	if len(ls.pages) == 0 {
		ls.first = n
	}
	if n < ls.first {
		grown := make([]*page, int(ls.first-n)+len(ls.pages))
		copy(grown[ls.first-n:], ls.pages)
		ls.first, ls.pages = n, grown
	}
	for n-ls.first >= PageNo(len(ls.pages)) {
		ls.pages = append(ls.pages, nil)
	}
}

// dropBefore takes out the pages before n, calling drop for each that was set.
func (ls *liveSet) dropBefore(n PageNo, drop func(PageNo, *page)) {
	if n <= ls.first {
		return
	}
	k := int(min(n-ls.first, PageNo(len(ls.pages))))
	for i, p := range ls.pages[:k] {
		if p != nil {
			ls.set--
			drop(ls.first+PageNo(i), p)
		}
	}
	// Moving down keeps the array for the pages to come; there are few.
	left := copy(ls.pages, ls.pages[k:])
	clear(ls.pages[left:])
	ls.pages = ls.pages[:left]
	ls.first = n
}

// nextAlive is the first message in [from, tail) that is alive, tail if none.
func (ls *liveSet) nextAlive(from, tail Seq) Seq {
	for from < tail {
		n := pageOf(from)
		p := ls.at(n)
		if p == nil {
			return from
		}
		if p != deadPage {
			if i := p.next(int(from - n.begin())); i < PageSize {
				return min(n.begin()+Seq(i), tail)
			}
		}
		from = n.end()
	}
	return tail
}

// nextDead is the first message in [from, tail) that is not alive, tail if none.
func (ls *liveSet) nextDead(from, tail Seq) Seq {
	lo, hi := ls.span()
	for from = max(from, lo); from < min(tail, hi); {
		n := pageOf(from)
		p := ls.at(n)
		if p != nil {
			if i := p.nextDead(int(from - n.begin())); i < PageSize {
				return min(n.begin()+Seq(i), tail)
			}
		}
		from = n.end()
	}
	return tail
}

// span is the range that pages say something about; beyond it all is alive, and
// nothing walks there, however wide the queue is. Without pages it is empty.
func (ls *liveSet) span() (lo, hi Seq) {
	if ls == nil {
		return 0, 0
	}
	return ls.first.begin(), (ls.first + PageNo(len(ls.pages))).begin()
}

// count is how many messages in [from, to), within [Head, Tail), are alive.
func (ls *liveSet) count(from, to Seq) (alive uint64) {
	if from >= to {
		return 0
	}
	alive = uint64(to - from)
	lo, hi := ls.span()
	for from, to = max(from, lo), min(to, hi); from < to; {
		n := pageOf(from)
		end := min(n.end(), to)
		if p := ls.at(n); p != nil {
			i, j := int(from-n.begin()), int(end-n.begin())
			alive -= uint64(j - i - p.count(i, j))
		}
		from = end
	}
	return alive
}
