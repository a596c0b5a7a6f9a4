package journal

// logCache keeps the newest entries of a log, bounded in bytes: replicators
// and the apply loop read what was just appended. Its entries share their
// slices with whoever appended them, so it costs memory only once the window
// has let go of them.
//
// Invariant: entries are consecutive; bytes is the sum of their costs.
type logCache struct {
	limit   int64
	bytes   int64
	entries []Entry
}

// entryCost is what an entry counts against the limit.
func entryCost(e *Entry) int64 { return int64(len(e.Data)+len(e.Extensions)) + 96 }

// add appends an entry and drops the oldest ones over the limit. An index
// that does not follow starts the cache anew.
func (c *logCache) add(e Entry) {
	if n := len(c.entries); n > 0 && c.entries[n-1].Index+1 != e.Index {
		c.reset()
	}
	c.entries = append(c.entries, e)
	c.bytes += entryCost(&e)
	drop := 0
	for c.bytes > c.limit && drop < len(c.entries) {
		c.bytes -= entryCost(&c.entries[drop])
		c.entries[drop] = Entry{}
		drop++
	}
	c.entries = c.entries[drop:]
}

// get finds an entry.
func (c *logCache) get(index uint64) (Entry, bool) {
	if len(c.entries) == 0 || index < c.entries[0].Index {
		return Entry{}, false
	}
	i := index - c.entries[0].Index
	if i >= uint64(len(c.entries)) {
		return Entry{}, false
	}
	return c.entries[i], true
}

// keepAfter drops the entries up to and including index.
func (c *logCache) keepAfter(index uint64) {
	for len(c.entries) > 0 && c.entries[0].Index <= index {
		c.bytes -= entryCost(&c.entries[0])
		c.entries[0] = Entry{}
		c.entries = c.entries[1:]
	}
}

// keepBefore drops the entries from index on.
func (c *logCache) keepBefore(index uint64) {
	for n := len(c.entries); n > 0 && c.entries[n-1].Index >= index; n-- {
		c.bytes -= entryCost(&c.entries[n-1])
		c.entries[n-1] = Entry{}
		c.entries = c.entries[:n-1]
	}
}

func (c *logCache) reset() { c.entries, c.bytes = nil, 0 }
