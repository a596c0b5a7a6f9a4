package queue

// seqTable finds a queue's entries by sequence number: open addressing, linear
// probing, at most half full, and deletion that moves followers back instead of
// leaving tombstones, so that a queue which always has a thousand messages out
// costs no allocation, however long it runs.
//
// Tried and left: a ring indexed by seq - lowest (one message that stays out
// makes it as wide as what went by since), and Go's map (it rehashes, and so
// allocates, now and then under steady inserting and deleting).
type seqTable struct {
	slots []seqSlot // a power of two, or none
	shift uint8     // 64 - log2(len(slots))
	n     int
}

type seqSlot struct {
	seq   Seq // 0: free
	entry *entry
}

// A table of seqTableKeep slots (4 KiB) or less does not shrink: bursts of a
// hundred messages then cost no allocation, and an idle consumer little memory.
const (
	seqTableMin  = 8
	seqTableKeep = 256
)

// home spreads neighbouring numbers over the table (Fibonacci hashing). Taken
// as they are, one old message in the way of a dense run would cost a probe
// for each message of the run.
func (t *seqTable) home(s Seq) int {
	return int(uint64(s) * 0x9E3779B97F4A7C15 >> t.shift)
}

// get is the entry of s, nil if it is not known.
func (t *seqTable) get(s Seq) *entry {
	if t.n == 0 {
		return nil
	}
	mask := len(t.slots) - 1
	for i := t.home(s); ; i = (i + 1) & mask {
		switch t.slots[i].seq {
		case s:
			return t.slots[i].entry
		case 0:
			return nil
		}
	}
}

// put adds e unless its number is there already.
func (t *seqTable) put(e *entry) bool {
	if 2*(t.n+1) > len(t.slots) {
		t.resize(max(seqTableMin, 2*len(t.slots)))
	}
	mask := len(t.slots) - 1
	for i := t.home(e.seq); ; i = (i + 1) & mask {
		switch t.slots[i].seq {
		case e.seq:
			return false
		case 0:
			t.slots[i] = seqSlot{e.seq, e}
			t.n++
			return true
		}
	}
}

// remove takes s out, which must be there.
func (t *seqTable) remove(s Seq) {
	mask := len(t.slots) - 1
	hole := t.home(s)
	for t.slots[hole].seq != s {
		hole = (hole + 1) & mask
	}
	// A follower may fill the hole if the hole lies between its home and where
	// it is now; else it would be before its home, where no search comes by.
	for i := (hole + 1) & mask; t.slots[i].seq != 0; i = (i + 1) & mask {
		home := t.home(t.slots[i].seq)
		if (i-home)&mask >= (i-hole)&mask {
			t.slots[hole] = t.slots[i]
			hole = i
		}
	}
	t.slots[hole] = seqSlot{}
	t.n--
	if len(t.slots) > seqTableKeep && 16*t.n < len(t.slots) {
		t.resize(len(t.slots) / 4)
	}
}

// resize moves all entries to a table of n slots, a power of two.
func (t *seqTable) resize(n int) {
	old := t.slots
	t.slots = make([]seqSlot, n)
	t.n = 0
	t.shift = 64
	for ; n > 1; n /= 2 {
		t.shift--
	}
	for _, s := range old {
		if s.entry != nil {
			t.put(s.entry)
		}
	}
}

// appendAll appends every entry to dst, in no order.
func (t *seqTable) appendAll(dst []*entry) []*entry {
	for _, s := range t.slots {
		if s.entry != nil {
			dst = append(dst, s.entry)
		}
	}
	return dst
}
