package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"entrepot/broker/brokerproc"
)

const (
	// attackLimit ends an attack that goes on for ever. It is also how long the
	// broker may take to end a connection: its idle time-out here is 3 s, it waits
	// 5 s for the answer to a close, and 30 s for a first open.
	attackLimit = 45 * time.Second
	// mostRSS bounds the broker's memory under any attack: its own caches and
	// windows, one message of the largest size in a few places, and no more.
	mostRSS = 600 << 20
	// settleTime is what the broker may need to notice that a client is gone.
	settleTime = 5 * time.Second
)

// failedMetric counts connections that ended with an error.
const failedMetric = "entrepot_connections_failed_total"

// attack is one kind of bad input.
type attack struct {
	name string
	// counted: the metric must have counted it when the attack is over.
	counted bool
	run     func(ctx context.Context, addr string) error
}

// judge runs an attack and says what the broker did wrong, and the most memory
// in bytes that it took.
func (a *attack) judge(ctx context.Context, p *brokerproc.Process, v *victim) (highest int64, err error) {
	before, err := p.Metrics(ctx)
	if err != nil {
		return 0, err
	}
	rss := watchRSS(p)
	turns := v.turns()
	err = errors.Join(a.attempt(ctx, p.AMQP), v.worked(ctx, turns))
	highest = rss()
	if highest > mostRSS {
		err = errors.Join(err, fmt.Errorf("the broker took %d MiB, the bound is %d", highest>>20, mostRSS>>20))
	}
	if a.counted && !ended(p) {
		err = errors.Join(err, waitCounted(ctx, p, before.Sum(failedMetric)))
	}
	return highest, err
}

func (a *attack) attempt(ctx context.Context, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, attackLimit)
	defer cancel()
	return a.run(ctx, addr)
}

// watchRSS samples the broker's memory until the returned function is called,
// which gives the highest.
func watchRSS(p *brokerproc.Process) func() int64 {
	stop, highest := make(chan struct{}), make(chan int64)
	go func() {
		var most int64
		sample := time.NewTicker(20 * time.Millisecond)
		defer sample.Stop()
		for {
			if rss, err := p.RSS(); err == nil {
				most = max(most, rss)
			}
			select {
			case <-sample.C:
			case <-stop:
				highest <- most
				return
			}
		}
	}()
	return func() int64 { close(stop); return <-highest }
}

// waitCounted waits until the metric has risen.
func waitCounted(ctx context.Context, p *brokerproc.Process, before float64) error {
	ctx, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	poll := time.NewTicker(50 * time.Millisecond)
	defer poll.Stop()
	for {
		m, err := p.Metrics(ctx)
		if err == nil && m.Sum(failedMetric) > before {
			return nil
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			return fmt.Errorf("%s has not counted it", failedMetric)
		}
	}
}
