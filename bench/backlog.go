package main

import (
	"context"
	"fmt"
	"time"

	"entrepot/bench/internal/load"
	"entrepot/bench/internal/procstat"
	"entrepot/bench/internal/report"
)

// backlog is the scenario of a queue that fills while nobody consumes: what it
// takes to keep it, to come back after kill -9, and to drain it.
func backlog(ctx context.Context, r *run) error {
	queues, err := r.queues(ctx, 2)
	if err != nil {
		return err
	}
	full, other := queues[0], queues[1]
	if r.c.Live {
		if err := r.live(ctx, other); err != nil {
			return fmt.Errorf("live rate: %w", err)
		}
	}
	if err := r.fill(ctx, full); err != nil {
		return fmt.Errorf("fill: %w", err)
	}
	if err := r.settleDown(ctx); err != nil {
		return err
	}
	if r.c.Crash {
		if err := r.crash(ctx, other); err != nil {
			return fmt.Errorf("crash: %w", err)
		}
	}
	if r.c.Drain {
		if err := r.drain(ctx, full); err != nil {
			return fmt.Errorf("drain: %w", err)
		}
	}
	return nil
}

// live measures one sender and one receiver at full speed, as in case "flow".
func (r *run) live(ctx context.Context, queue string) error {
	c := r.c
	c.Senders, c.Receivers, c.InFlight = 1, 1, 256
	t := startTraffic(ctx, r.client, c, []string{queue})
	before, after, err := r.watch(ctx, t)
	if err := t.stop(err); err != nil {
		return err
	}
	r.set(report.Rate, float64(after.received-before.received)/after.at.Sub(before.at).Seconds())
	return nil
}

func (r *run) fill(ctx context.Context, queue string) error {
	var window load.Window
	start := time.Now()
	err := r.client.Send(ctx, load.Sending{
		Queue: queue, Size: r.c.Size, InFlight: r.c.InFlight, Count: r.c.Count, Meter: load.NewMeter(&window),
	})
	if err != nil {
		return err
	}
	r.set(report.FillRate, float64(r.c.Count)/time.Since(start).Seconds())
	return ctx.Err()
}

// settleDown waits until the broker has done what it does after a fill (flushing,
// compacting): the space on disk has been the same for two seconds. It notes that
// space, and the memory.
func (r *run) settleDown(ctx context.Context) error {
	const quiet, limit = 2 * time.Second, 20 * time.Second
	disk, err := procstat.DiskBytes(r.broker.DataDir())
	for start, since := time.Now(), time.Now(); err == nil; {
		if time.Since(since) >= quiet || time.Since(start) >= limit {
			break
		}
		if err := wait(ctx, quiet/10); err != nil {
			return err
		}
		var now uint64
		if now, err = procstat.DiskBytes(r.broker.DataDir()); now != disk {
			disk, since = now, time.Now()
		}
	}
	if err != nil {
		return err
	}
	r.set(report.DiskPerMsg, float64(disk)/float64(r.c.Count))
	u, err := r.usage()
	if err != nil {
		return err
	}
	r.setMemory(u.broker)
	return nil
}

// crash kills the broker, starts it again, and notes how long it takes until it
// accepts a message on a queue.
func (r *run) crash(ctx context.Context, queue string) error {
	r.broker.Kill()
	start := time.Now()
	if err := r.broker.Launch(ctx); err != nil {
		return err
	}
	if err := r.firstAccept(ctx, queue); err != nil {
		return err
	}
	r.set(report.RestartTime, time.Since(start).Seconds())
	return nil
}

// firstAccept sends one message until one is accepted; refused connections and
// attaches are tried again.
func (r *run) firstAccept(ctx context.Context, queue string) error {
	const limit, pause = 5 * time.Minute, 2 * time.Millisecond
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var window load.Window
	for {
		meter := load.NewMeter(&window)
		err := r.client.Send(ctx, load.Sending{Queue: queue, Size: kib, InFlight: 1, Count: 1, Meter: meter})
		if err == nil && meter.Count() == 1 {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("no message accepted in %v: %w", limit, err)
		}
		if err := wait(ctx, pause); err != nil {
			return err
		}
	}
}

// drain empties the queue; a missing message is a timeout.
func (r *run) drain(ctx context.Context, queue string) error {
	const limit = 10 * time.Minute
	draining, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var window load.Window
	meter := load.NewMeter(&window)
	before, err := r.usage()
	if err != nil {
		return err
	}
	if err := r.client.Receive(draining, load.Receiving{Queue: queue, Credit: r.c.Credit, Count: r.c.Count, Meter: meter}); err != nil {
		return err
	}
	after, err := r.usage()
	if err != nil {
		return err
	}
	if meter.Count() != uint64(r.c.Count) {
		return fmt.Errorf("%d of %d messages came", meter.Count(), r.c.Count)
	}
	used := after.broker.Since(before.broker)
	r.set(report.DrainRate, float64(r.c.Count)/after.at.Sub(before.at).Seconds())
	r.set(report.DrainCPU, used.CPU.Seconds()*1e6/float64(r.c.Count))
	r.setMemory(used)
	if live, ok := r.result.Metrics[report.Rate]; ok {
		r.set(report.DrainToLive, r.result.Metrics[report.DrainRate]/live)
	}
	return nil
}
