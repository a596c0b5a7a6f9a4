package queue

import (
	"encoding/binary"
	"math/bits"
)

// PageNo numbers the pages of a queue's live set: page n is about the messages
// [n*PageSize, (n+1)*PageSize).
type PageNo uint64

// PageSize is how many messages one page of a live set is about.
const PageSize = 4096

const pageWords = PageSize / 64

func pageOf(s Seq) PageNo { return PageNo(s / PageSize) }

// begin and end are the page's first message and the one behind its last.
func (n PageNo) begin() Seq { return Seq(n) * PageSize }
func (n PageNo) end() Seq   { return Seq(n+1) * PageSize }

// page is one page of a live set: a bit for each message, one for alive. Bits
// of messages outside [Head, Tail) mean nothing: those behind Tail are one, so
// that an Enqueue has nothing to do.
type page struct {
	bits  [pageWords]uint64
	ones  int  // bits that are one
	dirty bool // it is in Machine.dirtyPages
}

// deadPage stands for every page without a live message. It is shared, and
// never written.
var deadPage = &page{}

// fill makes every message of the page alive.
func (p *page) fill() {
	for i := range p.bits {
		p.bits[i] = ^uint64(0)
	}
	p.ones, p.dirty = PageSize, false
}

// clear takes the messages [from, to) of the page out, offsets within it.
func (p *page) clear(from, to int) {
	for w := from / 64; w*64 < to; w++ {
		mask := wordMask(w, from, to)
		p.ones -= bits.OnesCount64(p.bits[w] & mask)
		p.bits[w] &^= mask
	}
}

// count is how many of [from, to) are alive.
func (p *page) count(from, to int) (n int) {
	for w := from / 64; w*64 < to; w++ {
		n += bits.OnesCount64(p.bits[w] & wordMask(w, from, to))
	}
	return n
}

// next is the first live offset at or behind from, PageSize if there is none.
func (p *page) next(from int) int {
	mask := ^uint64(0) << (from % 64)
	for w := from / 64; w < pageWords; w++ {
		if b := p.bits[w] & mask; b != 0 {
			return w*64 + bits.TrailingZeros64(b)
		}
		mask = ^uint64(0)
	}
	return PageSize
}

// nextDead is the first dead offset at or behind from, PageSize if there is none.
func (p *page) nextDead(from int) int {
	mask := ^uint64(0) << (from % 64)
	for w := from / 64; w < pageWords; w++ {
		if b := ^p.bits[w] & mask; b != 0 {
			return w*64 + bits.TrailingZeros64(b)
		}
		mask = ^uint64(0)
	}
	return PageSize
}

// wordMask has a one for each offset of word w that is in [from, to).
func wordMask(w, from, to int) uint64 {
	mask := ^uint64(0)
	if from > w*64 {
		mask <<= from - w*64
	}
	if rest := (w+1)*64 - to; rest > 0 {
		mask &= ^uint64(0) >> rest
	}
	return mask
}

// A page as a stored value (the store adds its checksum). A page whose messages
// are all alive has no row.
//
//	version u8 = 1 | form u8
//	  form 0: no message is alive; nothing follows
//	  form 1: 64 words u64, big-endian; bit b of word w is message w*64+b
const (
	pageVersion = 1
	pageDead    = 0
	pageBits    = 1
)

// appendPage appends p as a stored value.
func appendPage(b []byte, p *page) []byte {
	if p == deadPage {
		return append(b, pageVersion, pageDead)
	}
	b = append(b, pageVersion, pageBits)
	for _, w := range p.bits {
		b = binary.BigEndian.AppendUint64(b, w)
	}
	return b
}

// decodePage reads what appendPage wrote into p, or gives deadPage.
func decodePage(p *page, value []byte) (*page, error) {
	d := decoder{p: value, what: "page"}
	if v := d.u8("version"); v != pageVersion {
		d.fail("unknown version %d", v)
	}
	form := d.u8("form")
	switch form {
	case pageDead:
		return deadPage, d.done()
	case pageBits:
		p.ones, p.dirty = 0, false
		for i := range p.bits {
			p.bits[i] = d.u64("bits")
			p.ones += bits.OnesCount64(p.bits[i])
		}
		return p, d.done()
	}
	d.fail("unknown form %d", form)
	return nil, d.done()
}
