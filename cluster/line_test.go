package cluster

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"entrepot/cluster/mesh"
	"entrepot/queue"
)

// lineWorld is three nodes' batchers and intakes around a log that the test plays:
// it loses, delays, cuts off and repeats as it likes, but what is committed stays, as
// Raft promises.
type lineWorld struct {
	nodes     []*lineNode
	log       []lineEntry
	committed int
	leader    int // -1: nobody
	session   uint64
	timers    []func()
}

type lineNode struct {
	w       *lineWorld
	id      int
	b       *Batcher
	in      *intake
	rec     *recorder
	raft    [][]byte      // proposed, not in the log yet
	out     []lineMessage // packs under way to others, in order
	answers []lineMessage // answers under way to others
	applied int
	origins map[uint64]uint64
	state   []string
	token   uint64
}

type lineMessage struct {
	from, to int
	session  uint64
	data     []byte
}

// lineEntry is a pack, or the eviction of an origin by 1024 newer ones.
type lineEntry struct {
	pack   []byte
	forget uint64
}

func (n *lineNode) name() string { return fmt.Sprint("n", n.id) }

func newLineWorld(voters int) *lineWorld {
	w := &lineWorld{leader: -1, session: 1}
	for i := range 3 {
		n := &lineNode{w: w, id: i, rec: newRecorder(), origins: map[uint64]uint64{}}
		cfg := &Config{MaxPackBytes: 300, MaxPackRecords: 3, Origin: uint64(100 + i)}
		n.b = newBatcher(cfg, newClock(time.Now))
		n.b.limits.outstanding = voters
		n.b.later = func(_ time.Duration, f func()) { w.timers = append(w.timers, f) }
		n.b.propose = func(data []byte) { n.raft = append(n.raft, data) }
		n.b.seqOf = func(node uint64) (uint64, bool) { last, ok := n.origins[node]; return last, ok }
		n.b.forward = func(leader string, epoch uint64, _ queue.Origin, data []byte) bool {
			msg := append(make([]byte, packHeadLen), data...)
			msg[headerLen+7], msg[headerLen+6] = byte(epoch), byte(epoch>>8)
			n.out = append(n.out, lineMessage{n.id, int(leader[1] - '0'), w.session, msg})
			return len(n.out) < 8 // else congested; it may arrive all the same
		}
		n.in = &intake{propose: n.b.proposeFor, millis: n.b.clock.millis, send: func(to mesh.Peer, msg []byte) {
			n.answers = append(n.answers, lineMessage{n.id, int(to.ID[1] - '0'), to.Session, msg})
		}}
		w.nodes = append(w.nodes, n)
	}
	return w
}

// depose ends a lead; of what is not committed the next leader has a part.
func (w *lineWorld) depose(keep int) {
	if w.leader < 0 {
		return
	}
	old := w.nodes[w.leader]
	w.leader = -1
	w.log = w.log[:w.committed+min(keep, len(w.log)-w.committed)]
	old.b.setRoute(route{})
	old.in.set(intakeClosed)
}

func (w *lineWorld) elect(i int) {
	if w.leader >= 0 {
		return
	}
	w.leader = i
	w.committed = len(w.log) // its barrier is behind all it has
	n := w.nodes[i]
	n.in.set(intakeHolds)
	for n.applied < w.committed {
		n.apply()
	}
	n.raft = nil // the barrier went through the same queue
	n.b.setRoute(route{local: true})
	n.in.set(intakeOpen)
}

// hear tells a node who leads.
func (w *lineWorld) hear(i int) {
	switch {
	case w.leader == i:
	case w.leader < 0:
		w.nodes[i].b.setRoute(route{})
	default:
		w.nodes[i].b.setRoute(route{leader: w.nodes[w.leader].name()})
	}
}

// cut loses everything under way between all nodes; connections come back at once.
func (w *lineWorld) cut() {
	w.session++
	for _, n := range w.nodes {
		n.out, n.answers = nil, nil
	}
	for _, n := range w.nodes {
		for _, other := range w.nodes {
			n.b.reconnected(other.name())
		}
	}
}

