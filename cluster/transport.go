package cluster

import (
	"context"
	"encoding/binary"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"entrepot/cluster/mesh"
)

// transport is Raft's Transport of a group with peers: each question is a message of
// the mesh with a number, and its answer another one with the same number. What is
// urgent (heartbeats, votes, all answers) overtakes log entries; Raft does not mind.
//
// It also keeps what the answers tell about the peers: see followers.
type transport struct {
	id        string
	shard     uint16
	hub       *Hub
	followers *followers
	clock     *clock
	term      func() uint64 // of our Raft, as soon as there is one
	leads     func(term uint64) bool
	commit    func() uint64 // index of our Raft
	consumer  chan raft.RPC
	// voteFrom: before it no vote is given, see asked.
	voteFrom time.Time

	reigned atomic.Pointer[reign] // of the leaders that were heard, that of the latest term
	pushed  atomic.Uint64         // in this term a leader told us to take its place

	heartbeat atomic.Pointer[func(raft.RPC)]
	questions chan question // asked of our Raft and not answered yet, in order

	ctx    context.Context // ends when the group does
	cancel context.CancelFunc

	mu     sync.Mutex
	calls  map[uint64]*call
	lastID uint64
	came   chan struct{} // closed and made anew with every connection

	pipelines []*pipeline // replaced, not changed
	lulls     lulls
}

// call is a question to a peer that has not been answered.
type call struct {
	to   mesh.Peer
	done func(k kind, msg []byte, err error) // once; it must not block
}

// question is one that our Raft was asked.
type question struct {
	from   mesh.Peer
	id     uint64
	answer chan raft.RPCResponse
}

// consumerRoom is far more than peers ask at a time: two Appends and a vote each.
const consumerRoom = 256

var (
	errClosed  = errors.New("cluster: the group has ended")
	errRefused = errors.New("cluster: the node does not take part in the group yet")
	errTimeout = errors.New("cluster: no answer in time")
	errTooSoon = errors.New("cluster: this node has just started and may have promised its vote")
	errBusy    = errors.New("cluster: too many questions at once")
	errDeposed = errors.New("cluster: this node does not lead any more")
)

func newTransport(cfg *Config, f *followers, c *clock) *transport {
	ctx, cancel := context.WithCancel(context.Background())
	t := &transport{
		id: cfg.NodeID, shard: cfg.Shard, hub: cfg.Hub, followers: f, clock: c,
		consumer: make(chan raft.RPC, consumerRoom), questions: make(chan question, consumerRoom),
		voteFrom: time.Now().Add(cfg.LeaseTimeout),
		ctx:      ctx, cancel: cancel, calls: map[uint64]*call{}, came: make(chan struct{}),
	}
	t.lulls.begin(t)
	return t
}

// close lets every call and stream fail.
func (t *transport) close() {
	t.cancel()
	t.mu.Lock()
	calls := t.calls
	t.calls = map[uint64]*call{}
	t.mu.Unlock()
	for _, c := range calls {
		c.done(0, nil, errClosed)
	}
}

// connection fails what was asked on a connection that has ended, and wakes who waits
// for a new one.
func (t *transport) connection(p mesh.Peer, up bool) {
	var lost []*call
	t.mu.Lock()
	if up {
		close(t.came)
		t.came = make(chan struct{})
	} else {
		for id, c := range t.calls {
			if c.to.Session == p.Session && c.to.ID == p.ID {
				delete(t.calls, id)
				lost = append(lost, c)
			}
		}
	}
	t.mu.Unlock()
	for _, c := range lost {
		c.done(0, nil, mesh.ErrLost)
	}
}

// begin asks a peer; build makes the message for the call's number.
func (t *transport) begin(peer string, ch mesh.Channel, build func(id uint64) [][]byte, done func(kind, []byte, error)) (id uint64, err error) {
	to, ok := t.hub.mesh.Peer(peer)
	if !ok {
		return 0, mesh.ErrNotConnected
	}
	t.mu.Lock()
	t.lastID++
	id = t.lastID
	t.calls[id] = &call{to: to, done: done}
	t.mu.Unlock()
	err = t.hub.mesh.SendTo(to, ch, build(id)...)
	if t.ctx.Err() != nil {
		err = errClosed
	}
	if err != nil && t.forget(id) == nil {
		err = nil // done was told
	}
	return id, err
}

// forget takes a call out, nil if it was answered.
func (t *transport) forget(id uint64) *call {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.calls[id]
	delete(t.calls, id)
	return c
}

// answered takes an answer to one of our questions.
func (t *transport) answered(_ mesh.Peer, k kind, msg []byte) {
	if len(msg) < callLen {
		return
	}
	c := t.forget(binary.BigEndian.Uint64(msg[headerLen:]))
	switch {
	case c == nil: // too late
	case k == kindRefused:
		c.done(k, nil, errRefused)
	default:
		c.done(k, msg, nil)
	}
}

