// Package cluster replicates packs: groups of hashicorp/raft voters that agree
// on one log of opaque packs, and the batcher that makes a pack out of whatever
// gathered while the last one was being written. It is the only room of the
// house that knows hashicorp/raft; it imports journal (where the log is kept)
// and queue (whose PackBuilder the callers fill) and nothing above them.
//
// # The life of one record
//
//	caller            Begin, Builder.Enqueue, Wait, End   b.mu held: no channel, no allocation
//	  End             nothing is in flight: this goroutine itself cuts the pack
//	                  and hands it to Raft
//	(1) leader loop   Log.Append: one synced commit       (2, 3: Pebble's flusher and back)
//	(4) FSM           a small next pack is cut and handed over, so that its write
//	                  starts now; then FSM.Apply; then Waiter.Done; then a big
//	                  next pack is cut
//
// Four hand-overs between goroutines from End to Done, all of them inside Raft
// and Pebble; this package adds none. The usual way to use hashicorp/raft costs
// two more, on every pack: into a batching goroutine, and out of a goroutine
// that sleeps on the future. The first is saved by cutting in End, the second by
// telling the waiters from the FSM, which recognises its own pack by the
// identity of its bytes: on the leader Raft passes the very slice that was
// proposed. Futures are looked at only after something went wrong; see resolve
// in resolve.go.
//
// # What an error means
//
// A pack was certainly not applied, and never will be, if Raft has answered for
// it, or has ended, and its bytes never reached our LogStore: ErrNotLeader,
// ErrStopped. Everything else that is not applied has an unknown outcome:
// ErrUnknownOutcome. The criterion is our own (did StoreLogs see it), so it does
// not depend on which of Raft's errors comes in which race.
package cluster
