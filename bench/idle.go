package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"entrepot/bench/internal/load"
	"entrepot/bench/internal/procstat"
	"entrepot/bench/internal/report"
)

// idleConnections is the scenario of connections with one link each that waits
// for messages: the memory that one costs.
func idleConnections(ctx context.Context, r *run) error {
	queues, err := r.queues(ctx, r.c.Queues)
	if err != nil {
		return err
	}
	if err := r.firstAccept(ctx, queues[0]); err != nil { // whatever a first client brings to life
		return err
	}
	if err := wait(ctx, afterwork); err != nil {
		return err
	}
	before, err := procstat.Of(r.broker.PIDs())
	if err != nil {
		return err
	}
	var open connections
	defer open.close()
	if err := open.dial(ctx, r.client, queues, r.c.Count); err != nil {
		return err
	}
	if err := wait(ctx, afterwork); err != nil {
		return err
	}
	after, err := procstat.Of(r.broker.PIDs())
	if err != nil {
		return err
	}
	r.set(report.PerConn, (float64(after.RSSBytes)-float64(before.RSSBytes))/1024/float64(r.c.Count))
	r.setMemory(after)
	return r.cpuShare(ctx, r.window)
}

// connections are open and silent.
type connections struct {
	mu   sync.Mutex
	open []io.Closer
}

const dialers = 16

func (c *connections) dial(ctx context.Context, client load.Client, queues []string, n int) error {
	numbers := make([]int, n)
	for i := range numbers {
		numbers[i] = i
	}
	return load.Each(ctx, numbers, dialers, func(ctx context.Context, i int) error {
		conn, err := client.Idle(ctx, queues[i%len(queues)])
		if err != nil {
			return fmt.Errorf("connection %d: %w", i, err)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.open = append(c.open, conn)
		return nil
	})
}

// close closes them all; how they end says nothing about the measurement.
func (c *connections) close() {
	closing := context.Background()
	_ = load.Each(closing, c.open, dialers, func(_ context.Context, conn io.Closer) error {
		_ = conn.Close()
		return nil
	})
}

// idleNode is the scenario of a broker without clients.
func idleNode(ctx context.Context, r *run) error {
	const settle, window = 5 * time.Second, 30 * time.Second
	if err := wait(ctx, settle); err != nil {
		return err
	}
	u, err := procstat.Of(r.broker.PIDs())
	if err != nil {
		return err
	}
	r.setMemory(u)
	return r.cpuShare(ctx, max(window, r.window))
}

// cpuShare notes how busy the broker is over a while.
func (r *run) cpuShare(ctx context.Context, over time.Duration) error {
	before, err := r.usage()
	if err != nil {
		return err
	}
	if err := wait(ctx, over); err != nil {
		return err
	}
	after, err := r.usage()
	if err != nil {
		return err
	}
	seconds := after.at.Sub(before.at).Seconds()
	if seconds == 0 {
		return errors.New("no time has passed")
	}
	share := 100 * after.broker.Since(before.broker).CPU.Seconds() / seconds
	r.set(report.CPUShare, share)
	if c := r.replicated(); c != nil {
		r.set(report.NodeCPUShare, share/float64(c.Nodes()))
	}
	return nil
}
