package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"entrepot/bench/internal/hist"
	"entrepot/bench/internal/load"
	"entrepot/bench/internal/report"
)

// traffic is the scenario of senders, with or without receivers, that work for a
// warm-up and then for the window that is measured.
func traffic(ctx context.Context, r *run) error {
	queues, err := r.queues(ctx, r.c.Queues)
	if err != nil {
		return err
	}
	if err := r.connectToLeader(ctx, queues[0]); err != nil {
		return err
	}
	return r.measureTraffic(ctx, queues)
}

// measureTraffic notes the figures of the case's traffic over the queues.
func (r *run) measureTraffic(ctx context.Context, queues []string) error {
	t := startTraffic(ctx, r.client, r.c, queues)
	before, after, err := r.watch(ctx, t)
	if err := t.stop(err); err != nil {
		return err
	}

	seconds := after.at.Sub(before.at).Seconds()
	accepted := float64(after.accepted - before.accepted)
	done := accepted
	if r.c.Receivers > 0 {
		done = float64(after.received - before.received)
		r.set(report.SendRate, accepted/seconds)
	}
	if done == 0 {
		return errors.New("no message went through in the measured window")
	}
	used := after.broker.Since(before.broker)
	r.set(report.Rate, done/seconds)
	r.set(report.CPUPerMsg, used.CPU.Seconds()*1e6/done)
	client := after.client - before.client
	r.set(report.ClientPerMsg, client.Seconds()*1e6/done)
	others := after.machine - before.machine - used.CPU - client
	r.set(report.OthersCPU, 100*max(others.Seconds(), 0)/seconds)
	if before.between.set && after.between.set {
		r.set(report.BetweenBytes, float64(after.between.value-before.between.value)/done)
	}
	r.setWritten(sum(t.sent))
	r.setMemory(used)
	r.setAccept(t.acceptLatency())
	r.setEndToEnd(t.endToEndLatency())
	return nil
}

// counted is a reading of all that grows.
type counted struct {
	usage
	accepted, received uint64
	between            option // bytes between nodes
}

// watch waits out the warm-up, opens the window, and reads at both its ends.
func (r *run) watch(ctx context.Context, t *running) (before, after counted, err error) {
	if err := t.wait(ctx, r.warmup); err != nil {
		return before, after, err
	}
	t.window.Set(true)
	defer t.window.Set(false)
	if before, err = r.count(ctx, t); err != nil {
		return before, after, err
	}
	stopProfile := r.perf.start(r)
	defer stopProfile()
	if err := t.wait(ctx, r.window); err != nil {
		return before, after, err
	}
	after, err = r.count(ctx, t)
	return before, after, err
}

func (r *run) count(ctx context.Context, t *running) (counted, error) {
	u, err := r.usage()
	return counted{u, sum(t.sent), sum(t.received), r.bytesBetween(ctx)}, err
}

// running is traffic under way.
type running struct {
	window   load.Window
	cancel   context.CancelFunc
	workers  sync.WaitGroup
	sent     []*load.Meter
	received []*load.Meter

	failed  chan struct{} // closed at the first error
	failure firstError
}

// startTraffic starts the senders and receivers of c.
func startTraffic(ctx context.Context, client load.Client, c Case, queues []string) *running {
	ctx, cancel := context.WithCancel(ctx)
	t := &running{cancel: cancel, failed: make(chan struct{})}
	for i := range c.Receivers {
		order := load.Receiving{Queue: queues[i%len(queues)], Credit: c.Credit, Meter: t.meter(&t.received)}
		t.work(func() error { return client.Receive(ctx, order) })
	}
	for i := range c.Senders {
		order := load.Sending{
			Queue: queues[i%len(queues)], Size: c.Size, InFlight: c.InFlight, Rate: c.Rate, Meter: t.meter(&t.sent),
			Body: c.Body, Failed: c.failed,
		}
		t.work(func() error { return client.Send(ctx, order) })
	}
	return t
}

func (t *running) meter(list *[]*load.Meter) *load.Meter {
	m := load.NewMeter(&t.window)
	*list = append(*list, m)
	return m
}

func (t *running) work(do func() error) {
	t.workers.Go(func() {
		if t.failure.set(do()) {
			close(t.failed)
		}
	})
}

// wait lets the traffic go on for d; the traffic's own error ends it early.
func (t *running) wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-t.failed:
		return t.failure.get()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// stop ends the traffic in order. It returns the traffic's own first error, else
// the watcher's.
func (t *running) stop(watcher error) error {
	t.cancel()
	t.workers.Wait()
	if err := t.failure.get(); err != nil {
		return err
	}
	return watcher
}

// acceptLatency and endToEndLatency are what the window saw. REQUIRES: stopped.
func (t *running) acceptLatency() *hist.Histogram   { return merge(t.sent) }
func (t *running) endToEndLatency() *hist.Histogram { return merge(t.received) }

func merge(meters []*load.Meter) *hist.Histogram {
	all := new(hist.Histogram)
	for _, m := range meters {
		all.Merge(m.Histogram())
	}
	return all
}

func sum(meters []*load.Meter) uint64 {
	var n uint64
	for _, m := range meters {
		n += m.Count()
	}
	return n
}

// firstError keeps the first of the errors of several goroutines.
type firstError struct {
	mu  sync.Mutex
	err error
}

// set tells whether err is the first one; nil is none.
func (f *firstError) set(err error) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err == nil || f.err != nil {
		return false
	}
	f.err = err
	return true
}

func (f *firstError) get() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}
