// Package cluster replicates packs: groups of hashicorp/raft voters that agree
// on one log of opaque packs, and the batcher that makes a pack out of whatever
// gathered while the last one was being written. It is the only room of the
// house that knows hashicorp/raft; it imports journal (where the log is kept),
// queue (whose PackBuilder the callers fill) and cluster/mesh (how nodes talk) and
// nothing above them.
//
// Two things are in it. A Group is one node's part in one Raft group, one voter or
// several, and is what most of this page is about. A Node is what makes a cluster of
// processes out of groups: identity, formation, members, repair; see node.go.
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
// telling the waiters from the FSM, which recognises its own pack by its origin.
// Futures are not looked at: what counts is what is applied.
//
// With several voters, on a node that does not lead:
//
//	End               the pack goes to the leader over the mesh, as it is
//	leader: intake    stamps its time into it and proposes it: one entry of the log
//	leader: FSM       Apply; the answer goes back, with what the Machine said
//	mesh's reader     Waiter.Done; or the FSM here, if it applies the entry first
//
// # Who is told what
//
// A pack stays in its node's line until it is known to be applied, and is sent again,
// in order, to whoever leads, whenever it may have been lost; the Machine applies
// each number of an origin once and in order (line.go). So a change of leaders costs
// waiters time and nothing else. Two errors are left: ErrStopped (the group stops,
// and the pack was never handed over: certainly not applied) and ErrUnknownOutcome
// (it stops with the pack on its way; or this replica was filled from a stream that
// may hold the pack, so that its replies are nobody's).
//
// # What time it is, and who may deliver
//
// Group.NowMillis is the shard's clock (clock.go), Group.LeaseValid whether nobody
// else can lead yet (lease.go, followers.go).
//
// # Where Raft's library needs care
//
//   - Raft.Apply blocks when its queue is full, and the batcher calls it under its
//     lock, which Raft's leader loop takes, too: applyRoom keeps it from filling.
//   - While a lead is transferred Raft refuses proposals, and a little longer:
//     Transfer holds everything back itself and asks with barriers.
//   - Raft's back-off after failed AppendEntries reaches 10 s, and lasts on when the
//     follower is back: entries for a node that is away wait in the transport for the
//     connection instead (rpcs.go).
//   - A follower learns of a commit with the next AppendEntries. An idle leader's Raft
//     sends one after CommitTimeout, which is long because it does so for as long as
//     nothing happens; we send one before, once (lull.go).
//   - Raft's main loop reads the whole of an InstallSnapshot; heartbeats go beside it
//     (transport.go), and the leader's log keeps what comes after it (followers.go).
//   - HeartbeatTimeout may change while Raft runs: a follower whose connection to the
//     leader has ended waits for no longer than the lease (leadership.go).
//
// # A node and its cluster
//
// A Group knows shards; a Node knows the cluster: who founds it (formation.go,
// foundation.go), who is who (identity.go, hello.go), who its members are
// (settings.go, keep.go), how they come and go (control.go), who leads what
// (balance.go), whether replicas are equal (verify.go) and what happens to one that
// is not (repair.go, repair_log.go, hold.go).
package cluster
