package sim

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"entrepot/broker/sim/history"
	"entrepot/cluster/mesh/memnet"
)

// world is everything that there is in a run.
type world struct {
	options  Options
	random   *rand.Rand // of the main goroutine only; others get their own, see fork
	net      *memnet.Network
	machines []*machine
	queues   []string
	history  *history.History
	log      *slog.Logger
	lines    *journalOfRun

	background sync.WaitGroup // processes, ghosts and supervisors
	clients    sync.WaitGroup
	producers  counter
	hosts      counter

	mu       sync.Mutex // guards all that follows
	found    []history.Violation
	injected map[string]int
	jumped   bool // a wall clock was changed
}

func newWorld(seed uint64, o Options) *world {
	w := &world{
		random:   rand.New(rand.NewPCG(seed, 0x51)),
		net:      memnet.New(seed),
		history:  history.New(),
		lines:    &journalOfRun{},
		injected: map[string]int{},
	}
	o.fill(w.random)
	w.options = o
	w.log = slog.New(slog.NewTextHandler(w.lines, &slog.HandlerOptions{Level: slog.LevelInfo}))
	for n := range o.Queues {
		w.queues = append(w.queues, fmt.Sprintf("sim/queue/%d", n))
	}
	for n := range o.Nodes {
		w.machines = append(w.machines, newMachine(w, n))
	}
	w.net.SetLink(memnet.Any, memnet.Any, usual)
	return w
}

// usual is how bytes travel when nothing is wrong.
var usual = memnet.Link{Latency: 200 * time.Microsecond, Jitter: 300 * time.Microsecond}

// usualSync is how long a healthy disk takes.
const usualSync = 300 * time.Microsecond

// fork is a source of chance for one goroutine, as the seed says.
func (w *world) fork() *rand.Rand { return rand.New(rand.NewPCG(w.random.Uint64(), w.random.Uint64())) }

// fault notes that something went wrong that the clients' history does not show.
func (w *world) fault(rule, format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.found = append(w.found, history.Violation{Rule: rule, Text: fmt.Sprintf(format, args...)})
}

// address is where clients reach a machine.
func (w *world) address(m *machine) string { return m.id + clientPort }

// start switches all machines on and waits until they serve.
func (w *world) start() bool {
	for _, m := range w.machines {
		m.start()
	}
	if !w.awaitReady("formation", time.Minute) {
		return false
	}
	time.Sleep(balanced)
	return true
}

// balanced is when every node leads its share of the shards, and leaders change no more
// unless something happens.
const balanced = 40 * time.Second

// awaitReady waits until every node serves every queue.
func (w *world) awaitReady(when string, patience time.Duration) bool {
	deadline := time.Now().Add(patience)
	for {
		waits := w.notReady()
		if waits == "" {
			return true
		}
		if time.Now().After(deadline) {
			w.fault("liveness", "%s: after %v %s", when, patience, waits)
			return false
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// notReady says who does not serve and why, "" if all do.
func (w *world) notReady() string {
	for _, m := range w.machines {
		p := m.process()
		if p == nil {
			return m.id + " is down"
		}
		if err := p.ready(); err != nil {
			return m.id + " is not ready: " + err.Error()
		}
	}
	return ""
}

// stop ends everything, one machine after the other.
func (w *world) stop() {
	for _, m := range w.machines {
		m.close()
	}
	w.background.Wait()
}

// pause waits in virtual time; false: ctx has ended.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// between draws a duration.
func between(r *rand.Rand, least, most time.Duration) time.Duration {
	return least + time.Duration(r.Int64N(int64(most-least)+1))
}

// pick draws one of a list.
func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }
