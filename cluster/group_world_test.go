package cluster

import (
	"bytes"
	"context"
	"encoding/gob"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"

	"entrepot/cluster/mesh"
	"entrepot/cluster/mesh/memnet"
	"entrepot/queue"
)

// fakeReplica is a shard's state on one node, with its disk: what is in saved survives a
// crash, what was applied since is applied again.
type fakeReplica struct {
	mu      sync.Mutex
	state   fakeState
	saved   fakeState
	pause   time.Duration // per Apply: a slow replica
	perByte time.Duration // of a stream that is read
	broken  bool          // OpenStream fails
	// largest is the most that Restore has taken and not committed.
	commits int
}

// fakeState is comparable by its payloads: those of the packs that were applied.
type fakeState struct {
	Index    uint64
	Payloads []string
	Origins  map[uint64]uint64
}

func (s fakeState) clone() fakeState {
	c := fakeState{Index: s.Index, Payloads: slices.Clone(s.Payloads), Origins: map[uint64]uint64{}}
	for k, v := range s.Origins {
		c.Origins[k] = v
	}
	return c
}

func newFakeReplica() *fakeReplica {
	return &fakeReplica{state: fakeState{}.clone(), saved: fakeState{}.clone()}
}

// crash forgets what was not saved.
func (r *fakeReplica) crash() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.state = r.saved.clone()
}

// k is the durable applied index.
func (r *fakeReplica) k() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.saved.Index
}

func (r *fakeReplica) save() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.saved = r.state.clone()
}

func (r *fakeReplica) payloads() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.state.Payloads)
}

func (r *fakeReplica) AppliedIndex() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state.Index
}

func (r *fakeReplica) StateBytes() uint64 { return 0 }

func (r *fakeReplica) OriginSeq(node uint64) (uint64, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	last, known := r.state.Origins[node]
	return last, known
}

