package broker

import (
	"strings"
	"time"

	"entrepot/broker/admin"
	"entrepot/journal"
	"entrepot/queue"
)

// maxQueueSeries bounds the queues that have time series of their own: a policy
// that asks for more gets the first ones by name.
const maxQueueSeries = 1000

// queueMetrics reads the queues whose policy asks for series of their own. It looks
// only where the names of such a pattern begin alike.
func (b *Broker) queueMetrics() []admin.QueueMetrics {
	var list []admin.QueueMetrics
	for _, p := range b.policies.Policies() {
		if p.PerQueueMetrics {
			list = b.appendQueueMetrics(list, p)
		}
	}
	return list
}

func (b *Broker) appendQueueMetrics(list []admin.QueueMetrics, p *queue.Policy) []admin.QueueMetrics {
	const page = 256
	prefix, after := literalPrefix(p.Pattern.String()), ""
	for {
		rows, err := b.list(prefix, after, page)
		if err != nil {
			b.log.Error("queues can't be listed for their metrics", "error", err)
			return list
		}
		for i := range rows {
			if len(list) == maxQueueSeries {
				return list
			}
			if b.directory.policy(rows[i].Name) == p {
				list = append(list, b.metricsOf(&rows[i].Declared))
			}
		}
		if len(rows) < page {
			return list
		}
		after = rows[len(rows)-1].Name
	}
}

func (b *Broker) metricsOf(row *journal.Declared) admin.QueueMetrics {
	m := admin.QueueMetrics{Name: row.Name, Messages: row.State.Count, Bytes: row.State.Bytes}
	if row.State.Count > 0 {
		m.OldestAgeSeconds = b.firstAge(row)
	}
	if a := b.directory.attachedTo(row.Name); a != nil {
		m.Consumers = uint64(a.consumers.Load())
		m.Unsettled = uint64(max(0, a.unsettled.Load()))
	}
	return m
}

// firstAge is how long ago a queue's first message came in, in seconds.
func (b *Broker) firstAge(row *journal.Declared) float64 {
	q, err := b.directory.lookup(row.Name)
	if err != nil || q == nil { // it went meanwhile
		return 0
	}
	loaded, err := q.shard.journal.Load(row.Queue, row.State.Head, 1, 1, nil)
	if err != nil {
		b.log.Error("the first message of a queue can't be read for its age", "queue", row.Name, "error", err)
		return 0
	}
	if len(loaded.Messages) == 0 { // it went meanwhile
		return 0
	}
	return max(0, time.Since(time.UnixMilli(loaded.Messages[0].ArrivedMillis)).Seconds())
}

// literalPrefix is what all names of a pattern begin with.
func literalPrefix(pattern string) string {
	if i := strings.IndexAny(pattern, "*#"); i >= 0 {
		return strings.TrimSuffix(pattern[:i], "/") // "a/#" matches "a" too
	}
	return pattern
}
