package admin

// Metrics is one reading of a broker's totals. Counters only grow, from 0 at
// the start of the process. Maps are by the value of a series' label, and hold
// only values out of a small fixed set: never a name that a client chooses.
type Metrics struct {
	// Messages in.
	Received uint64            // complete messages that came in over AMQP, whatever became of them
	Accepted uint64            // stored durably
	Refused  map[string]uint64 // not stored, by reason: queue-full, node-full, disk-low, invalid, ...

	// Messages out. What has left a queue is in exactly one of Settled's
	// accepted, Expired and Dropped.
	Delivered uint64            // sent to consumers; a redelivery counts again
	Settled   map[string]uint64 // what consumers answered: accepted, released, modified, rejected
	Expired   uint64            // removed because their deadline had passed
	Dropped   map[string]uint64 // removed for another reason: rejected, max-deliveries, purged, deleted

	// What is stored now.
	Queues           uint64  // that exist
	ActiveQueues     uint64  // with a consumer, or with messages out
	Messages         uint64  // in all queues
	Bytes            uint64  // of those messages
	OldestAgeSeconds float64 // since the oldest message that is not yet removed came in; 0 when there is none
	WindowBytes      uint64  // of messages that are in the log and in memory, and not yet in their queue's keys

	// Connections.
	Connections       uint64            // open now
	ConnectionsOpened uint64            // ever
	ConnectionsFailed map[string]uint64 // that ended as nobody meant them to, by AMQP condition or another word
	LinksFailed       map[string]uint64 // links, and sessions as a whole, that the broker refused or ended for a fault of the client's, by condition
	LoginsRefused     uint64            // over AMQP and HTTP
	Sessions          uint64            // open now
	LinksIn           uint64            // on which clients send, attached now
	LinksOut          uint64            // on which clients receive, attached now
	BytesRead         uint64            // from AMQP clients
	BytesWritten      uint64            // to AMQP clients

	// The store.
	DiskFreeBytes   uint64 // under the data directory
	DiskLow         bool   // nothing is accepted for want of disk space
	StoreBytes      uint64 // on disk
	StoreWritten    uint64 // bytes ever written: log, flushes, compactions
	StoreStalls     uint64 // how often writers had to wait for the store
	LogAppliedIndex uint64 // the last entry that memory has seen
	LogDurableIndex uint64 // K: the last entry whose effect is in the store's keys

	// Histograms; one that is nil is not shown.
	AcceptLatency *Histogram // nanoseconds from a message's last byte to its outcome on the way out
	FsyncLatency  *Histogram // nanoseconds of an fsync of the log
	PackBytes     *Histogram // bytes of a pack
	PackRecords   *Histogram // records in a pack

	// PerQueue are the queues whose policy asks for series of their own.
	PerQueue []QueueMetrics

	// Of a node of a cluster; none of a standalone one.
	Shards []ShardMetrics
	Peers  []PeerMetrics
}

// QueueMetrics are the series of one queue.
type QueueMetrics struct {
	Name      string
	Messages  uint64
	Bytes     uint64
	Unsettled uint64
	Consumers uint64
	// OldestAgeSeconds is since its first message came in; 0 when it is empty.
	OldestAgeSeconds float64
}

// A series is one metric family without labels, or with the one label that its
// values differ by.
type series struct {
	name    string
	help    string
	counter bool
	label   string // empty: value, else values
	value   func(*Metrics) float64
	values  func(*Metrics) map[string]uint64
}

