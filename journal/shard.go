package journal

// Shard is the state of one shard: the queue.Machine, the window of recent
// entries and what was spilled of it.
type Shard struct{}
