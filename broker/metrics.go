package broker

import (
	"sync"
	"sync/atomic"

	"entrepot/broker/admin"
	"entrepot/cluster"
	"entrepot/queue"
)

// metrics are the broker's counters. Those on the way of every message are plain
// atomics; the few that have a label are in small maps.
type metrics struct {
	received, accepted, delivered atomic.Uint64
	outcomes                      [queue.RejectedKind + 1]atomic.Uint64

	connections, sessions, linksIn, linksOut atomic.Int64
	opened                                   atomic.Uint64
	bytesRead, bytesWritten                  atomic.Uint64
	stalls                                   atomic.Uint64
	forwardedBytes                           atomic.Uint64 // of consumers' traffic between nodes

	refusedBy labelled // messages not stored, by reason
	failedBy  labelled // connections that failed, by condition
	faultedBy labelled // links and sessions that we ended or refused, by condition

	acceptLatency *admin.Histogram
	fsyncLatency  *admin.Histogram
	packBytes     *admin.Histogram
	packRecords   *admin.Histogram
}

func (m *metrics) init() {
	m.acceptLatency = admin.NewLatencyHistogram()
	m.fsyncLatency = admin.NewLatencyHistogram()
	m.packBytes = admin.NewHistogram(admin.SizeBounds, 1)
	m.packRecords = admin.NewHistogram(admin.CountBounds, 1)
}

func (m *metrics) settledBy(k queue.OutcomeKind) { m.outcomes[k].Add(1) }
func (m *metrics) refused(reason string)         { m.refusedBy.add(reason) }
func (m *metrics) connFailed(condition string)   { m.failedBy.add(condition) }
func (m *metrics) linkFailed(condition string)   { m.faultedBy.add(condition) }

func (m *metrics) pack(p cluster.PackStats) {
	m.packBytes.Observe(int64(p.SizeBytes))
	m.packRecords.Observe(int64(p.Records))
}

// labelled counts by a label of a small fixed set of values.
type labelled struct {
	mu     sync.Mutex
	counts map[string]uint64
}

func (l *labelled) add(value string) {
	l.mu.Lock()
	if l.counts == nil {
		l.counts = map[string]uint64{}
	}
	l.counts[value]++
	l.mu.Unlock()
}

func (l *labelled) read() map[string]uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	counts := make(map[string]uint64, len(l.counts))
	for k, n := range l.counts {
		counts[k] = n
	}
	return counts
}
