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

	pending  pending
	gate     gate // shut while the node holds as much as it may
	disk     gate // shut while the disk is low
	diskFree atomic.Uint64
}

// full tells whether one more message of size bytes is too much, and shuts the
// gate if so.
func (n *node) full(sizeBytes int) bool {
	if n.maxMessages == 0 && n.maxBytes == 0 {
		return false
	}
	messages, bytes := n.held()
	if n.maxMessages != 0 && messages+1 > n.maxMessages || n.maxBytes != 0 && bytes+uint64(sizeBytes) > n.maxBytes {
		n.gate.close()
		n.reopen() // room may have been made before the gate was shut
		return true
	}
	return false
}

// reopen lets producers in again when a fiftieth of the room is free.
func (n *node) reopen() {
	if !n.gate.shut.Load() {
		return
	}
	messages, bytes := n.held()
	if n.maxMessages != 0 && messages > n.maxMessages-(n.maxMessages+49)/50 ||
		n.maxBytes != 0 && bytes > n.maxBytes-(n.maxBytes+49)/50 {
		return
	}
	n.gate.open()
}

// held is what is in all queues and on its way there.
func (n *node) held() (messages, bytes uint64) {
	t := n.broker.totals()
	return n.pending.plus(t.Count, t.Bytes)
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
