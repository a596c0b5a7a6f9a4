package journal

import (
	"context"

	"entrepot/queue"
)

// Shard is the state of one shard: the queue.Machine, the window of recent
// entries and what was spilled of it. Its methods are safe for concurrent use;
// Apply is called by one goroutine, in the order of indexes.
type Shard struct{}

// Applied is what one entry did.
type Applied struct {
	// Skipped: the entry was applied before (index <= AppliedIndex).
	Skipped bool
	// Records is how many records the pack has.
	Records int
	// Replies has one reply per record; it is the shard's own and changes
	// with the next Apply. AllOK: every one has status OK.
	Replies []queue.Reply
	AllOK   bool
	// Events are the records about active queues that changed something, in
	// order. The slice, and the Runs and Annotations in it, change with the
	// next Apply; payloads alias the pack.
	Events []Event
}

// Event is one applied record about an active queue. Which fields have a
// meaning depends on Reply.Kind.
type Event struct {
	Reply   queue.Reply
	Message queue.Message // Enqueue

	Runs   []queue.Run  // Remove: as the record has them
	Reason queue.Reason // Remove

	Count       uint32 // Modify
	Annotations []byte // Modify
}

// Apply is stage 1: it applies the pack of a committed entry to memory. The
// shard keeps data, which must not be changed afterwards. It blocks while the
// window holds twice its budget.
//
// Errors: a *queue.FormatError for a pack that cannot be read, and nothing of
// it has been applied; the store's failure.
func (s *Shard) Apply(index uint64, data []byte) (Applied, error) { panic("unimplemented") }

// SetActive begins or ends the events of q and copies its state in the same
// instant: every fact that is not in the copy becomes an event. ok is false if
// there is no such queue; then it is not active.
func (s *Shard) SetActive(q queue.ID, active bool) (st queue.State, ok bool) { panic("unimplemented") }

// Loaded is what Load found.
type Loaded struct {
	Messages []queue.Message
	// Next: no live message of the queue is in [from, Next) but Messages.
	Next queue.Seq
	// Applied is the index of the entry up to which that is true.
	Applied uint64
}

// Load appends to dst the live messages of q at or behind from, in order: at
// most maxMessages and about maxBytes of payload, but at least one if there is
// one. A message that is removed while Load runs may be among them.
//
// Errors: *CorruptionError, and what Pebble says of the disk.
func (s *Shard) Load(q queue.ID, from queue.Seq, maxMessages, maxBytes int, dst []queue.Message) (Loaded, error) {
	panic("unimplemented")
}

// Lookup finds a declaration. spec is the caller's.
func (s *Shard) Lookup(name string) (q queue.ID, spec []byte, ok bool, err error) {
	panic("unimplemented")
}

// Declared is one row of List.
type Declared struct {
	Queue queue.ID
	Name  string
	Spec  []byte
	State queue.State
}

// List gives, in the order of names, up to limit queues whose name begins with
// prefix and is greater than after.
func (s *Shard) List(prefix, after string, limit int) ([]Declared, error) { panic("unimplemented") }

// Name gives the name of q, ErrNotFound if there is no such queue.
func (s *Shard) Name(q queue.ID) (string, error) { panic("unimplemented") }

// Queue copies the state of q.
func (s *Shard) Queue(q queue.ID) (st queue.State, ok bool) { panic("unimplemented") }

// Totals are the sums over all queues of the shard.
func (s *Shard) Totals() queue.Totals { panic("unimplemented") }

// NextID is a queue id that no Declare has used.
func (s *Shard) NextID() queue.ID { panic("unimplemented") }

// DueRun is a run of messages of one queue whose deadline has passed.
type DueRun struct {
	Queue queue.ID
	queue.Run
}

// Due appends to dst the live messages whose deadline is at or before now, at
// most about limit of them, as runs. upTo is how far that is complete: what
// the leader writes into its Expire record once it has proposed the removals.
// Messages that the caller does not remove are given again by every call.
//
// Errors: what Pebble says of the disk.
func (s *Shard) Due(now int64, limit int, dst []DueRun) (due []DueRun, upTo int64, err error) {
	panic("unimplemented")
}

// RestartDue makes the next Due look at all deadlines again, those behind the
// last Expire too: a new leader must find what was out with consumers of the
// one before it.
func (s *Shard) RestartDue() { panic("unimplemented") }

// AppliedIndex is the index of the last entry that was applied to memory.
func (s *Shard) AppliedIndex() uint64 { panic("unimplemented") }

// DurableIndex is K: the state on disk is that of memory after this entry.
func (s *Shard) DurableIndex() uint64 { panic("unimplemented") }

// WindowBytes is what the window holds: the time to hold credit back is when
// it is well over Options.WindowBytes.
func (s *Shard) WindowBytes() int64 { panic("unimplemented") }

// Flush is stage 2 for everything, and synced: afterwards a restart has
// nothing to replay.
func (s *Shard) Flush(ctx context.Context) error { panic("unimplemented") }
