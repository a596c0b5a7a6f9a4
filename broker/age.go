package broker

import (
	"context"
	"sync/atomic"
	"time"
)

const (
	// ageEvery is how often the oldest message is looked for.
	ageEvery = 5 * time.Second
	// ageSample is in how many queues: the age is exact for as many queues that
	// hold messages, else the oldest of these.
	ageSample = 64
)

// oldestAge knows when the oldest message came in. Finding it needs a look at every
// queue, so that is done now and then and not when somebody asks.
type oldestAge struct {
	arrivedMillis atomic.Int64 // 0: there is no message
}

// watch looks until ctx ends.
func (a *oldestAge) watch(ctx context.Context, b *Broker) {
	ticker := time.NewTicker(ageEvery)
	defer ticker.Stop()
	for {
		a.look(b.shards())
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// look asks every shard that can be read.
func (a *oldestAge) look(shards []*shard) {
	var oldest int64
	for _, s := range shards {
		if s.repairing.Load() {
			continue
		}
		millis, ok, err := s.journal.OldestArrival(ageSample)
		if err != nil {
			s.failed(err)
			continue
		}
		if ok && (oldest == 0 || millis < oldest) {
			oldest = millis
		}
	}
	a.arrivedMillis.Store(oldest)
}

// read is the age in seconds, 0 if there is no message.
func (a *oldestAge) read(now time.Time) float64 {
	at := a.arrivedMillis.Load()
	if at == 0 {
		return 0
	}
	return max(0, now.Sub(time.UnixMilli(at)).Seconds())
}