// write puts the oldest proposal of a node into the log, or refuses it.
func (w *lineWorld) write(i int) {
	n := w.nodes[i]
	if len(n.raft) == 0 {
		return
	}
	data := n.raft[0]
	n.raft = n.raft[1:]
	if w.leader == i {
		w.log = append(w.log, lineEntry{pack: data})
		n.b.writing(data)
		n.b.stored()
	}
}

func (w *lineWorld) deliver(i int) {
	n := w.nodes[i]
	if len(n.out) == 0 {
		return
	}
	m := n.out[0]
	n.out = n.out[1:]
	w.nodes[m.to].in.arrived(mesh.Peer{ID: n.name(), Session: m.session}, slices.Clone(m.data))
}

func (w *lineWorld) answer(i int) {
	n := w.nodes[i]
	if len(n.answers) == 0 {
		return
	}
	m := n.answers[0]
	n.answers = n.answers[1:]
	if m.session != w.session {
		return
	}
	a, err := readAnswer(m.data)
	if err != nil {
		panic(err)
	}
	w.nodes[m.to].b.answered(a)
}

// apply does what machine does, with the next committed entry.
func (n *lineNode) apply() {
	if n.applied >= n.w.committed {
		return
	}
	e := n.w.log[n.applied]
	n.applied++
	if e.pack == nil {
		delete(n.origins, e.forget)
		return
	}
	h, err := queue.ReadPackHeader(e.pack)
	if err != nil {
		panic(err)
	}
	n.b.committed(h.Origin, e.pack)
	r := n.result(h.Origin, e.pack)
	n.in.applied(h.Origin, uint64(n.applied), r)
	n.b.applied(h.Origin, uint64(n.applied), e.pack, r, false)
}

func (n *lineNode) result(o queue.Origin, pack []byte) (r Result) {
	switch last := n.origins[o.Node]; {
	case o.Seq <= last:
		return Result{Verdict: queue.PackDuplicate}
	case o.Seq > last+1:
		return Result{Verdict: queue.PackGap}
	}
	n.origins[o.Node] = o.Seq
	rd, _ := queue.OpenPack(pack)
	var rec queue.Record
	for {
		more, err := rd.Next(&rec)
		if err != nil {
			panic(err)
		}
		if !more {
			return r
		}
		n.state = append(n.state, string(rec.Payload))
		r.Replies = append(r.Replies, queue.Reply{Kind: queue.KindEnqueue, Seq: queue.Seq(len(n.state))})
	}
}

// restore fills a node from another one's state.
func (n *lineNode) restore(from *lineNode) {
	if from.applied <= n.applied || n.w.leader == n.id {
		return
	}
	n.applied, n.state, n.origins = from.applied, slices.Clone(from.state), maps.Clone(from.origins)
	n.b.restored(uint64(n.applied))
}

// forget lets the Machine forget a node's origin. Not while a first pack of it may
// still be under way: that takes as long as 1024 restarts of other nodes.
func (w *lineWorld) forget(i int) {
	if w.leader < 0 {
		return
	}
	node := w.nodes[i].b.origin
	first := func(p []byte) bool {
		h, err := queue.ReadPackHeader(p)
		return err == nil && h.Origin == queue.Origin{Node: node, Seq: 1}
	}
	if line := w.nodes[i].b.line; len(line) > 0 && line[0].seq == 1 {
		return
	}
	for _, e := range w.log[w.committed:] {
		if e.pack != nil && first(e.pack) {
			return
		}
	}
	for _, n := range w.nodes {
		if slices.ContainsFunc(n.raft, first) || slices.ContainsFunc(n.out, func(m lineMessage) bool { return first(m.data[packHeadLen:]) }) ||
			slices.ContainsFunc(n.in.held, func(p foreignPack) bool { return first(p.data) }) {
			return
		}
	}
	w.log = append(w.log, lineEntry{forget: node})
}

func (n *lineNode) record(size int) {
	n.token++
	payload := fmt.Sprintf("%s-%05d", n.name(), n.token)
	n.rec.enqueue(n.b, n.token, payload+string(make([]byte, size)))
}

// time lets every timer that runs now end.
func (w *lineWorld) time() {
	timers := w.timers
	w.timers = nil
	for _, f := range timers {
		f()
	}
}

