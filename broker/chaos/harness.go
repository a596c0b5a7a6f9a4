package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"entrepot/broker/crash/oracle"
	"entrepot/broker/crash/workload"
)

const (
	// slack is the lateness forgiven to a TTL's clock: this machine is busy.
	slack = 2 * time.Second
	// longestHold is the longest fault, with its healing, that may hold up a
	// delivery.
	longestHold = 90 * time.Second
	// resumeLimit is how long a queue may take to accept again when all is healed
	// and calm.
	resumeLimit = 30 * time.Second
	// drainLimit is how long the last drain of all queues may take.
	drainLimit = 5 * time.Minute
)

// tempo is what makes a run long.
type tempo struct {
	// grace is how long after a fault the weather is calm again: connections that
	// were cut have been noticed by then (after 5 s of silence), leaders elected,
	// and what was on its way has arrived.
	grace time.Duration
	// rest is the longest time between two episodes.
	rest time.Duration
	// quiet is how long a consumer with credit gets nothing from an empty queue.
	quiet time.Duration
}

var ordinary = tempo{grace: 10 * time.Second, rest: 10 * time.Second, quiet: 5 * time.Second}

// harness is one run.
type harness struct {
	arena
	tempo
	random *rand.Rand // of the harness's goroutine
	plans  []workload.Plan
	pauses *pauses
	calmed calmLeaders
	say    func(format string, args ...any)
	faults struct{ process, network []kind }
}

// newHarness prepares a run in dir.
func newHarness(s settings, binary, dir string, say func(string, ...any)) (*harness, error) {
	f, err := newFleet(binary, dir, s.network, s.nodes)
	if err != nil {
		return nil, err
	}
	h := &harness{
		arena: arena{
			fleet:  f,
			oracle: oracle.NewCluster(slack, longestHold),
			result: &Result{Seed: s.seed, Binary: binary, Nodes: s.nodes, Started: time.Now(), Dir: dir},
		},
		tempo:  ordinary,
		random: rand.New(rand.NewPCG(s.seed, 0)),
		plans:  plans(s.nodes),
		pauses: newPauses(),
		calmed: calmLeaders{ask: f.terms},
		say:    say,
	}
	f.ended = func(node string) {
		h.oracle.Blame(oracle.Unclean, node+" ended by itself, see its log")
		h.say("%s ENDED BY ITSELF; its log ends so:\n%s", node, f.log.tail(node))
	}
	if err := h.chooseFaults(s); err != nil {
		return nil, err
	}
	return h, nil
}

// chooseFaults picks what the flags and the machine allow.
func (h *harness) chooseFaults(s settings) error {
	if n := h.nodes()[0]; s.wants("disk-full") {
		disk, err := mountSmallDisk(n.ID, n.DataDir)
		if err != nil {
			h.result.Skipped = append(h.result.Skipped, fmt.Sprintf("disk-full: %v", err))
		} else {
			h.disk = disk
		}
	}
	choose := func(from []kind) (kinds []kind) {
		for _, k := range from {
			if h.network != nil && s.wants(k.name) {
				if why := h.network.cannot(k.name); why != "" {
					h.result.Skipped = append(h.result.Skipped, k.name+": "+why)
					continue
				}
			}
			if s.wants(k.name) && s.nodes >= k.nodes && (k.name != "disk-full" || h.disk != nil) {
				kinds = append(kinds, k)
			}
		}
		return kinds
	}
	h.faults.process, h.faults.network = choose(processFaults), choose(networkFaults)
	if len(h.faults.process)+len(h.faults.network) == 0 {
		return errors.New("no fault of -faults is possible here")
	}
	return nil
}

// run breaks things for so long, heals, drains and judges. An error is the
// harness's own; what the broker did wrong is in the result.
func (h *harness) run(ctx context.Context, duration time.Duration) (*Result, error) {
	began := time.Now()
	err := h.breakAndCount(ctx, duration)
	h.result.Seconds = time.Since(began).Seconds()
	if err != nil { // what was found until then is worth telling
		h.result.Report = h.oracle.Interim()
	} else {
		err = h.result.vacuous()
	}
	h.result.LongestPauses, h.result.WatchedPauses = h.pauses.worst(), h.pauses.faults()
	return h.result, err
}