// families are the series that cost the same whatever the number of queues.
// docs/metrics.md is made from them.
var families = []series{
	count("entrepot_messages_received_total", "Messages that came in over AMQP, whatever became of them.",
		func(m *Metrics) uint64 { return m.Received }),
	count("entrepot_messages_accepted_total", "Messages stored durably.",
		func(m *Metrics) uint64 { return m.Accepted }),
	countBy("reason", "entrepot_messages_rejected_total", "Messages not stored, by reason.",
		func(m *Metrics) map[string]uint64 { return m.Refused }),
	count("entrepot_messages_delivered_total", "Messages sent to consumers; a redelivery counts again.",
		func(m *Metrics) uint64 { return m.Delivered }),
	countBy("outcome", "entrepot_messages_settled_total", "What consumers answered to deliveries, by outcome.",
		func(m *Metrics) map[string]uint64 { return m.Settled }),
	count("entrepot_messages_expired_total", "Messages removed because their deadline had passed.",
		func(m *Metrics) uint64 { return m.Expired }),
	countBy("reason", "entrepot_messages_dropped_total", "Messages removed otherwise than by expiry or a consumer's accepted, by reason.",
		func(m *Metrics) map[string]uint64 { return m.Dropped }),

	gauge("entrepot_queues", "Queues that exist.",
		func(m *Metrics) uint64 { return m.Queues }),
	gauge("entrepot_active_queues", "Queues with a consumer, or with messages out.",
		func(m *Metrics) uint64 { return m.ActiveQueues }),
	gauge("entrepot_messages", "Depth: messages in all queues.",
		func(m *Metrics) uint64 { return m.Messages }),
	gauge("entrepot_message_bytes", "Bytes of the messages in all queues.",
		func(m *Metrics) uint64 { return m.Bytes }),
	{name: "entrepot_oldest_message_age_seconds", help: "Age of the oldest message, looked for every 5 s; 0 when there is none. Exact while at most 64 queues hold messages, else the oldest of 64.",
		value: func(m *Metrics) float64 { return m.OldestAgeSeconds }},
	gauge("entrepot_window_bytes", "Bytes of messages that are in the log and in memory, and not yet in their queue's keys.",
		func(m *Metrics) uint64 { return m.WindowBytes }),

	gauge("entrepot_connections", "AMQP connections open now.",
		func(m *Metrics) uint64 { return m.Connections }),
	count("entrepot_connections_opened_total", "AMQP connections ever opened.",
		func(m *Metrics) uint64 { return m.ConnectionsOpened }),
	countBy("condition", "entrepot_connections_failed_total", "AMQP connections that failed, by AMQP condition, or: hung-up, write-stalled, too-many-connections.",
		func(m *Metrics) map[string]uint64 { return m.ConnectionsFailed }),
	countBy("condition", "entrepot_links_failed_total", "AMQP links, and sessions as a whole, that were refused or ended for a fault of the client's, by condition.",
		func(m *Metrics) map[string]uint64 { return m.LinksFailed }),
	count("entrepot_logins_refused_total", "Wrong users or passwords, over AMQP and HTTP.",
		func(m *Metrics) uint64 { return m.LoginsRefused }),
	gauge("entrepot_sessions", "AMQP sessions open now.",
		func(m *Metrics) uint64 { return m.Sessions }),
	{name: "entrepot_links", help: "AMQP links attached now: in, on which clients send; out, on which they receive.", label: "direction",
		values: func(m *Metrics) map[string]uint64 { return map[string]uint64{"in": m.LinksIn, "out": m.LinksOut} }},
	count("entrepot_network_read_bytes_total", "Bytes read from AMQP clients.",
		func(m *Metrics) uint64 { return m.BytesRead }),
	count("entrepot_network_written_bytes_total", "Bytes written to AMQP clients.",
		func(m *Metrics) uint64 { return m.BytesWritten }),

	gauge("entrepot_disk_free_bytes", "Free space under the data directory.",
		func(m *Metrics) uint64 { return m.DiskFreeBytes }),
	{name: "entrepot_disk_low", help: "1 while nothing is accepted for want of disk space.",
		value: func(m *Metrics) float64 { return number(m.DiskLow) }},
	gauge("entrepot_store_bytes", "Size of the store on disk.",
		func(m *Metrics) uint64 { return m.StoreBytes }),
	count("entrepot_store_written_bytes_total", "Bytes written to disk by the store: log, flushes, compactions.",
		func(m *Metrics) uint64 { return m.StoreWritten }),
	count("entrepot_store_stalls_total", "How often writers had to wait for the store.",
		func(m *Metrics) uint64 { return m.StoreStalls }),
	gauge("entrepot_log_applied_index", "The last log entry that memory has seen.",
		func(m *Metrics) uint64 { return m.LogAppliedIndex }),
	gauge("entrepot_log_durable_index", "K: the last log entry whose effect is in the store's keys.",
		func(m *Metrics) uint64 { return m.LogDurableIndex }),
}

// distributions are the histograms.
var distributions = []struct {
	name, help string
	read       func(*Metrics) *Histogram
}{
	{"entrepot_accept_latency_seconds", "From a message's last byte to its outcome on the way out.",
		func(m *Metrics) *Histogram { return m.AcceptLatency }},
	{"entrepot_fsync_latency_seconds", "An fsync of the log.",
		func(m *Metrics) *Histogram { return m.FsyncLatency }},
	{"entrepot_pack_bytes", "Size of a pack: what one log entry and one fsync carry.",
		func(m *Metrics) *Histogram { return m.PackBytes }},
	{"entrepot_pack_records", "Records in a pack.",
		func(m *Metrics) *Histogram { return m.PackRecords }},
}

// perQueue are the series of the queues whose policy says "metrics: true", by
// the label queue.
var perQueue = []struct {
	name, help string
	read       func(*QueueMetrics) float64
}{
	{"entrepot_queue_messages", "Messages in the queue.", func(q *QueueMetrics) float64 { return float64(q.Messages) }},
	{"entrepot_queue_message_bytes", "Bytes of the messages in the queue.", func(q *QueueMetrics) float64 { return float64(q.Bytes) }},
	{"entrepot_queue_unsettled", "Messages that are with a consumer.", func(q *QueueMetrics) float64 { return float64(q.Unsettled) }},
	{"entrepot_queue_consumers", "Links that receive from the queue.", func(q *QueueMetrics) float64 { return float64(q.Consumers) }},
	{"entrepot_queue_oldest_message_age_seconds", "Age of the first message in the queue; 0 when it is empty.", func(q *QueueMetrics) float64 { return q.OldestAgeSeconds }},
}

func count(name, help string, value func(*Metrics) uint64) series {
	return series{name: name, help: help, counter: true, value: func(m *Metrics) float64 { return float64(value(m)) }}
}

func gauge(name, help string, value func(*Metrics) uint64) series {
	return series{name: name, help: help, value: func(m *Metrics) float64 { return float64(value(m)) }}
}

func countBy(label, name, help string, values func(*Metrics) map[string]uint64) series {
	return series{name: name, help: help, counter: true, label: label, values: values}
}
