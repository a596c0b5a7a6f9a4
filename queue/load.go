package queue

import "encoding/binary"

// The shard itself as a stored value (the store adds its checksum):
//
//	version u8 = 1 | nextID uv | nowMillis u64 | sweptMillis u64
const metaVersion = 1

// AppendMeta appends what the shard itself is, as a stored value. It belongs to
// every write of dirty rows.
func (m *Machine) AppendMeta(b []byte) []byte {
	b = append(b, metaVersion)
	b = binary.AppendUvarint(b, uint64(m.nextID))
	b = binary.BigEndian.AppendUint64(b, uint64(m.nowMillis))
	return binary.BigEndian.AppendUint64(b, uint64(m.sweptMillis))
}

// AppendPage appends a page of q's live set as a stored value. ok is false if
// the page needs no row (any more): the store deletes it.
func (m *Machine) AppendPage(b []byte, q ID, n PageNo) (_ []byte, ok bool) {
	s := m.queues.get(q)
	if s == nil {
		return b, false
	}
	p := s.live.at(n)
	if p == nil {
		return b, false
	}
	return appendPage(b, p), true
}

// LoadMeta is the first of three steps that fill a new machine from stored
// values: LoadMeta, then LoadState for each queue, then LoadPage for each row of
// a page. Nothing becomes dirty. The errors of all are *FormatErrors. Check
// tells whether what was loaded fits together.
func (m *Machine) LoadMeta(value []byte) error {
	d := decoder{p: value, what: "meta"}
	if v := d.u8("version"); v != metaVersion {
		d.fail("unknown version %d", v)
	}
	nextID := d.uvarint("nextID")
	nowMillis, sweptMillis := int64(d.u64("now")), int64(d.u64("swept"))
	if nextID == 0 || nextID > 1<<32-1 {
		d.fail("nextID %d is out of range", nextID)
	}
	if err := d.done(); err != nil {
		return err
	}
	m.nextID, m.nowMillis, m.sweptMillis = ID(nextID), nowMillis, sweptMillis
	return nil
}

// LoadState adds queue q. REQUIRES: LoadMeta has been called.
func (m *Machine) LoadState(q ID, value []byte) error {
	s, err := DecodeState(value)
	if err != nil {
		return err
	}
	if q == 0 || q >= m.nextID || m.queues.get(q) != nil {
		return formatErrorf(0, "state: queue %d is out of range or there twice", q)
	}
	m.queues.add(q, s)
	m.totals.Count += s.Count
	m.totals.Bytes += s.Bytes
	return nil
}

// LoadPage adds a page of q's live set. REQUIRES: q has been loaded.
func (m *Machine) LoadPage(q ID, n PageNo, value []byte) error {
	s := m.queues.get(q)
	if s == nil {
		return formatErrorf(0, "page: queue %d is not there", q)
	}
	if s.Head == s.Tail || n < pageOf(s.Head) || n > pageOf(s.Tail-1) {
		return formatErrorf(0, "page: %d is outside of queue %d", n, q)
	}
	p, err := decodePage(new(page), value)
	if err != nil {
		return err
	}
	if n == pageOf(s.Tail) && p.nextDead(int(s.Tail-n.begin())) != PageSize {
		return formatErrorf(0, "page: %d of queue %d has dead messages behind the tail", n, q)
	}
	if s.live == nil {
		s.live = new(liveSet)
	}
	s.live.put(n, p)
	return nil
}
