package queue

import (
	"encoding/binary"
	"slices"
)

// The shard itself as a stored value (the store adds its checksum):
//
//	version u8 = 2 | nextID uv | nowMillis u64 | sweptMillis u64 |
//	n uv | n * (node u64, seq uv) |                          origins, by last use
//	n uv | n * (key length u8, key, value length uv, value)  settings, by key
//
// Version 1 ends behind sweptMillis.
const metaVersion = 2

// AppendMeta appends what the shard itself is, as a stored value. It belongs to
// every write of dirty rows.
func (m *Machine) AppendMeta(b []byte) []byte {
	b = append(b, metaVersion)
	b = binary.AppendUvarint(b, uint64(m.nextID))
	b = binary.BigEndian.AppendUint64(b, uint64(m.nowMillis))
	b = binary.BigEndian.AppendUint64(b, uint64(m.sweptMillis))
	b = binary.AppendUvarint(b, uint64(len(m.origins)))
	for _, o := range m.origins {
		b = binary.BigEndian.AppendUint64(b, o.Node)
		b = binary.AppendUvarint(b, o.Seq)
	}
	b = binary.AppendUvarint(b, uint64(len(m.settings)))
	for _, s := range m.settings {
		b = append(b, byte(len(s.key)))
		b = append(b, s.key...)
		b = binary.AppendUvarint(b, uint64(len(s.value)))
		b = append(b, s.value...)
	}
	return b
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
	version := d.u8("version")
	if version < 1 || version > metaVersion {
		d.fail("unknown version %d", version)
	}
	nextID := d.uvarint("nextID")
	nowMillis, sweptMillis := int64(d.u64("now")), int64(d.u64("swept"))
	if nextID == 0 || nextID > 1<<32-1 {
		d.fail("nextID %d is out of range", nextID)
	}
	var origins origins
	var settings settings
	if version >= 2 {
		origins, settings = d.origins(), d.settings()
	}
	if err := d.done(); err != nil {
		return err
	}
	m.nextID, m.nowMillis, m.sweptMillis = ID(nextID), nowMillis, sweptMillis
	m.origins, m.settings = origins, settings
	return nil
}

// origins decodes a shard's origins.
func (d *decoder) origins() (t origins) {
	n := d.uvarint("origins")
	if n > maxOrigins {
		d.fail("%d origins", n)
	}
	for ; n > 0 && d.err == nil; n-- {
		o := Origin{Node: d.u64("node"), Seq: d.uvarint("seq")}
		if o.Node == 0 || o.Seq == 0 || t.find(o.Node) >= 0 {
			d.fail("origin %d is 0 or there twice", o.Node)
		}
		t = append(t, o)
	}
	return t
}

// settings decodes a shard's settings.
func (d *decoder) settings() (all settings) {
	for n := d.uvarint("settings"); n > 0 && d.err == nil; n-- {
		s := setting{key: string(d.bytes("key", int(d.u8("key length"))))}
		size := d.uvarint("value length")
		if size == 0 || size > MaxSettingValue {
			d.fail("setting %q has %d bytes", s.key, size)
			return nil
		}
		s.value = slices.Clone(d.bytes("value", int(size)))
		if s.key == "" || len(all) > 0 && s.key <= all[len(all)-1].key {
			d.fail("settings are not in order at %q", s.key)
		}
		all = append(all, s)
	}
	return all
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
