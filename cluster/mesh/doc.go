// Package mesh is what the nodes of a cluster say to each other: one connection per
// pair of nodes for everything, with messages on channels, calls and streams. It
// knows nothing of Raft and queues, and uses the standard library only.
package mesh
