package sim

import (
	"context"
	"errors"
	"sync"
	"time"

	"entrepot/broker/admin"
)

const (
	// recovery is how soon all nodes serve every queue when nothing is wrong any more.
	recovery = 2 * time.Minute
	// calmDown is for what clients have left behind: unsettled deliveries go back
	// when their connections end.
	calmDown = 30 * time.Second
	// quiet is how long nothing must come before a queue is called empty.
	quiet = 15 * time.Second
	// drainTime is how long draining all queues may take.
	drainTime = 10 * time.Minute
	// verifyTime is how long comparing the replicas may take.
	verifyTime = time.Minute
)

// drain takes everything that is left, by one consumer a queue, and looks whether
// nothing is left then, anywhere.
func (w *world) drain() {
	w.heal()
	if !w.awaitReady("after the faults", recovery) {
		return
	}
	time.Sleep(calmDown)
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	var drains sync.WaitGroup
	for _, queue := range w.queues {
		c := consumer{w, w.fork()}
		drains.Go(func() { c.drain(ctx, queue) })
	}
	drains.Wait()
	if ctx.Err() != nil {
		return
	}
	w.history.Drained(time.Now())
	w.empty()
	w.verify()
}

// drain takes from one queue until nothing comes any more.
func (c *consumer) drain(ctx context.Context, queue string) {
	for ctx.Err() == nil {
		err := c.once(ctx, queue, habits{credit: 50, last: true, quiet: quiet})
		if errors.Is(err, errQuiet) {
			return // whether all have come the history tells
		}
		c.log.Info("sim: drain", "queue", queue, "error", err)
		pause(ctx, time.Second)
	}
	c.fault("liveness", "%s was not drained in %v; %d messages are missing", queue, drainTime,
		c.history.Missing(queue, time.Now(), c.jumped))
}

// empty looks for messages that nobody gets.
func (w *world) empty() {
	time.Sleep(5 * time.Second) // followers hear of the last removals, and the expired go
	for _, m := range w.machines {
		p := m.process()
		if p == nil {
			w.fault("liveness", "%s is down", m.id)
			continue
		}
		page, err := p.broker.Queues(context.Background(), "", "", 100)
		if err != nil {
			w.fault("liveness", "%s: %v", m.id, err)
		}
		for _, q := range page.Queues {
			if q.Messages != 0 && !w.options.TTLs {
				w.fault("stuck", "%s: %s has %d messages after the drain", m.id, q.Name, q.Messages)
			}
		}
	}
}

// verify compares the replicas.
func (w *world) verify() {
	p := w.machines[0].process()
	if p == nil {
		return
	}
	c, err := p.broker.Cluster()
	if err != nil {
		return // standalone
	}
	ctx, cancel := context.WithTimeout(context.Background(), verifyTime)
	defer cancel()
	v, err := c.Verify(ctx, func(admin.Progress) {})
	if err != nil {
		w.fault("liveness", "the replicas can't be compared: %v", err)
		return
	}
	if !v.Equal {
		w.fault("replicas", "they differ: %+v", v.Shards)
	}
}