func (h *harness) breakAndCount(ctx context.Context, duration time.Duration) (err error) {
	if h.disk != nil {
		defer func() { err = errors.Join(err, h.disk.unmount()) }()
	}
	defer func() { err = errors.Join(err, h.fleet.close()) }()
	if err := h.startAll(ctx); err != nil {
		return err
	}
	h.say("%d nodes are ready", len(h.nodes()))
	if err := h.calmed.begin(ctx); err != nil {
		return err
	}
	t := startTraffic(ctx, h.fleet, h.oracle, h.pauses, h.plans, rand.New(rand.NewPCG(h.random.Uint64(), 1)))
	if err = h.episodes(ctx, duration); err == nil {
		err = h.settleDown(ctx)
	}
	t.stop()
	if err != nil {
		return err
	}
	drained, err := h.drain(ctx)
	if err != nil {
		return err
	}
	if err := h.compareReplicas(ctx); err != nil {
		return err
	}
	h.stopAll()
	h.result.Report = h.oracle.Finish(drained)
	return nil
}

// stopAll ends all nodes in order, at the same time: the last one alone could not
// finish what needs a majority.
func (h *harness) stopAll() {
	var stopping sync.WaitGroup
	for _, n := range h.nodes() {
		stopping.Go(func() {
			if err := h.fleet.stop(n); err != nil {
				h.oracle.Blame(oracle.Unclean, fmt.Sprintf("%s after SIGTERM: %v", n.ID, err))
			}
		})
	}
	stopping.Wait()
}

// episodes strikes again and again: each time a fault, or one of a process and one
// of the network together, then everything is healed, and some time passes: often
// too little for the weather to become calm.
func (h *harness) episodes(ctx context.Context, duration time.Duration) error {
	end := time.Now().Add(duration)
	if err := sleep(ctx, time.Second); err != nil { // some load first
		return err
	}
	for time.Now().Before(end) {
		if err := h.episode(ctx); err != nil {
			return err
		}
		pause := between(h.random, h.rest/10, h.rest)
		calm := h.random.IntN(3) == 0
		if calm {
			if err := h.calm(ctx); err != nil {
				return err
			}
		}
		if err := sleep(ctx, pause); err != nil {
			return err
		}
	}
	return nil
}

func (h *harness) episode(ctx context.Context) error {
	faults := h.draw()
	kind, text := faults[0].kind, faults[0].text
	for _, f := range faults[1:] {
		kind, text = kind+"+"+f.kind, text+"; "+f.text
	}
	h.say("episode %d: %s", h.result.Episodes+1, text)
	h.disturb(ctx)
	h.pauses.fault(kind, text)
	ends := make(chan error, len(faults))
	for _, f := range faults {
		go func() { ends <- f.strike(ctx) }()
	}
	var err error
	for range faults {
		err = errors.Join(err, <-ends)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", text, err)
	}
	h.result.Episodes++
	return h.heal(ctx)
}

// calm lets some time pass and tells the oracle that the weather is calm. What a change of
// leaders may have caused is no violation, so each node gets its share of leaderships
// first: the cluster would see to that itself, 10 to 20 s later.
func (h *harness) calm(ctx context.Context) error {
	if err := h.rebalance(ctx); err != nil {
		return err
	}
	if err := sleep(ctx, h.grace); err != nil {
		return err
	}
	if err := h.calmed.begin(ctx); err != nil {
		return err
	}
	h.oracle.Calm()
	h.say("calm, in terms %v", h.calmed.terms)
	h.pauses.fault("calm", "nothing")
	return nil
}

// rebalance is what an operator may do when all is well again: it must work.
func (h *harness) rebalance(ctx context.Context) error {
	if h.network == nil {
		return nil
	}
	limited, cancel := context.WithTimeout(ctx, operateLimit)
	defer cancel()
	if _, err := h.operate(limited, "rebalance"); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		h.oracle.Blame(oracle.Stuck, fmt.Sprintf("entrepot cluster rebalance: %v", err))
	}
	return nil
}

// disturb tells the oracle that the weather turns, and whether leaders have changed
// while it was calm.
func (h *harness) disturb(ctx context.Context) {
	if h.calmed.end(ctx) {
		h.say("leaders have changed in calm weather")
		h.oracle.Shaken()
	}
	h.oracle.Disturb()
}

// draw chooses one fault, or one of each class.
func (h *harness) draw() []fault {
	process, network := h.drawOf(h.faults.process), h.drawOf(h.faults.network)
	switch x := h.random.IntN(10); {
	case network == nil:
		return []fault{process.draw(&h.arena, h.random)}
	case process == nil, x < 3:
		return []fault{network.draw(&h.arena, h.random)}
	case x < 8 || process.alone:
		return []fault{process.draw(&h.arena, h.random)}
	default:
		return []fault{process.draw(&h.arena, h.random), network.draw(&h.arena, h.random)}
	}
}

