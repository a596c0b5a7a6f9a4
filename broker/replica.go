package broker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"entrepot/journal"
	"entrepot/queue"
)

// errRepairing: this node's replica of a shard is damaged and on its way to be whole
// again.
var errRepairing = errors.New("this node's replica of the shard is being repaired; another node serves the queue meanwhile")

// failed is told that the replica can't be read. In a cluster, damage of a record is
// repaired from the other replicas (see cluster.Node.Damaged), and costs a node
// standing alone its life like every other failure.
func (s *shard) failed(err error) {
	if s.broker.stopping.Load() {
		return
	}
	var damage *journal.CorruptionError
	if errors.As(err, &damage) && s.broker.clustered() {
		s.log.Error("the replica is damaged", "error", err)
		return
	}
	s.broker.fatal(err)
}

// restored: the replica is another one now, newer than the last fact that was applied
// to the one before. What links of this node would have been told is found out.
func (s *shard) restored() {
	s.news.tell()
	s.broker.goAside(func() {
		s.broker.directory.recheck(s)
		s.watched.reopen()
		s.broker.node.reopen()
	})
}

// deleted tells that a queue was there, and is no more. One that the replica has not
// heard of yet is not deleted.
func (s *shard) deleted(id queue.ID) bool {
	if id >= s.journal.NextID() { // first: it may be declared at this moment
		return false
	}
	_, exists := s.journal.Queue(id)
	return !exists
}

// heardOf tells whether the declaration that made a queue has come to this node's
// replica, whatever has become of the queue since.
func (s *shard) heardOf(id queue.ID) (bool, error) {
	if s.repairing.Load() {
		return false, errRepairing
	}
	return id < s.journal.NextID(), nil
}

// A node that does not lead learns of a fact a moment after it became one: with the
// leader's next message. Who has made a fact and wants to read it here waits for it.

// news are told whenever the replica may have changed. Who waits for a fact looks
// again at each, and only then, so that waiting is both short and cheap. (With a look
// at the store every 5 ms it was a sixth of a node's CPU while 256 queues at a time
// were declared there.)
type news struct {
	mu    sync.Mutex
	heard chan struct{} // closed by tell; nil: nobody waits
}

// next gives a channel that is closed when something has changed. Who asks for it
// before looking misses nothing.
func (n *news) next() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.heard == nil {
		n.heard = make(chan struct{})
	}
	return n.heard
}

func (n *news) tell() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.heard != nil {
		close(n.heard)
		n.heard = nil
	}
}

// replicaPatience bounds the wait: a replica that lags more than this says so in
// the cluster's status.
const replicaPatience = 10 * time.Second

// await waits until seen finds a fact in this node's replica.
func (s *shard) await(ctx context.Context, seen func() (bool, error)) error {
	if ok, err := seen(); ok || err != nil { // as a rule, where this node leads
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, replicaPatience)
	defer cancel()
	for {
		changed := s.news.next()
		if ok, err := seen(); ok || err != nil {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// levelPatience bounds how long a leader is looked for that knows what this node does not:
// an election and more.
const levelPatience = 5 * time.Second

// errNotLevel: no leader says how far this node's replica should be.
var errNotLevel = errors.New("this node has not heard of it, and hears from no leader of the shard")

// catchUp returns when this node's replica has everything that anybody was told of before.
func (s *shard) catchUp() error {
	ctx, cancel := context.WithTimeout(context.Background(), levelPatience)
	defer cancel()
	index, err := s.broker.cluster.LeaderApplied(ctx, s.id)
	if err == nil {
		err = s.await(ctx, func() (bool, error) {
			if s.repairing.Load() {
				return false, errRepairing
			}
			return s.journal.AppliedIndex() >= index, nil
		})
	}
	if err != nil && !errors.Is(err, errRepairing) {
		err = fmt.Errorf("%w (%v)", errNotLevel, err)
	}
	return err
}

// level has many who ask at a time share a few rounds of catchUp: each is answered by one
// that began after it had asked.
type level struct {
	reach func() error
	spawn func(func())

	mu      sync.Mutex
	asked   []chan<- error // since the round that runs began
	running bool
}

// await returns when a round that began after the call has ended, with its error, or
// errNotLevel when ctx ends before.
func (l *level) await(ctx context.Context) error {
	answer := make(chan error, 1)
	l.mu.Lock()
	l.asked = append(l.asked, answer)
	first := !l.running
	l.running = true
	l.mu.Unlock()
	if first {
		l.spawn(l.run)
	}
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return fmt.Errorf("%w (%v)", errNotLevel, ctx.Err())
	}
}

// run makes rounds until nobody has asked during one.
func (l *level) run() {
	for {
		l.mu.Lock()
		asked := l.asked
		l.asked = nil
		l.running = len(asked) > 0
		l.mu.Unlock()
		if len(asked) == 0 {
			return
		}
		err := l.reach()
		for _, answer := range asked {
			answer <- err
		}
	}
}

// awaitLocal is await without waiting here: seen is called until it has found the
// fact, failed is told why it was not found.
func (s *shard) awaitLocal(ctx context.Context, seen func() (bool, error), failed func(error)) {
	s.broker.goAside(func() {
		if err := s.await(ctx, seen); err != nil {
			failed(err)
		}
	})
}
