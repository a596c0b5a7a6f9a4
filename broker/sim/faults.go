package sim

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"entrepot/journal/journaltest"
)

// Fault is a kind of thing that goes wrong.
type Fault string

// The kinds.
const (
	CutConnections Fault = "cut"         // all connections of a machine, or between two, break
	Partition      Fault = "partition"   // a machine, or some, are apart from the other machines
	OneWay         Fault = "one way"     // what one machine sends to another is held back
	SlowLink       Fault = "slow link"   // what one machine sends is late and little
	Crash          Fault = "crash"       // power cut of one machine
	CrashAll       Fault = "crash all"   // power cut of all at once
	Restart        Fault = "restart"     // a machine is stopped properly and started
	Pause          Fault = "pause"       // a process stands still, as after SIGSTOP
	SlowDisk       Fault = "slow disk"   // an fsync takes long
	FrozenDisk     Fault = "frozen disk" // an fsync does not return for a while
	SyncError      Fault = "sync error"  // an fsync fails
	WriteError     Fault = "write error" // a write to the log fails
	TableError     Fault = "table error" // a table can't be made
	Transfer       Fault = "transfer"    // a shard's leadership is given away
	ClockJump      Fault = "clock jump"  // a wall clock is set, up to an hour off
)

// trouble is one fault while it lasts.
type trouble struct {
	*world
	random *rand.Rand
	ctx    context.Context // ends with the safety phase: faults stop
}

// hold lets the fault last, but no longer than the safety phase.
func (t trouble) hold(least, most time.Duration) {
	pause(t.ctx, between(t.random, least, most))
}

func (t trouble) machine() *machine { return pick(t.random, t.machines) }

// kinds are how the faults are done. Each returns when it is over.
var kinds = map[Fault]func(t trouble){
	CutConnections: trouble.cutConnections,
	Partition:      trouble.partition,
	OneWay:         trouble.oneWay,
	SlowLink:       trouble.slowLink,
	Crash:          trouble.crash,
	CrashAll:       trouble.crashAll,
	Restart:        trouble.restart,
	Pause:          trouble.pauseOne,
	SlowDisk:       trouble.slowDisk,
	FrozenDisk:     trouble.frozenDisk,
	SyncError:      func(t trouble) { t.machine().fails(journaltest.FailSyncs) },
	WriteError:     func(t trouble) { t.machine().fails(journaltest.FailWrites) },
	TableError:     func(t trouble) { t.machine().fails(journaltest.FailTables) },
	Transfer:       trouble.transfer,
	ClockJump:      trouble.clockJump,
}

// allFaults are the kinds that a cluster of so many nodes can have.
func allFaults(nodes int) []Fault {
	list := []Fault{CutConnections, Crash, Restart, Pause, SlowDisk, FrozenDisk, SyncError, WriteError, TableError, ClockJump, SlowLink}
	if nodes > 1 {
		list = append(list, Partition, OneWay, CrashAll, Transfer)
	}
	return list
}

// makeTrouble lets things go wrong until ctx ends, and then until all is well again.
func (w *world) makeTrouble(ctx context.Context) {
	if len(w.options.Faults) == 0 {
		<-ctx.Done()
		return
	}
	var lasting sync.WaitGroup
	r := w.fork()
	for pause(ctx, between(r, 0, 2*w.options.Pace)) {
		kind := pick(r, w.options.Faults)
		t := trouble{w, rand.New(rand.NewPCG(r.Uint64(), 0)), ctx}
		w.history.Disrupted(time.Now())
		w.mu.Lock()
		w.injected[string(kind)]++
		w.mu.Unlock()
		w.log.Info("sim: fault", "kind", kind)
		lasting.Go(func() {
			kinds[kind](t)
			w.log.Info("sim: fault is over", "kind", kind)
		})
	}
	lasting.Wait()
}

// heal ends what faults have left behind.
func (w *world) heal() {
	w.net.Heal()
	for _, m := range w.machines {
		m.mu.Lock()
		sick := m.sick
		m.mu.Unlock()
		if sick {
			m.crash(0)
		}
		m.start()
	}
}
