package queue

// PageNo numbers the pages of a queue's live set: page n is about the messages
// [n*PageSize, (n+1)*PageSize).
type PageNo uint64

// PageSize is how many messages one page of a live set is about.
const PageSize = 4096

type liveSet struct{}

// Status is how the Machine answers a record.
type Status uint8

const (
	OK        Status = iota
	NoQueue          // there is no such queue (any more)
	Exists           // Declare of a queue that is there: nothing done
	NoMessage        // Modify of a message that is gone: nothing done
)

// Reply is the Machine's answer to one record.
type Reply struct {
	Kind   Kind
	Status Status
	Queue  ID
	Seq    Seq // Enqueue: the message's place. Purge, Delete: the old head. Modify: the message
	Next   Seq // Purge, Delete: the tail: everything in [Seq, Next) is gone

	// Of removals: how many messages, and their bytes, really went now.
	Removed uint64
	Bytes   uint64
}

// Totals are sums over a shard, the same price for a million queues. Queues,
// Count and Bytes are state; the others count since the Machine was made.
type Totals struct {
	Queues        uint64
	Count         uint64
	Bytes         uint64
	Enqueued      uint64
	EnqueuedBytes uint64
	Removed       [NumReasons]uint64
}

// Machine is what is true of a shard.
type Machine struct{}

// NewMachine makes the machine of an empty shard.
func NewMachine() *Machine { panic("unimplemented") }

// Apply does what rec says and tells what came of it. nowMillis is the time of
// the record's pack. It keeps nothing of rec.
func (m *Machine) Apply(rec *Record, nowMillis int64) Reply { panic("unimplemented") }

// NextID is an id that was never used.
func (m *Machine) NextID() ID { panic("unimplemented") }

// NowMillis is the latest time of a pack that was applied.
func (m *Machine) NowMillis() int64 { panic("unimplemented") }

// SweptMillis is up to when deadlines have been swept (see PackBuilder.Expire).
func (m *Machine) SweptMillis() int64 { panic("unimplemented") }

// Totals are the shard's sums.
func (m *Machine) Totals() Totals { panic("unimplemented") }

// Queue is q's state: a copy, which does not follow later changes.
func (m *Machine) Queue(q ID) (State, bool) { panic("unimplemented") }

// Queues calls f for each queue in the order of ids until it says false.
func (m *Machine) Queues(f func(q ID, s *State) bool) { panic("unimplemented") }

// Alive tells whether a message of q is there.
func (m *Machine) Alive(q ID, s Seq) bool { panic("unimplemented") }

// NextAlive is the first live message of q at or behind from.
func (m *Machine) NextAlive(q ID, from Seq) (Seq, bool) { panic("unimplemented") }

// CountAlive is how many messages of q in [from, to) are there.
func (m *Machine) CountAlive(q ID, from, to Seq) uint64 { panic("unimplemented") }

// TakeDirty calls f for each queue that changed since the last call, in the
// order of ids, with the pages of its live set that changed, in order. s is nil
// for a queue that was deleted: all its rows go. s and pages are valid during
// the call of f.
func (m *Machine) TakeDirty(f func(q ID, s *State, pages []PageNo)) { panic("unimplemented") }

// AppendPage appends a page of q's live set as a stored value. ok is false if
// the page needs no row (any more): the store deletes it.
func (m *Machine) AppendPage(b []byte, q ID, page PageNo) (_ []byte, ok bool) { panic("unimplemented") }

// AppendMeta appends what the shard itself is, as a stored value: it belongs to
// every write of dirty rows.
func (m *Machine) AppendMeta(b []byte) []byte { panic("unimplemented") }

// LoadMeta, LoadState and LoadPage fill a new machine from stored values, in
// this order (of one queue: the state first). Nothing becomes dirty. Errors
// are *FormatErrors.
func (m *Machine) LoadMeta(p []byte) error                    { panic("unimplemented") }
func (m *Machine) LoadState(q ID, p []byte) error             { panic("unimplemented") }
func (m *Machine) LoadPage(q ID, page PageNo, p []byte) error { panic("unimplemented") }

// Check holds every invariant against the whole state: after loading, and in
// tests. It costs O(queues + pages).
func (m *Machine) Check() error { panic("unimplemented") }

// Hash is a hash of the whole state, equal on replicas that have applied the
// same records. It costs O(queues + pages).
func (m *Machine) Hash() uint64 { panic("unimplemented") }
