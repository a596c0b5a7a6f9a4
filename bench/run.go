package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"entrepot/bench/internal/hist"
	"entrepot/bench/internal/load"
	"entrepot/bench/internal/peer"
	"entrepot/bench/internal/procstat"
	"entrepot/bench/internal/report"
)

// run is one case on one broker, from the start of the broker to its end.
type run struct {
	c      Case
	broker peer.Broker
	client load.Client
	warmup time.Duration
	window time.Duration // how long traffic is measured
	out    string        // directory of the reports
	// writtenBefore is what the disk under the data had been given when the broker
	// had started; absent if the file system does not tell.
	writtenBefore option
	result        report.Run
	perf          *profiler // nil: no profile
}

// fsyncProbes is how many fdatasyncs tell what the disk is worth now.
const fsyncProbes = 100

// do starts the broker on an empty store, lets the scenario measure, and removes
// all traces. Errors go into the result; ctx's end is one.
func (r *run) do(ctx context.Context, probeDir string) {
	if err := r.measure(ctx, probeDir); err != nil {
		r.result.Error = err.Error()
	}
}

func (r *run) measure(ctx context.Context, probeDir string) (err error) {
	syscall.Sync() // what another broker left unwritten is not this one's burden
	probe, err := procstat.FsyncMedian(probeDir, fsyncProbes)
	if err != nil {
		return fmt.Errorf("fsync probe: %w", err)
	}
	r.result.FsyncMillis = report.Millis(probe)

	if err := r.broker.Start(ctx); err != nil {
		return fmt.Errorf("start: %w", err)
	}
	defer func() {
		if err = errors.Join(err, r.broker.Stop()); err != nil {
			r.keepLog()
		}
		err = errors.Join(err, r.broker.Wipe())
	}()
	r.writtenBefore = r.deviceWritten()
	if r.client, err = r.broker.Client(r.c.Client); err != nil {
		return err
	}
	if err := r.c.Do(ctx, r); err != nil {
		return err
	}
	return ctx.Err()
}

// keepLog copies the broker's logs, which end with the broker, to the reports.
func (r *run) keepLog() {
	for i, file := range r.broker.LogFiles() {
		text, err := os.ReadFile(file)
		if err == nil {
			name := fmt.Sprintf("%s-%s-%d.log", r.c.Name, r.broker.Name(), r.result.Round+1)
			if i > 0 {
				name = fmt.Sprintf("%s-%s-%d-node%d.log", r.c.Name, r.broker.Name(), r.result.Round+1, i)
			}
			err = os.WriteFile(filepath.Join(r.out, name), text, 0o644)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "keep the broker's log:", err)
		}
	}
}

// set notes one figure.
func (r *run) set(m report.Metric, v float64) { r.result.Metrics[m] = v }

// queues names n queues and declares them where an attach does not.
func (r *run) queues(ctx context.Context, n int) ([]string, error) {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("bench-%07d", i)
	}
	if r.broker.NeedsDeclare() {
		if err := r.broker.Declare(ctx, names); err != nil {
			return nil, fmt.Errorf("declare: %w", err)
		}
	}
	return names, nil
}

// option is a number that may be absent.
type option struct {
	value uint64
	set   bool
}

// deviceWritten syncs everything and reads what the disk has been given.
func (r *run) deviceWritten() option {
	syscall.Sync()
	written, err := procstat.DeviceWritten(r.broker.DataDir())
	return option{written, err == nil}
}

// setWritten notes what went to the disk since the broker's start, for each of n
// messages: with everything that the broker has left to the kernel.
func (r *run) setWritten(n uint64) {
	after := r.deviceWritten()
	if r.writtenBefore.set && after.set && n > 0 {
		r.set(report.WrittenBytes, float64(after.value-r.writtenBefore.value)/float64(n))
	}
}

// usage is what broker and client have used up to a moment.
type usage struct {
	at      time.Time
	broker  procstat.Usage
	client  time.Duration // CPU
	machine time.Duration // CPU of everybody
}

func (r *run) usage() (usage, error) {
	broker, err := procstat.Of(r.broker.PIDs())
	if err != nil {
		return usage{}, err
	}
	client, err := procstat.Of([]int{os.Getpid()})
	if err != nil {
		return usage{}, err
	}
	machine, err := procstat.MachineCPU()
	return usage{time.Now(), broker, client.CPU, machine}, err
}

// setMemory notes what the broker holds now, and its peak.
func (r *run) setMemory(u procstat.Usage) {
	const mib = 1 << 20
	r.set(report.RSS, float64(u.RSSBytes)/mib)
	r.set(report.PeakRSS, max(float64(u.PeakRSSBytes)/mib, r.result.Metrics[report.PeakRSS]))
	r.setNodeMemory()
}

// setAccept and setEndToEnd note latencies.
func (r *run) setAccept(h *hist.Histogram) {
	r.result.Accept = report.CurveOf(h)
	r.setQuantiles(h, report.AcceptP50, report.AcceptP99, report.AcceptP999)
}

func (r *run) setEndToEnd(h *hist.Histogram) {
	r.result.EndToEnd = report.CurveOf(h)
	r.setQuantiles(h, report.EndToEndP50, report.EndToEndP99, report.EndToEndP999)
}

func (r *run) setQuantiles(h *hist.Histogram, p50, p99, p999 report.Metric) {
	if h.Count() == 0 {
		return
	}
	r.set(p50, report.Millis(h.Quantile(0.5)))
	r.set(p99, report.Millis(h.Quantile(0.99)))
	r.set(p999, report.Millis(h.Quantile(0.999)))
}

// wait sleeps; an error if ctx ends before.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
