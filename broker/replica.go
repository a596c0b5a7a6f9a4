package broker

import (
	"context"
	"errors"
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
	s.broker.goAside(func() {
		s.broker.directory.recheck(s)
		s.watched.reopen()
		s.broker.node.reopen()
	})
}

// deleted tells that a queue was there, and is no more. One that the replica has not
// heard of yet is not deleted.
func (s *shard) deleted(id queue.ID) bool {
	_, exists := s.journal.Queue(id)
	return !exists && id < s.journal.NextID()
}

// A node that does not lead learns of a fact a moment after it became one: with the
// leader's next message. Who has made a fact and wants to read it here waits for it.

// replicaLook is how often this node's replica is looked at for a fact that is on
// its way.
const replicaLook = 5 * time.Millisecond

// replicaPatience bounds the wait: a replica that lags more than this says so in
// the cluster's status.
const replicaPatience = 10 * time.Second

// await waits until seen finds a fact in this node's replica.
func (s *shard) await(ctx context.Context, seen func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, replicaPatience)
	defer cancel()
	ticker := time.NewTicker(replicaLook)
	defer ticker.Stop()
	for {
		if ok, err := seen(); ok || err != nil {
			return err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
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
