// Package journal keeps a node's durable state in one Pebble store: the Raft
// logs of all shards, the state of their queues, declarations and marks. It
// is the only package that knows Pebble.
//
// # One WAL
//
// The log of a shard and the state made from it live in the same Pebble, so
// they share one write-ahead log. Log.Append commits with a sync and is the
// only place where a message becomes durable; state is committed without one.
// A crash leaves a prefix of the WAL, so state on disk never runs ahead of
// the log: replaying the log after K, the durable apply index, gives memory
// back exactly.
//
// # Two stages
//
// Stage 1, Shard.Apply, is memory only. A message's body stays in its log
// entry and in the shard's window. Stage 2, the spill, moves what is still
// alive when it leaves the window to the queue's own keys; what was settled
// before that has cost one log write and nothing else. See spill.go.
package journal
