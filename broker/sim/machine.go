package sim

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"entrepot/broker/config"
	"entrepot/journal/journaltest"
)

// machine is one host: what stays when a process ends, and the process that runs.
type machine struct {
	world *world
	id    string
	disk  *journaltest.Disk
	vault *vault
	// skew is how far the wall clock is off, in nanoseconds.
	skew atomic.Int64

	mu   sync.Mutex // guards all that follows; nothing waits under it
	now  *process   // nil: the machine is down
	sick bool       // a fault of its disk explains that its process ends
	over bool       // the world ends: it is not started again
}

func newMachine(w *world, n int) *machine {
	return &machine{
		world: w,
		id:    fmt.Sprintf("n%d", n+1),
		disk:  journaltest.NewDisk(w.random.Uint64()),
		vault: newVault(),
	}
}

// Ports that every machine listens on.
const (
	clientPort = ":5672"
	peerPort   = ":7000"
)

// config is a small broker: it spills, flushes and truncates early.
func (m *machine) config() config.Config {
	o := &m.world.options
	c := config.Default()
	c.Data = "data"
	c.HTTP = ""
	c.AMQP = []config.Listener{config.DefaultListener(loopback + clientPort)}
	c.Limits.DiskLow, c.Limits.DiskHigh = 0, 0
	c.Storage = config.Storage{Window: o.window, MaxAge: 2 * time.Second, MemTable: 1 * config.MiB, Cache: 1 * config.MiB}
	c.Cluster.Node = m.id
	c.Cluster.Shards = uint16(o.Shards)
	if o.Nodes > 1 {
		c.Cluster.Listen = loopback + peerPort
		c.Cluster.Advertise = m.id + peerPort
		for n := range o.Nodes {
			id := fmt.Sprintf("n%d", n+1)
			c.Cluster.Peers = append(c.Cluster.Peers, config.Peer{ID: id, Address: id + peerPort})
		}
	}
	return c
}

// loopback is what brokers are told to listen on: without users they listen nowhere
// else. process.listen knows whose loopback it is.
const loopback = "127.0.0.1"

// wall is the machine's wall clock.
func (m *machine) wall() time.Time {
	return time.Now().Round(0).Add(time.Duration(m.skew.Load()))
}

// start switches the machine on, unless it is on.
func (m *machine) start() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.now != nil || m.over {
		return
	}
	m.disk.Slow(usualSync)
	m.now = newProcess(m)
	m.vault.give(m.now)
	m.world.background.Go(m.now.run)
}

// process is what runs now; nil if the machine is down.
func (m *machine) process() *process {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now
}

// crash is a power cut. Of what was written and not synced, unsyncedPercent stay.
func (m *machine) crash(unsyncedPercent int) {
	if p := m.process(); p != nil {
		m.kill(p, unsyncedPercent)
	}
}

// kill is a power cut while p runs; false: it does not any more.
func (m *machine) kill(p *process, unsyncedPercent int) bool {
	m.mu.Lock()
	running := m.now == p
	if running {
		m.now, m.sick = nil, false
	}
	m.mu.Unlock()
	if !running {
		return false
	}
	// In this order: nothing leaves the machine that its disk does not have.
	p.cut.Store(true)
	m.world.net.Crash(m.id)
	m.vault.give(nil)
	m.disk.Crash(unsyncedPercent)
	p.end()
	return true
}

// stop ends the process as an operator does, and waits for it.
func (m *machine) stop() {
	m.mu.Lock()
	p := m.now
	m.mu.Unlock()
	if p == nil {
		return
	}
	p.end()
	<-p.ended
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.now != p {
		return
	}
	if m.now = nil; m.sick {
		m.sick = false
		m.disk.Crash(0)
	}
}

// ended is told by a process that it has ended by itself. As a supervisor would, the
// machine starts it again; after a fault of the disk only a new boot helps, which finds
// what was really synced.
func (m *machine) ended(p *process, why error) {
	m.mu.Lock()
	sick := m.sick
	m.mu.Unlock()
	if !m.kill(p, 0) {
		return
	}
	m.world.log.Info("sim: the process has ended, the machine boots", "machine", m.id, "error", why)
	if !sick {
		m.world.fault("stopped", "%s ended by itself: %v", m.id, why)
	}
	time.Sleep(time.Second)
	m.start()
}

// close stops the machine for good.
func (m *machine) close() {
	m.mu.Lock()
	m.over = true
	m.mu.Unlock()
	m.stop()
}

// fails makes the disk fail. It is well again after the next boot.
func (m *machine) fails(how journaltest.Fault) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.now != nil {
		m.sick = true
		m.disk.Break(how)
	}
}

// jump sets the wall clock.
func (m *machine) jump(r *rand.Rand) time.Duration {
	by := time.Duration(r.Int64N(int64(2*time.Hour))) - time.Hour
	m.skew.Store(int64(by))
	return by
}
