// Package queue is the domain of the broker: what a queue is, which commands
// change it, and who gets its messages. It has no I/O, no clock, no goroutine
// and no lock; it imports the standard library only. Whoever owns one of its
// types calls it from one goroutine at a time (or under a lock of its own).
//
// The parts, from the bottom:
//
//   - A pack (PackBuilder, PackReader) is the replicated unit: many records of
//     all queues of a shard. Its format is drawn in pack.go.
//   - The Machine is what is true: the dense state of every queue of a shard.
//     It is a function of the packs applied to it, in order, and of nothing
//     else, so all replicas agree. It also decides which packs are applied:
//     one that is sent again is not (BeginPack).
//   - The Dispatcher is who gets what. Only a shard's leader has one. It is
//     told facts (enqueued, removed, modified) and wishes (credit, outcomes),
//     and answers with effects: deliver this, load that, propose such a record.
//   - Pattern, Policy and PolicySet say what an address may be and do.
//
// Facts reach the Dispatcher later than they become true. Dispatcher tells, at
// the type, how each of the races that follow from it is survived.
package queue