// drawOf draws a kind by weight; nil if there is none.
func (h *harness) drawOf(kinds []kind) *kind {
	sum := 0
	for _, k := range kinds {
		sum += k.weight
	}
	if sum == 0 {
		return nil
	}
	x := h.random.IntN(sum)
	i := slices.IndexFunc(kinds, func(k kind) bool { x -= k.weight; return x < 0 })
	return &kinds[i]
}

// heal ends whatever may still be broken and waits until all nodes are ready.
func (h *harness) heal(ctx context.Context) error {
	began := time.Now()
	if h.network != nil {
		if err := h.network.heal(); err != nil {
			return err
		}
	}
	if err := h.startAll(ctx); err != nil {
		h.oracle.Blame(oracle.Stuck, fmt.Sprintf("all is healed, but: %v", err))
		return err
	}
	h.result.SlowestHeal = max(h.result.SlowestHeal, time.Since(began).Seconds())
	return nil
}

// settleDown heals, waits for calm weather, and demands traffic on every queue.
func (h *harness) settleDown(ctx context.Context) error {
	h.say("healing")
	if err := h.heal(ctx); err != nil {
		return err
	}
	healed := time.Now()
	if err := h.calm(ctx); err != nil {
		return err
	}
	for _, plan := range h.plans {
		for !h.pauses.since(plan.Address, "accepted", healed) {
			if time.Since(healed) > h.grace+resumeLimit {
				h.oracle.Blame(oracle.Stuck, fmt.Sprintf("%s accepts nothing %v after all was healed", plan.Address, h.grace+resumeLimit))
				break
			}
			if err := sleep(ctx, retryPause); err != nil {
				return err
			}
		}
	}
	return nil
}

// drain takes out what is left of all queues, and says when that was done. A queue
// is empty when a consumer with credit gets nothing for a while: what a broker then
// still has, it has lost as far as a client can tell.
func (h *harness) drain(ctx context.Context) (time.Time, error) {
	h.say("draining")
	// The consumers have just gone: what they held goes back, which is no fault, but
	// takes a moment.
	h.disturb(ctx)
	if err := h.steady(ctx, h.grace+h.grace/2); err != nil {
		return time.Time{}, err
	}
	if err := h.calm(ctx); err != nil {
		return time.Time{}, err
	}
	defer h.disturb(ctx)
	ctx, cancel := context.WithTimeout(ctx, drainLimit)
	defer cancel()
	ends := make(chan error, len(h.plans))
	addresses := h.addresses()
	for i, plan := range h.plans {
		c := &workload.Consumer{
			Plan: plan.Draining(), Oracle: h.oracle, Random: rand.New(rand.NewPCG(h.random.Uint64(), 2)), Login: h.login(), Quiet: h.quiet,
		}
		go func() {
			err := c.AttachOnce(ctx, addresses[i%len(addresses)])
			if err != nil {
				err = fmt.Errorf("drain %s: %w", c.Plan.Address, err)
			}
			ends <- err
		}()
	}
	var err error
	for range h.plans {
		err = errors.Join(err, <-ends)
	}
	return time.Now(), err
}

// compareReplicas has the cluster compare its replicas.
func (h *harness) compareReplicas(ctx context.Context) error {
	if h.network == nil {
		return nil
	}
	h.say("comparing replicas")
	ctx, cancel := context.WithTimeout(ctx, operateLimit)
	defer cancel()
	out, err := h.operate(ctx, "verify", "-o", "json")
	if err != nil {
		h.oracle.Blame(oracle.Diverged, fmt.Sprintf("entrepot cluster verify: %v", err))
		return nil
	}
	var answer struct {
		Equal bool `json:"equal"`
	}
	if err := json.Unmarshal(out, &answer); err != nil {
		return fmt.Errorf("entrepot cluster verify: %w: %s", err, out)
	}
	if !answer.Equal {
		h.oracle.Blame(oracle.Diverged, "entrepot cluster verify: "+string(out))
	}
	return nil
}

// report writes what a run found below dir.
func (r *Result) write(dir string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	page, err := os.Create(filepath.Join(dir, "chaos.txt"))
	if err != nil {
		return err
	}
	r.print(page)
	return errors.Join(page.Close(), os.WriteFile(filepath.Join(dir, "chaos.json"), append(text, '\n'), 0o644))
}
