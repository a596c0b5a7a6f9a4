package queue

// Limits of the Dispatcher where the caller gives none.
const (
	DefaultBufferMessages = 1024     // read ahead, per queue
	DefaultBufferBytes    = 1 << 20  // read ahead, per queue
	DefaultTotalBytes     = 32 << 20 // read ahead, all queues of the shard
	DefaultMaxUnsettled   = 2048     // deliveries out, per consumer
	MaxExcluded           = 4096     // messages a consumer may refuse "here" before it gets no more
	CoolMillis            = 100      // a released message is not offered to its releaser for so long
)

// DispatcherConfig are a shard's settings. Zero values take the defaults.
type DispatcherConfig struct {
	Epoch          uint64 // the leader's Raft term; must grow from leader to leader
	BufferMessages int
	BufferBytes    int
	TotalBytes     int
}

// AttachOptions are what a consumer is.
type AttachOptions struct {
	Browse       bool   // copies only: own cursor, nothing acquired
	MaxUnsettled uint32 // most deliveries out at a time; 0: DefaultMaxUnsettled
	NoExclude    bool   // a router: "undeliverable here" does not exclude it
}

// Snapshot is what the Dispatcher must know of a queue when a consumer comes.
//
// REQUIRES: every fact about the queue that is applied after State was copied
// reaches the Dispatcher, in the order of application.
type Snapshot struct {
	State         State
	MaxDeliveries uint32 // of the policy; 0: no end
}
