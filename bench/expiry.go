package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"entrepot/bench/internal/load"
	"entrepot/bench/internal/peer"
	"entrepot/bench/internal/report"
)

// expiry is the scenario of a large backlog whose messages have deadlines in no
// order, spread evenly over a while, with steady traffic on another queue. It
// notes by how much the broker's own count of messages lags behind the deadlines,
// and fails if a message vanishes before its time.
func expiry(ctx context.Context, r *run) error {
	depther, ok := r.broker.(peer.Depther)
	if !ok {
		return fmt.Errorf("depth of queues: %w", load.ErrUnsupported)
	}
	queues, err := r.queues(ctx, r.c.Senders+1)
	if err != nil {
		return err
	}
	full, live := queues[:r.c.Senders], queues[r.c.Senders]
	begin, err := r.chooseBegin(ctx, live)
	if err != nil {
		return err
	}
	d := newDeadlines(begin, r.c.TTLSpread, r.c.Count/r.c.Senders*r.c.Senders)
	start := time.Now()
	if err := r.fillWithDeadlines(ctx, full, d); err != nil {
		return fmt.Errorf("fill: %w", err)
	}
	r.set(report.FillRate, float64(d.count)/time.Since(start).Seconds())
	if time.Now().After(begin) {
		return fmt.Errorf("the fill took %v longer than planned: the first messages have expired", time.Since(begin))
	}
	c := r.c
	c.Senders, c.Receivers, c.InFlight = 1, 1, 256
	t := startTraffic(ctx, r.client, c, []string{live})
	err = r.watchExpiry(ctx, t, depther, full, d)
	if err := t.stop(err); err != nil {
		return err
	}
	r.setEndToEnd(t.endToEndLatency())
	return nil
}

// chooseBegin plans the first deadline for when the backlog will surely be there,
// by the time that a hundredth of it takes. That part is received again.
func (r *run) chooseBegin(ctx context.Context, queue string) (time.Time, error) {
	const reserve = 15 * time.Second
	var window load.Window
	sample := max(r.c.Count/100, 100)
	start := time.Now()
	err := r.client.Send(ctx, load.Sending{
		Queue: queue, Size: r.c.Size, InFlight: r.c.InFlight, Count: sample, Meter: load.NewMeter(&window),
	})
	if err != nil {
		return time.Time{}, fmt.Errorf("sample: %w", err)
	}
	estimate := time.Since(start) * time.Duration(r.c.Count/sample)
	err = r.client.Receive(ctx, load.Receiving{
		Queue: queue, Credit: r.c.Credit, Count: sample, Meter: load.NewMeter(&window),
	})
	return time.Now().Add(estimate*2 + reserve), err
}

func (r *run) fillWithDeadlines(ctx context.Context, queues []string, d *deadlines) error {
	var window load.Window
	var next atomic.Int64
	return load.Each(ctx, queues, len(queues), func(ctx context.Context, queue string) error {
		return r.client.Send(ctx, load.Sending{
			Queue: queue, Size: r.c.Size, InFlight: r.c.InFlight, Count: d.count / len(queues), Meter: load.NewMeter(&window),
			Deadline: func(int) time.Time { return d.of(int(next.Add(1) - 1)) },
		})
	})
}

// watchExpiry compares the queues' depth with the deadlines until all are empty.
func (r *run) watchExpiry(ctx context.Context, t *running, depther peer.Depther, queues []string, d *deadlines) error {
	const interval, patience = 50 * time.Millisecond, 30 * time.Second
	if err := t.wait(ctx, time.Until(d.begin)); err != nil {
		return err
	}
	stopProfile := r.perf.start(r)
	defer stopProfile()
	t.window.Set(true)
	var worst time.Duration
	var memory uint64
	for depth := uint64(1); depth > 0; {
		if err := t.wait(ctx, interval); err != nil {
			return err
		}
		asked := time.Now()
		depth = 0
		for _, queue := range queues {
			n, err := depther.Depth(ctx, queue)
			if err != nil {
				return err
			}
			depth += n
		}
		answered := time.Now()
		if due := d.left(answered); depth < due {
			return fmt.Errorf("%d messages are left where %d have not reached their deadline", depth, due)
		}
		worst = max(worst, asked.Sub(d.lastTimeOf(depth)))
		if asked.After(d.end().Add(patience)) {
			return fmt.Errorf("%d messages are left %v after the last deadline", depth, patience)
		}
		u, err := r.usage()
		if err != nil {
			return err
		}
		if u.broker.RSSBytes > memory {
			memory = u.broker.RSSBytes
			r.setMemory(u.broker)
		}
	}
	r.set(report.ExpiryLag, worst.Seconds())
	return nil
}
