package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"

	"entrepot/broker/brokerproc"
	"entrepot/broker/crash/oracle"
	"entrepot/broker/crash/workload"
)

const (
	// clientGrace is how long clients may take to notice the broker's end. They
	// are not cut off before: an answer that has arrived must be counted.
	clientGrace = 10 * time.Second
	// slack is the lateness forgiven to a TTL's clock: this machine is busy.
	slack = 2 * time.Second
	// drainLimit is how long the last drain of all queues may take, and
	// drainQuiet how long a consumer with credit gets nothing from an empty one.
	drainLimit = 2 * time.Minute
	drainQuiet = 3 * time.Second
)

// harness runs rounds of load and kill on one data directory.
type harness struct {
	options brokerproc.Options
	seed    uint64
	random  *rand.Rand // of the harness's goroutine
	oracle  *oracle.Oracle
	plans   []workload.Plan
	names   uint32 // producers named so far
	result  Result
}

// newHarness prepares a run in dir, which is made.
func newHarness(dir, binary, durability string, seed uint64) (*harness, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(dir, "broker.log"))
	if err != nil {
		return nil, err
	}
	return &harness{
		options: brokerproc.Options{
			Binary: binary, DataDir: filepath.Join(dir, "data"), Durability: durability, Log: log,
		},
		seed:   seed,
		random: rand.New(rand.NewPCG(seed, 0)),
		oracle: oracle.New(slack),
		plans:  plans(),
		result: Result{Seed: seed, Durability: durability, Dir: dir},
	}, nil
}

// run does the rounds, drains, and judges. An error is the harness's own; what
// the broker did wrong is in the result.
func (h *harness) run(ctx context.Context, rounds int, progress func(string)) (Result, error) {
	began := time.Now()
	for n := 1; n <= rounds; n++ {
		end := drawEnding(h.random)
		if err := h.round(ctx, end); err != nil {
			return h.result, fmt.Errorf("round %d: %w", n, err)
		}
		h.result.Rounds = n
		progress(fmt.Sprintf("round %d of %d", n, rounds))
	}
	drained, err := h.drain(ctx)
	if err != nil {
		return h.result, err
	}
	h.result.Report = h.oracle.Finish(drained)
	h.result.Seconds = time.Since(began).Seconds()
	return h.result, h.result.vacuous()
}

// round: start, load, end.
func (h *harness) round(ctx context.Context, end ending) error {
	p, err := h.start(ctx)
	if err != nil {
		return err
	}
	clients := h.startClients(ctx, p.AMQP)
	select {
	case <-time.After(end.after):
	case <-p.Done():
		h.oracle.Blame(oracle.Unclean, "the broker ended by itself, see its log")
		end.graceful = false // there is nobody to ask
	case <-ctx.Done():
		p.Kill()
		return ctx.Err()
	}
	h.stop(p, end.graceful)
	clients.wait()
	h.oracle.Restarted()
	if end.again > 0 {
		return h.killWhileRecovering(end.again)
	}
	return nil
}

// start starts the broker and notes how long it took.
func (h *harness) start(ctx context.Context) (*brokerproc.Process, error) {
	began := time.Now()
	p, err := brokerproc.Start(ctx, h.options)
	if err != nil {
		return nil, err
	}
	// The next start listens where this one did, as a real one would.
	h.options.AMQP, h.options.HTTP = p.AMQP, p.HTTP
	h.result.SlowestStart = max(h.result.SlowestStart, time.Since(began).Seconds())
	return p, nil
}

// stop ends the broker in one of the two ways. The oracle is told before a
// kill, and after a clean end: until then the broker may well settle.
func (h *harness) stop(p *brokerproc.Process, graceful bool) {
	if !graceful {
		h.oracle.Stopping()
		p.Kill()
		h.result.Kills++
		return
	}
	if err := p.Terminate(stopLimit); err != nil {
		h.oracle.Blame(oracle.Unclean, fmt.Sprintf("after SIGTERM: %v", err))
	}
	h.oracle.Stopping()
	h.result.Terms++
}

// killWhileRecovering starts the broker and kills it before it can be ready.
func (h *harness) killWhileRecovering(after time.Duration) error {
	p, err := brokerproc.Launch(h.options)
	if err != nil {
		return err
	}
	select {
	case <-time.After(after):
	case <-p.Done():
		h.oracle.Blame(oracle.Unclean, "the broker ended by itself while it recovered, see its log")
	}
	p.Kill()
	h.result.RecoveryKills++
	return nil
}

// drain takes out what is left, of all queues at the same time, and says when that
// was done. A queue is empty when a consumer with credit gets nothing for a while:
// what a broker then still has, it has lost as far as a client can tell.
func (h *harness) drain(ctx context.Context) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, drainLimit)
	defer cancel()
	p, err := h.start(ctx)
	if err != nil {
		return time.Time{}, err
	}
	ends := make(chan error, len(h.plans))
	for _, plan := range h.plans {
		c := &workload.Consumer{Plan: plan.Draining(), Oracle: h.oracle, Random: h.fork(), Quiet: drainQuiet}
		go func() { ends <- c.AttachOnce(ctx, p.AMQP) }()
	}
	for range h.plans {
		err = errors.Join(err, <-ends)
	}
	if err != nil {
		p.Kill()
		return time.Time{}, fmt.Errorf("drain: %w", err)
	}
	drained := time.Now()
	h.stop(p, true)
	return drained, nil
}

// clients are the producers and consumers of one round.
type clients struct {
	sync.WaitGroup
	cancel context.CancelFunc
}

func (h *harness) startClients(ctx context.Context, addr string) *clients {
	ctx, cancel := context.WithCancel(ctx)
	c := &clients{cancel: cancel}
	for i := range h.plans {
		plan := &h.plans[i]
		for range plan.Producers {
			h.names++
			p := &workload.Producer{Plan: plan, Name: h.names, Oracle: h.oracle, Random: h.fork()}
			c.Go(func() { p.Run(ctx, addr) })
		}
		for range plan.Consumers {
			k := &workload.Consumer{Plan: plan, Oracle: h.oracle, Random: h.fork()}
			c.Go(func() { k.Run(ctx, addr) })
		}
	}
	return c
}

// fork gives a goroutine a source of its own, so that its choices do not hang
// on the scheduler.
func (h *harness) fork() *rand.Rand { return rand.New(rand.NewPCG(h.random.Uint64(), h.seed)) }

// wait returns when all clients have noticed the end of the broker.
func (c *clients) wait() {
	late := time.AfterFunc(clientGrace, c.cancel)
	c.Wait()
	late.Stop()
	c.cancel()
}