// Apply answers every record with a reply that names its payload's place; for use in a bubble.
func (r *fakeReplica) Apply(index uint64, data []byte) (Result, error) {
	if r.pause > 0 {
		time.Sleep(r.pause)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if index <= r.state.Index {
		return Result{}, nil
	}
	r.state.Index = index
	rd, err := queue.OpenPack(data)
	if err != nil {
		return Result{}, err
	}
	o := rd.Header().Origin
	switch last := r.state.Origins[o.Node]; {
	case o.Seq <= last:
		return Result{Verdict: queue.PackDuplicate}, nil
	case o.Seq > last+1:
		return Result{Verdict: queue.PackGap}, nil
	}
	r.state.Origins[o.Node] = o.Seq
	var replies []queue.Reply
	var rec queue.Record
	for {
		more, err := rd.Next(&rec)
		if err != nil || !more {
			return Result{Replies: replies}, err
		}
		r.state.Payloads = append(r.state.Payloads, string(rec.Payload))
		replies = append(replies, queue.Reply{Kind: rec.Kind, Queue: 1, Seq: queue.Seq(len(r.state.Payloads))})
	}
}

func (r *fakeReplica) OpenStream(context.Context) (Stream, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.broken {
		return Stream{}, io.ErrUnexpectedEOF
	}
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(r.state); err != nil {
		return Stream{}, err
	}
	r.saved = r.state.clone()
	return Stream{Index: r.state.Index, Size: int64(b.Len()),
		ReadCloser: io.NopCloser(&slowReader{&b, r.perByte})}, nil
}

type slowReader struct {
	r       io.Reader
	perByte time.Duration
}

// Read implements io.Reader; for use in a bubble.
func (s *slowReader) Read(p []byte) (int, error) {
	if s.perByte > 0 {
		p = p[:min(len(p), 1000)]
		time.Sleep(s.perByte * time.Duration(len(p)))
	}
	return s.r.Read(p)
}

func (r *fakeReplica) NewRestore() (Restore, error) { return &fakeRestore{to: r}, nil }

type fakeRestore struct {
	to  *fakeReplica
	buf bytes.Buffer
	got fakeState
}

func (x *fakeRestore) Write(p []byte) (int, error) { return x.buf.Write(p) }
func (x *fakeRestore) Abort() error                { return nil }
func (x *fakeRestore) Finish() (uint64, error) {
	err := gob.NewDecoder(&x.buf).Decode(&x.got)
	return x.got.Index, err
}

func (x *fakeRestore) Commit() error {
	x.to.mu.Lock()
	defer x.to.mu.Unlock()
	x.to.state, x.to.saved = x.got.clone(), x.got.clone()
	x.to.commits++
	return nil
}

// groupWorld is nodes with one group each.
type groupWorld struct {
	t     *testing.T
	net   *memnet.Network
	nodes map[string]*groupMember
	runs  uint64
	ids   []string
	tune  []func(*Config)
	quiet bool
	loads []*load
}

// groupMember is one node: what survives a crash, and the process if there is one.
type groupMember struct {
	*Group
	id     string
	log    *memLog
	stable *raft.InmemStore
	fsm    *fakeReplica
	mesh   *mesh.Mesh
	origin uint64

	mu     sync.Mutex
	routes []Route
	leads  []bool
}

// inWorld runs f with n nodes that have formed a group.
func inWorld(t *testing.T, n int, f func(w *groupWorld), tune ...func(*Config)) {
	synctest.Test(t, func(t *testing.T) {
		w := &groupWorld{t: t, net: memnet.New(1), nodes: map[string]*groupMember{}, tune: tune}
		w.net.SetLink(memnet.Any, memnet.Any, memnet.Link{Latency: time.Millisecond})
		for i := range n {
			w.ids = append(w.ids, fmt.Sprint("n", i+1))
		}
		defer func() { // also after FailNow, or the bubble would hide why
			for _, l := range w.loads {
				l.end()
			}
			for id := range w.nodes {
				w.kill(id)
			}
			synctest.Wait()
		}()
		for _, id := range w.ids {
			w.start(id, w.ids)
		}
		f(w)
	})
}

// start starts a node's process over what it has on disk.
func (w *groupWorld) start(id string, voters []string) *groupMember {
	m := w.nodes[id]
	if m == nil {
		m = &groupMember{id: id, log: newMemLog(), stable: raft.NewInmemStore(), fsm: newFakeReplica()}
		m.log.keep = m.fsm.k
		w.nodes[id] = m
	}
	w.runs++
	m.origin = w.runs
	l, err := w.net.Listen(id + ":1")
	require.NoError(w.t, err)
	m.mesh, err = mesh.New(mesh.Config{
		Node: id, Incarnation: m.origin, Listener: l, Dial: w.net.Dialer(id), Urgent: UrgentChannels(),
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	require.NoError(w.t, err)
	hub := NewHub(m.mesh)
	for _, other := range []string{"n1", "n2", "n3", "n4", "n5"} {
		if other != id {
			m.mesh.SetAddress(other, other+":1")
		}
	}
	m.mesh.Start()
	level := slog.LevelDebug
	if w.quiet {
		level = slog.LevelError + 1
	}
	cfg := Config{
		NodeID: id, Hub: hub, Origin: m.origin, Voters: voters, Stable: m.stable, Streams: m.fsm, FSM: m.fsm,
		Logger: slog.New(slog.NewTextHandler(w.t.Output(), &slog.HandlerOptions{Level: level})).With("node", id),
		OnRoute: func(r Route) {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.routes = append(m.routes, r)
		},
		OnLeader: func(lead bool, _ uint64) {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.leads = append(m.leads, lead)
		},
	}
	for _, f := range w.tune {
		f(&cfg)
	}
	m.Group, err = open(cfg, m.log, memMarks{m.log})
	require.NoError(w.t, err)
	return m
}

// kill ends a node's process without a word, and forgets what was not on its disk.
func (w *groupWorld) kill(id string) {
	m := w.nodes[id]
	if m.Group == nil {
		return
	}
	w.net.Crash(id)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = m.Group.Stop(ctx) // its waiters are told: they are dead, too
	m.mesh.Close()
	m.Group = nil
	m.fsm.crash()
}

// until waits, in a bubble, until ok, for at most ten seconds.
func (w *groupWorld) until(why string, ok func() bool) {
	w.t.Helper()
	for range 10_000 {
		if ok() {
			return
		}
		<-time.After(time.Millisecond)
	}
	w.t.Fatal("never: " + why)
}

// leader waits, in a bubble, until one of the running nodes leads, and its lease holds.
func (w *groupWorld) leader() *groupMember {
	w.t.Helper()
	for range 600 {
		for _, m := range w.nodes {
			if m.Group != nil && m.Leader() && m.LeaseValid(time.Now()) {
				return m
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	w.t.Fatal("nobody leads")
	return nil
}

// follower is a running node that does not lead.
func (w *groupWorld) follower() *groupMember {
	l := w.leader()
	for _, id := range w.ids {
		if m := w.nodes[id]; m.Group != nil && m != l {
			return m
		}
	}
	w.t.Fatal("no follower")
	return nil
}

// settle waits, in a bubble, until all running nodes have applied the same, and returns it.
func (w *groupWorld) settle() []string {
	w.t.Helper()
	for range 600 {
		time.Sleep(100 * time.Millisecond)
		var first *groupMember
		same := true
		for _, m := range w.nodes {
			switch {
			case m.Group == nil:
			case first == nil:
				first = m
			default:
				same = same && slices.Equal(first.fsm.payloads(), m.fsm.payloads())
			}
		}
		if same {
			return first.fsm.payloads()
		}
	}
	for id, m := range w.nodes {
		w.t.Logf("%s has %d", id, len(m.fsm.payloads()))
	}
	w.t.Fatal("replicas do not become equal")
	return nil
}
