// Package mesh is what the nodes of a cluster say to each other: one connection per
// pair of nodes for everything, with messages on channels, calls and streams. It
// knows nothing of Raft and queues, and uses the standard library only.
//
// # What is promised
//
// A connection that has shaken hands is a session. Messages of one channel come in
// the order in which they were sent, without a gap, from the session's up (Watch)
// to its down. What was queued when a session ended may have come or not; nothing is
// sent again. Whoever needs an answer repeats, as cluster does with packs.
//
// Nothing here waits for a slow peer but Call, Stream and Close: Send queues up to
// 64 MiB, a stream stops at its window, and a peer that is silent for DeadAfter (seen
// with the next ping) loses its connection.
//
// # The way of a message
//
//	Send ── outbox: encoded at once, small ones side by side in one buffer
//	          │ the line was quiet: the sender itself writes, if the kernel takes it
//	          │ else: the writer takes all that has gathered, urgent before normal
//	          ▼ before bulk, each its share: one writev
//	       connection
//	          ▼
//	reader ── one allocation for each message; large ones are read straight into it
//	          ▼
//	       the channel's handler, in the reader's goroutine
//
// Measured on two cores over loopback, both nodes in one process: 1 KiB messages 0.6-0.9
// million/s, 256 KiB ones 0.9 GB/s (with TLS 0.35 GB/s), a stream alone 0.6-0.8 GB/s.
// A round trip takes 24-28 us, of which the bare sockets take 23. A small message
// of a sender that goes on working is there after 19 us (p50); by way of the writer
// goroutine it took 114 us, hence the direct write, which TLS has too. A heartbeat's round trip while
// three streams take both cores: 1.4 ms p50, 9 ms p99.
//
// # Files
//
// config.go and mesh.go are the outside. peer.go decides when to dial and which
// connection is the session; preamble.go, handshake.go and accept.go say hello;
// session.go, socket.go and outbox.go write, reader.go and frame.go read; call.go
// and stream.go are requests; ping.go finds out who is dead. memnet is a network in
// memory for tests.
package mesh
