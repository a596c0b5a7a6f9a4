package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"entrepot/bench/internal/hist"
	"entrepot/bench/internal/load"
	"entrepot/bench/internal/procstat"
	"entrepot/bench/internal/report"
)

// firstMessages is how many queues get a first message.
const firstMessages = 200

// emptyQueues is the scenario of many declared queues without messages: memory,
// the time to declare them and to come back, and a first message to some of them
// against the same on an empty node.
func emptyQueues(ctx context.Context, r *run) error {
	names := make([]string, r.c.Count)
	for i := range names {
		names[i] = fmt.Sprintf("bench-%07d", i)
	}
	onEmpty, err := r.firstLatency(ctx, "warm")
	if err != nil {
		return fmt.Errorf("first messages on an empty node: %w", err)
	}
	before, err := procstat.Of(r.broker.PIDs())
	if err != nil {
		return err
	}
	start := time.Now()
	if err := r.broker.Declare(ctx, names); err != nil {
		return fmt.Errorf("declare: %w", err)
	}
	r.set(report.DeclareTime, time.Since(start).Seconds())
	if err := wait(ctx, afterwork); err != nil {
		return err
	}
	after, err := procstat.Of(r.broker.PIDs())
	if err != nil {
		return err
	}
	r.set(report.AddedRSS, (float64(after.RSSBytes)-float64(before.RSSBytes))/(1<<20))
	r.setMemory(after)

	if err := r.crash(ctx, names[len(names)/2]); err != nil {
		return fmt.Errorf("crash: %w", err)
	}
	first, err := r.firstLatency(ctx, "")
	if err != nil {
		return fmt.Errorf("first messages: %w", err)
	}
	r.setNodeMemory() // loading takes its own
	r.set(report.FirstP50, report.Millis(first))
	r.set(report.FirstToEmpty, float64(first)/float64(onEmpty))
	return nil
}

// afterwork is how long a broker may tidy up before its memory is read.
const afterwork = 3 * time.Second

// firstLatency sends one message to each of some queues, by a connection and link
// of its own, and gives the median from sending to accepted: to random ones of
// the declared queues, or with a prefix to new ones.
func (r *run) firstLatency(ctx context.Context, prefix string) (time.Duration, error) {
	queues := make([]string, min(firstMessages, r.c.Count))
	for i := range queues {
		if prefix == "" {
			queues[i] = fmt.Sprintf("bench-%07d", rand.IntN(r.c.Count))
		} else {
			queues[i] = fmt.Sprintf("%s-%07d", prefix, i)
		}
	}
	if prefix != "" {
		if err := r.broker.Declare(ctx, queues); err != nil {
			return 0, err
		}
	}
	var window load.Window
	window.Set(true)
	all := new(hist.Histogram)
	for _, queue := range queues {
		meter := load.NewMeter(&window)
		if err := r.client.Send(ctx, load.Sending{Queue: queue, Size: kib, InFlight: 1, Count: 1, Meter: meter}); err != nil {
			return 0, err
		}
		all.Merge(meter.Histogram())
	}
	return all.Quantile(0.5), ctx.Err()
}
