package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"entrepot/bench/internal/load"
	"entrepot/bench/internal/peer"
	"entrepot/bench/internal/report"
)

// bench runs cases on brokers, in turn, and collects the report.
type bench struct {
	options
	cases   []Case
	brokers []peer.Broker // those that are installed
	report  report.Report
}

func newBench(o options, chosen []Case) *bench {
	b := &bench{options: o, report: report.Report{Machine: report.ThisMachine(), Started: time.Now(), Quick: o.quick}}
	for _, c := range chosen {
		if o.quick {
			c = c.quickly()
		}
		b.cases = append(b.cases, c)
		b.report.Cases = append(b.report.Cases, report.Case{Name: c.Name, Title: c.Title, Goals: c.Goals})
	}
	return b
}

// install prepares the brokers. One that is not installed is left out, and the
// report says so.
func (b *bench) install(ctx context.Context, brokers []peer.Broker) error {
	for _, broker := range brokers {
		version, err := broker.Install(ctx)
		if errors.Is(err, peer.ErrNotInstalled) {
			fmt.Fprintf(os.Stderr, "skipping %s: %v\n", broker.Name(), err)
			b.report.Peers = append(b.report.Peers, report.Peer{Name: broker.Name(), Skipped: err.Error()})
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: %w", broker.Name(), err)
		}
		b.brokers = append(b.brokers, broker)
		b.report.Peers = append(b.report.Peers, report.Peer{Name: broker.Name(), Version: version, Ours: ours(broker)})
	}
	if len(b.brokers) == 0 {
		return errors.New("none of the brokers is installed")
	}
	return nil
}

// rounds runs every case on every broker, one right after the other, round after
// round. Who begins changes with the round, so that drift favours nobody.
// Only one broker is up at a time. Failed runs are told at the end.
func (b *bench) rounds(ctx context.Context) error {
	failed := 0
	for round := range b.options.rounds {
		for _, c := range b.cases {
			n, err := b.inTurn(ctx, c, round)
			if err != nil {
				return err
			}
			failed += n
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d runs failed, see the report", failed)
	}
	return nil
}

// inTurn runs one case on every broker and tells how many runs failed.
func (b *bench) inTurn(ctx context.Context, c Case, round int) (failed int, err error) {
	for i := range b.brokers {
		broker := b.brokers[(i+round)%len(b.brokers)]
		if c.OnlyEntrepot && !ours(broker) || slices.Contains(c.Without, broker.Name()) {
			continue
		}
		result := b.once(ctx, c, broker, round)
		if ctx.Err() != nil {
			return failed, errors.New("interrupted; the report has what was measured before")
		}
		if result == nil {
			continue
		}
		if result.Error != "" {
			failed++
		}
		b.report.Runs = append(b.report.Runs, *result)
		if err := b.writeJSON(); err != nil { // after each, so that nothing is lost
			return failed, err
		}
	}
	return failed, nil
}

func ours(broker peer.Broker) bool {
	switch broker.(type) {
	case *peer.Entrepot, *peer.EntrepotCluster:
		return true
	default:
		return false
	}
}

// once runs one case on one broker; nil if the broker has no client for it.
func (b *bench) once(ctx context.Context, c Case, broker peer.Broker, round int) *report.Run {
	r := &run{
		c:      c,
		broker: broker,
		warmup: b.duration / 3,
		window: b.duration,
		out:    b.out,
		result: report.Run{Case: c.Name, Peer: broker.Name(), Round: round, Metrics: map[report.Metric]float64{}},
	}
	if _, err := broker.Client(c.Client); errors.Is(err, load.ErrUnsupported) {
		return nil
	}
	if b.profile {
		r.perf = &profiler{dir: b.out}
	}
	start := time.Now()
	r.do(ctx, b.dir)
	fmt.Fprintf(os.Stderr, "round %d  %-13s %-12s %5.1f s  %s\n",
		round+1, c.Name, broker.Name(), time.Since(start).Seconds(), r.result.Line())
	return &r.result
}

func (b *bench) writeJSON() error { return b.report.WriteJSON(filepath.Join(b.out, "bench.json")) }

// write leaves the table and the plots in the output directory, and prints the
// table.
func (b *bench) write() error {
	file, err := os.Create(filepath.Join(b.out, "bench.md"))
	if err != nil {
		return err
	}
	err = errors.Join(b.report.WriteMarkdown(file), file.Close())
	err = errors.Join(err, b.report.WriteMarkdown(os.Stdout))
	err = errors.Join(err, b.report.PlotRates(filepath.Join(b.out, "rates.svg")))
	for _, c := range b.cases {
		if c.Rate > 0 || c.InFlight == 1 { // the cases that are about latency
			err = errors.Join(err, b.report.PlotLatency(c.Name, filepath.Join(b.out, "latency-"+c.Name+".svg")))
		}
	}
	return err
}
