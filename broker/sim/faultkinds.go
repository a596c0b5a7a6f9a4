package sim

import (
	"time"

	"entrepot/cluster/mesh/memnet"
)

func (t trouble) cutConnections() {
	other := memnet.Any
	if t.random.IntN(2) == 0 {
		other = t.machine().id
	}
	t.net.Cut(t.machine().id, other)
}

// partition puts some machines apart. Clients reach all of them.
func (t trouble) partition() {
	var here, there []string
	for i, n := range t.random.Perm(len(t.machines)) {
		if i == 0 || i < len(t.machines)/2 && t.random.IntN(2) == 0 {
			here = append(here, t.machines[n].id)
		} else {
			there = append(there, t.machines[n].id)
		}
	}
	t.net.Partition(here, there)
	t.hold(100*time.Millisecond, 15*time.Second)
	for _, a := range here {
		for _, b := range there {
			t.net.Unblock(a, b)
			t.net.Unblock(b, a)
		}
	}
}

func (t trouble) oneWay() {
	from, to := t.machine().id, t.machine().id
	t.net.Block(from, to)
	t.hold(100*time.Millisecond, 15*time.Second)
	t.net.Unblock(from, to)
}

func (t trouble) slowLink() {
	from, to := t.machine().id, pick(t.random, []string{memnet.Any, t.machine().id})
	t.net.SetLink(from, to, memnet.Link{
		Latency:        between(t.random, time.Millisecond, 400*time.Millisecond),
		Jitter:         between(t.random, time.Millisecond, 200*time.Millisecond),
		BytesPerSecond: t.random.IntN(2) * (20_000 + t.random.IntN(1_000_000)),
	})
	t.hold(time.Second, 15*time.Second)
	t.net.SetLink(from, to, usual)
}

// unsynced is how much of what was not synced a crash leaves, in percent.
func (t trouble) unsynced() int { return 50 * t.random.IntN(3) }

func (t trouble) crash() {
	m := t.machine()
	m.crash(t.unsynced())
	t.hold(0, 15*time.Second)
	m.start()
}

func (t trouble) crashAll() {
	for _, n := range t.random.Perm(len(t.machines)) {
		t.machines[n].crash(t.unsynced())
	}
	for _, n := range t.random.Perm(len(t.machines)) {
		t.hold(0, 3*time.Second)
		t.machines[n].start()
	}
}

func (t trouble) restart() {
	m := t.machine()
	m.stop()
	t.hold(0, 5*time.Second)
	m.start()
}

// pauseOne holds back what a process sends, receives and syncs. What it thinks goes
// on, but nobody will know before it may move again.
func (t trouble) pauseOne() {
	m := t.machine()
	t.net.Block(m.id, memnet.Any)
	t.net.Block(memnet.Any, m.id)
	m.disk.Freeze()
	t.hold(100*time.Millisecond, 20*time.Second)
	m.disk.Thaw()
	t.net.Unblock(m.id, memnet.Any)
	t.net.Unblock(memnet.Any, m.id)
}

func (t trouble) slowDisk() {
	m := t.machine()
	m.disk.Slow(between(t.random, 5*time.Millisecond, 500*time.Millisecond))
	t.hold(time.Second, 20*time.Second)
	m.disk.Slow(usualSync)
}

func (t trouble) frozenDisk() {
	m := t.machine()
	m.disk.Freeze()
	t.hold(100*time.Millisecond, 10*time.Second)
	m.disk.Thaw()
}

func (t trouble) transfer() {
	p := t.machine().process()
	if p == nil || !p.serving.Load() {
		return
	}
	c, err := p.broker.Cluster()
	if err != nil {
		return
	}
	shards := t.options.Shards
	if shards == 0 {
		shards = t.options.Nodes
	}
	if err := c.Transfer(t.ctx, uint16(t.random.IntN(shards)), ""); err != nil {
		t.log.Info("sim: transfer", "error", err) // no leader, or it has changed
	}
}

func (t trouble) clockJump() {
	t.mu.Lock()
	t.jumped = true
	t.mu.Unlock()
	t.log.Info("sim: clock", "by", t.machine().jump(t.random))
}
