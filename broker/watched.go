package broker

import (
	"sync"
	"time"

	"entrepot/queue"
)

// watched are the addresses whose gate is shut, so that facts which make room open
// it. Only links that are attached can wait at a gate, so an address is taken out
// with its last link.
type watched struct {
	mu        sync.Mutex
	addresses map[queue.ID]*address
}

func (w *watched) add(a *address) {
	w.mu.Lock()
	if w.addresses == nil {
		w.addresses = map[queue.ID]*address{}
	}
	w.addresses[a.id] = a
	w.mu.Unlock()
}

func (w *watched) forget(a *address) {
	w.mu.Lock()
	if w.addresses[a.id] == a {
		delete(w.addresses, a.id)
	}
	w.mu.Unlock()
}

// waits tells whether producers of this node wait for room in a queue.
func (w *watched) waits(q queue.ID) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.addresses[q] != nil
}

// removed looks at the gates of the queues that something was removed from.
func (w *watched) removed(replies []queue.Reply) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.addresses) == 0 {
		return
	}
	for i := range replies {
		switch replies[i].Kind {
		case queue.KindRemove, queue.KindPurge, queue.KindDelete:
			if a := w.addresses[replies[i].Queue]; a != nil && a.reopen() {
				delete(w.addresses, a.id)
			}
		}
	}
}

// reopen looks at all gates.
func (w *watched) reopen() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id, a := range w.addresses {
		if a.reopen() {
			delete(w.addresses, id)
		}
	}
}

// overloaded tells that producers should wait: the log is behind.
func (s *shard) overloaded() bool {
	return s.batcher.Backlog() > backlogHigh || s.journal.WindowBytes() > s.broker.windowHigh
}

// busyLook is how often an overloaded shard is looked at: nobody tells when it is
// so no more.
const busyLook = 5 * time.Millisecond

// waitWhileBusy remembers p if the log is behind or nobody leads, and reports
// whether that is so.
func (s *shard) waitWhileBusy(p *producer) bool {
	if s.adrift.wait(p) {
		return true
	}
	if !s.overloaded() {
		return false
	}
	if s.busy.close() {
		time.AfterFunc(busyLook, s.lookWhetherBusy)
	}
	return s.busy.wait(p)
}

func (s *shard) lookWhetherBusy() {
	if s.overloaded() {
		time.AfterFunc(busyLook, s.lookWhetherBusy)
		return
	}
	s.busy.open()
}
