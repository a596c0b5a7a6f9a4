package admin

// Metrics is one reading of a broker's totals. Counters only grow, from 0 at
// the start of the process.
type Metrics struct {
	// Counters of messages.
	Received  uint64            // came in over AMQP, whatever became of them
	Accepted  uint64            // stored, and answered so (or pre-settled)
	Refused   map[string]uint64 // not stored, by reason: queue-full, node-full, disk-low, too-large, ...
	Delivered uint64            // sent to consumers, each time counted
	Settled   map[string]uint64 // outcomes from consumers: accepted, released, modified, rejected
	Expired   uint64            // removed because their deadline had passed
	Dropped   map[string]uint64 // removed otherwise than by a consumer's accepted or expiry: rejected, max-deliveries, purged, deleted

	// Gauges of what is stored.
	Queues           uint64  // declared or created
	ActiveQueues     uint64  // with a consumer, or something unsettled
	Messages         uint64  // in all queues
	Bytes            uint64  // of those messages
	OldestAgeSeconds float64 // of the oldest message still in the log's window; 0 when there is none
	WindowBytes      uint64  // messages held in memory that are not in their queue's keys yet

	// Connections.
	Connections       uint64            // open now
	ConnectionsOpened uint64            // ever
	ConnectionsFailed map[string]uint64 // ended by an error, by its condition (amqp:decode-error, ...)
	LoginsRefused     uint64            // wrong user or password, AMQP and HTTP
	Sessions          uint64            // open now
	LinksIn           uint64            // attached senders of clients
	LinksOut          uint64            // attached receivers of clients
	BytesRead         uint64            // from AMQP sockets
	BytesWritten      uint64            // to AMQP sockets

	// Storage.
	DiskFreeBytes   uint64 // free space under the data directory
	DiskLow         bool   // messages are not accepted for lack of space
	StoreBytes      uint64 // size of the store on disk
	StoreWritten    uint64 // bytes written to disk: log, flushes, compactions
	StoreStalls     uint64 // times that the store made writers wait
	LogAppliedIndex uint64 // last entry that memory has seen
	LogDurableIndex uint64 // K: last entry whose effect is in the store's keys

	// Histograms; nil ones are not shown.
	AcceptLatency *Histogram // from the message's last byte to its outcome on the way out, nanoseconds
	FsyncLatency  *Histogram // of the log, nanoseconds
	PackBytes     *Histogram // size of a pack
	PackRecords   *Histogram // records in a pack

	// PerQueue are the queues whose policy asks for series of their own.
	PerQueue []QueueMetrics
}

// QueueMetrics are the series of one queue.
type QueueMetrics struct {
	Name      string
	Messages  uint64
	Bytes     uint64
	Unsettled uint64
	Consumers uint64
}
