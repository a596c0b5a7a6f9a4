package queue

import "strconv"

// ID names a queue within its shard. The leader assigns it when it declares
// the queue; it is never used again for another one. Zero is no queue.
type ID uint32

// Seq is a message's place in its queue. The Machine assigns it when an
// Enqueue is applied: 1, 2, 3 and so on, without gaps, never used again.
// Zero is no message.
type Seq uint64

// ConsumerID names an attached consumer (an outgoing link). The broker assigns
// it and does not use it again as long as the Dispatcher lives.
type ConsumerID uint64

// LoadID names a Load that the Dispatcher asked for. It grows by one with each.
type LoadID uint64

// Ref is one message of a shard.
type Ref struct {
	Queue ID
	Seq   Seq
}

// Run is Count messages with neighbouring sequence numbers, beginning with
// First. Bytes is the sum of their sizes as far as the run's maker knows; see
// Machine.Apply for what becomes of it when some of them are gone already.
type Run struct {
	First Seq
	Count uint32
	Bytes uint64
}

// End is the sequence number that follows the run's last message.
func (r Run) End() Seq { return r.First + Seq(r.Count) }

// Contains tells whether s is in the run.
func (r Run) Contains(s Seq) bool { return s >= r.First && s < r.End() }

// Reason says why messages were removed. Its numbers are part of the record
// format: they may be added to, never changed.
type Reason uint8

const (
	Settled   Reason = 1 // a consumer accepted it
	Rejected  Reason = 2 // a consumer rejected it, or its deliveries are used up
	Expired   Reason = 3 // it outlived its deadline
	Discarded Reason = 4 // the broker dropped it by policy (a full queue's oldest, say)
	Purged    Reason = 5 // the queue was emptied
	Deleted   Reason = 6 // the queue was deleted

	// NumReasons is one more than the highest reason: the size of an array
	// that a Reason indexes.
	NumReasons = 7
)

var reasonNames = [NumReasons]string{"none", "settled", "rejected", "expired", "discarded", "purged", "deleted"}

// String is the reason's name as metrics and logs show it.
func (r Reason) String() string {
	if int(r) < len(reasonNames) {
		return reasonNames[r]
	}
	return "reason(" + strconv.Itoa(int(r)) + ")"
}

// Valid tells whether r is a reason that a Remove record may carry.
func (r Reason) Valid() bool { return r >= Settled && r <= Discarded }