// pass lets everything that can happen without a fault happen.
func (w *lineWorld) pass() {
	for i, n := range w.nodes {
		w.hear(i)
		w.write(i)
		w.deliver(i)
		w.answer(i)
		w.committed = len(w.log)
		n.apply()
		select {
		case <-n.b.wake:
			n.b.Flush()
		default:
		}
	}
}

// Whatever is lost, delayed, repeated or cut off, and whoever leads: every waiter is
// told once, what was told to be applied was applied exactly once, with the reply
// that was told, in the order of its node, and nothing is applied twice.
func TestPacksAreAppliedOnceAndInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newLineWorld(rapid.IntRange(1, 3).Draw(t, "outstanding"))
		one := func(f func(i int)) func(*rapid.T) {
			return func(t *rapid.T) { f(rapid.IntRange(0, 2).Draw(t, "node")) }
		}
		t.Repeat(map[string]func(*rapid.T){
			"record":  one(func(i int) { w.nodes[i].record(0) }),
			"records": one(func(i int) { w.nodes[i].record(0); w.nodes[i].record(0); w.nodes[i].record(200) }),
			"write":   one(w.write),
			"deliver": one(w.deliver),
			"answer":  one(w.answer),
			"apply":   one(func(i int) { w.nodes[i].apply() }),
			"commit":  func(*rapid.T) { w.committed = min(w.committed+1, len(w.log)) },
			"flush":   one(func(i int) { w.nodes[i].b.Flush() }),
			"hear":    one(w.hear),
			"elect":   one(w.elect),
			"depose":  func(t *rapid.T) { w.depose(rapid.IntRange(0, 4).Draw(t, "keep")) },
			"cut":     func(*rapid.T) { w.cut() },
			"pass":    func(*rapid.T) { w.pass() },
			"time":    func(*rapid.T) { w.time() },
			"forget":  one(w.forget),
			"restore": func(t *rapid.T) {
				w.nodes[rapid.IntRange(0, 2).Draw(t, "to")].restore(w.nodes[rapid.IntRange(0, 2).Draw(t, "from")])
			},
		})
		w.elect(0)
		for range 3000 {
			if w.settled() {
				break
			}
			w.pass()
			w.time()
		}
		w.check(t)
	})
}

func (w *lineWorld) settled() bool {
	for _, n := range w.nodes {
		n.rec.mu.Lock()
		told := len(n.rec.told)
		n.rec.mu.Unlock()
		if uint64(told) < n.token || n.applied < len(w.log) {
			return false
		}
	}
	return true
}

func (w *lineWorld) check(t *rapid.T) {
	state := w.nodes[0].state
	place := map[string]int{}
	last := map[string]string{}
	for i, p := range state {
		p = p[:8]
		if old, twice := place[p]; twice {
			t.Fatalf("%s was applied twice, as number %d and %d", p, old, i+1)
		}
		place[p] = i + 1
		if last[p[:2]] > p {
			t.Fatalf("%s was applied behind %s", p, last[p[:2]])
		}
		last[p[:2]] = p
	}
	for _, n := range w.nodes {
		require.Equal(t, len(state), len(n.state), "replicas are equal")
		for token := uint64(1); token <= n.token; token++ {
			all := n.rec.told[token]
			if len(all) != 1 {
				t.Fatalf("%s: token %d was told %d times", n.name(), token, len(all))
			}
			at := place[fmt.Sprintf("%s-%05d", n.name(), token)]
			switch {
			case all[0].err == ErrUnknownOutcome: // it was filled from a stream
			case all[0].err != nil:
				t.Fatalf("token %d was told %v", token, all[0].err)
			case all[0].result == nil || int(all[0].result.Seq) != at:
				t.Fatalf("%s: token %d was told %+v, and is number %d", n.name(), token, all[0].result, at)
			}
		}
		if n.b.flying != 0 || len(n.b.line)+len(n.b.full) != 0 {
			t.Fatalf("%s: %d flying, %d full, in line %+v", n.name(), n.b.flying, len(n.b.full), n.b.line)
		}
	}
}