// ask asks a peer and waits for the answer.
func (t *transport) ask(peer string, ch mesh.Channel, timeout time.Duration, build func(id uint64) [][]byte) ([]byte, error) {
	type result struct {
		msg []byte
		err error
	}
	got := make(chan result, 1)
	id, err := t.begin(peer, ch, build, func(_ kind, msg []byte, err error) { got <- result{msg, err} })
	if err != nil {
		return nil, err
	}
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case r := <-got:
		return r.msg, r.err
	case <-timer.C:
		if t.forget(id) == nil {
			r := <-got
			return r.msg, r.err
		}
		return nil, errTimeout
	}
}

// asked gives a peer's question to our Raft. It runs in the goroutine that reads the
// connection.
//
// A heartbeat goes beside Raft's main loop. A vote is not given for as long as a
// lease lasts after the start: before, this node may have told a leader by its
// answers that nobody else will be elected for that long, and it has forgotten it.
func (t *transport) asked(from mesh.Peer, k kind, msg []byte) {
	if len(msg) < callLen {
		return
	}
	q := question{from: from, id: binary.BigEndian.Uint64(msg[headerLen:]), answer: make(chan raft.RPCResponse, 1)}
	rpc := raft.RPC{RespChan: q.answer}
	var err error
	switch k {
	case kindAppend:
		var r *raft.AppendEntriesRequest
		var now int64
		r, now, err = readAppend(from.ID, msg)
		if err == nil && r.Term >= t.term() {
			t.clock.heard(now)
			t.heard(reign{from.ID, r.Term})
		}
		if err == nil && isHeartbeat(r) {
			rpc.Command = r
			t.beat(q, rpc)
			return
		}
		rpc.Command = r
	case kindVote, kindPreVote:
		var r *raft.RequestVoteRequest
		r, err = readVote(from.ID, msg)
		rpc.Command = r
		if err == nil && !r.LeadershipTransfer && time.Now().Before(t.voteFrom) {
			err = errTooSoon
		}
		if k == kindPreVote && err == nil {
			rpc.Command = &raft.RequestPreVoteRequest{
				RPCHeader: r.RPCHeader, Term: r.Term, LastLogIndex: r.LastLogIndex, LastLogTerm: r.LastLogTerm}
		}
	case kindTimeoutNow:
		t.pushed.Store(t.term())
		rpc.Command = &raft.TimeoutNowRequest{RPCHeader: peerHeader(from.ID)}
	}
	if err == nil {
		err = t.enqueue(q, rpc)
	}
	if err != nil {
		t.respond(q, raft.RPCResponse{Error: err})
	}
}

// enqueue puts a question into Raft's queue, and into that of the answers.
func (t *transport) enqueue(q question, rpc raft.RPC) error {
	t.mu.Lock() // both queues in the same order
	defer t.mu.Unlock()
	if len(t.questions) == cap(t.questions) || len(t.consumer) == cap(t.consumer) {
		return errBusy
	}
	t.questions <- q
	t.consumer <- rpc
	return nil
}

// beat lets Raft answer a heartbeat at once.
func (t *transport) beat(q question, rpc raft.RPC) {
	f := t.heartbeat.Load()
	if f == nil {
		return // Raft is being started
	}
	(*f)(rpc)
	select {
	case r := <-q.answer:
		t.respond(q, r)
	default: // Raft has ended
	}
}

// run sends Raft's answers, which come in the order of the questions.
func (t *transport) run() {
	for {
		select {
		case q := <-t.questions:
			select {
			case r := <-q.answer:
				t.respond(q, r)
			case <-t.ctx.Done():
				return
			}
		case <-t.ctx.Done():
			return
		}
	}
}

func (t *transport) respond(q question, r raft.RPCResponse) {
	msg := make([]byte, 0, appendedLen)
	switch a := r.Response.(type) {
	case *raft.AppendEntriesResponse:
		msg = appendAppended(appendCall(msg, kindAppended, t.shard, q.id), a)
	case *raft.RequestVoteResponse:
		msg = appendVoted(appendCall(msg, kindVoted, t.shard, q.id), a.Term, a.Granted)
	case *raft.RequestPreVoteResponse:
		msg = appendVoted(appendCall(msg, kindPreVoted, t.shard, q.id), a.Term, a.Granted)
	case *raft.TimeoutNowResponse:
		msg = appendCall(msg, kindTimedOut, t.shard, q.id)
	}
	if r.Error != nil || len(msg) == 0 {
		msg = appendCall(msg[:0], kindRefused, t.shard, q.id)
	}
	_ = t.hub.mesh.SendTo(q.from, ChanUrgent, msg) // else the connection ended: so did the call
}

func (t *transport) Consumer() <-chan raft.RPC                               { return t.consumer }
func (t *transport) LocalAddr() raft.ServerAddress                           { return raft.ServerAddress(t.id) }
func (t *transport) EncodePeer(_ raft.ServerID, a raft.ServerAddress) []byte { return []byte(a) }
func (t *transport) DecodePeer(p []byte) raft.ServerAddress                  { return raft.ServerAddress(p) }
func (t *transport) SetHeartbeatHandler(f func(raft.RPC))                    { t.heartbeat.Store(&f) }
