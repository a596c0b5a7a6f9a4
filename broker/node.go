package broker

import (
	"context"
	"sync/atomic"
	"time"
)

// node is what limits the broker as a whole: how much it may hold, and the disk.
type node struct {
	broker      *Broker
	maxMessages uint64 // 0: no limit
	maxBytes    uint64
	gauge       diskGauge

	gate     gate // shut while the node holds as much as it may
	disk     gate // shut while the disk is low
	diskFree atomic.Uint64
}

// full tells whether one more message of size bytes is too much, and shuts the
// gate if so. What is in packs that are not applied yet is not counted: credit
// bounds it.
func (n *node) full(sizeBytes int) bool {
	if n.maxMessages == 0 && n.maxBytes == 0 {
		return false
	}
	t := n.broker.shard.journal.Totals()
	if n.maxMessages != 0 && t.Count+1 > n.maxMessages || n.maxBytes != 0 && t.Bytes+uint64(sizeBytes) > n.maxBytes {
		n.gate.close()
		return true
	}
	return false
}

// reopen lets producers in again when a fiftieth of the room is free.
func (n *node) reopen() {
	if !n.gate.shut.Load() {
		return
	}
	t := n.broker.shard.journal.Totals()
	if n.maxMessages != 0 && t.Count > n.maxMessages-(n.maxMessages+49)/50 ||
		n.maxBytes != 0 && t.Bytes > n.maxBytes-n.maxBytes/50 {
		return
	}
	n.gate.open()
}

// watchDisk looks at the free space until ctx ends.
func (n *node) watchDisk(ctx context.Context, dir string, state diskState) {
	ticker := time.NewTicker(diskCheckEvery)
	defer ticker.Stop()
	for {
		n.checkDisk(dir, &state)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (n *node) checkDisk(dir string, state *diskState) {
	free, err := n.gauge(dir)
	if err != nil {
		n.broker.log.Error("free disk space can't be read", "dir", dir, "error", err)
		return
	}
	n.diskFree.Store(free)
	if !state.observe(free) {
		return
	}
	if state.full {
		n.broker.log.Warn("disk is low: no more messages are accepted", "free_bytes", free, "low_bytes", state.low)
		n.disk.close()
	} else {
		n.broker.log.Info("disk has room again: messages are accepted", "free_bytes", free)
		n.disk.open()
	}
}
