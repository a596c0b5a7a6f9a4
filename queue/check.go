package queue

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
)

// Check holds every invariant against the whole state: after loading, and in
// tests. It costs O(queues + pages) and tells of the first that is broken.
func (m *Machine) Check() error {
	var count, bytes uint64
	var err error
	m.queues.each(func(q ID, s *State) bool {
		count += s.Count
		bytes += s.Bytes
		if what := s.wrong(); what != "" {
			err = fmt.Errorf("queue %d: %s", q, what)
		} else if what := s.wrongLive(); what != "" {
			err = fmt.Errorf("queue %d: %s", q, what)
		} else if q >= m.nextID {
			err = fmt.Errorf("queue %d: the next id is %d", q, m.nextID)
		}
		return err == nil
	})
	if err == nil && (count != m.totals.Count || bytes != m.totals.Bytes) {
		err = fmt.Errorf("totals: %d messages, %d bytes; the queues have %d, %d", m.totals.Count, m.totals.Bytes, count, bytes)
	}
	return err
}

// wrongLive names the first invariant between a state and its live set that
// does not hold.
func (s *State) wrongLive() string {
	if s.Head < s.Tail && s.live.nextAlive(s.Head, s.Tail) != s.Head {
		return "head is not alive"
	}
	if n := s.live.count(s.Head, s.Tail); n != s.Count {
		return fmt.Sprintf("count is %d, %d are alive", s.Count, n)
	}
	if s.live == nil {
		return ""
	}
	set := 0
	for i, p := range s.live.pages {
		if p == nil {
			continue
		}
		set++
		n := s.live.first + PageNo(i)
		if s.Head == s.Tail || n < pageOf(s.Head) || n > pageOf(s.Tail-1) {
			return fmt.Sprintf("page %d is outside", n)
		}
		if ones := p.count(0, PageSize); ones != p.ones || (ones == 0) != (p == deadPage) {
			return fmt.Sprintf("page %d counts %d, has %d", n, p.ones, ones)
		}
	}
	if set != s.live.set || set == 0 {
		return fmt.Sprintf("%d pages are set, counted %d", set, s.live.set)
	}
	return ""
}

// Hash is a hash of the whole state, equal on replicas that have applied the
// same records, and not dependent on what was stored or loaded meanwhile. It
// costs O(queues + pages). Which messages are alive goes in as runs, because
// bits outside [Head, Tail) mean nothing and may differ.
func (m *Machine) Hash() uint64 {
	h := fnv.New64a()
	b := m.AppendMeta(make([]byte, 0, 256))
	m.queues.each(func(q ID, s *State) bool {
		b = binary.BigEndian.AppendUint32(b, uint32(q))
		b = AppendState(b, s)
		if s.live != nil {
			for seq := s.Head; seq < s.Tail; {
				dead := s.live.nextDead(seq, s.Tail)
				seq = s.live.nextAlive(dead, s.Tail)
				b = binary.AppendUvarint(b, uint64(dead))
				b = binary.AppendUvarint(b, uint64(seq))
				h.Write(b)
				b = b[:0]
			}
		}
		h.Write(b)
		b = b[:0]
		return true
	})
	h.Write(b)
	return h.Sum64()
}
