package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"entrepot/cluster/mesh"
	"entrepot/journal"
)

// A replica whose state is wrong (it differs from the majority, or a record of it
// can't be read) is filled again from another one, while its log goes on:
//
//	give the lead away -> hold (holdFSM) -> ask another replica for its state ->
//	it streams that, as of X, into a Restore -> wait until our log has come to X ->
//	commit, apply X+1.., go on
//
// The log is a separate matter: it is what this node has acknowledged, and is kept.
// A damaged entry of it is replaced by that of another replica, see repair_log.go.

// suspectMark stands in a shard's marks from the moment that a replica is known to
// be wrong until it is whole: a restart in between does not make it serve.
const suspectMark = "suspect"

// takeHold puts a holdFSM before the FSM. A replica that is damaged, or was suspect
// when the process ended, starts held.
func (r *replica) takeHold(cfg *Config) error {
	log, err := cfg.Store.Log(cfg.Shard)
	if err != nil {
		return err
	}
	marks := cfg.Store.Marks(cfg.Shard)
	_, err = marks.Get(suspectMark)
	if err != nil && !errors.Is(err, journal.ErrNotFound) {
		return err
	}
	r.hold = &holdFSM{fsm: cfg.FSM, log: log, repairable: r.node.hub != nil}
	if err == nil || r.journal.Damaged() != nil {
		r.hold.stop()
		mark, err := (&snapStore{marks: marks}).latest()
		if err != nil {
			return err
		}
		if mark != nil {
			r.hold.last = max(r.hold.last, mark.Index)
		}
	}
	cfg.FSM = r.hold
	if cfg.Streams == nil {
		cfg.Streams = JournalStreams(r.journal)
	}
	r.streams = &holdStreams{Streams: cfg.Streams, hold: r.hold, begin: r.stopFetching, restored: r.whole}
	cfg.Streams = r.streams
	return nil
}

// Damaged is for journal.Hooks.Damaged: a record of this shard can't be read. The
// replica's state is repaired from another one, or the log entry fetched.
func (n *Node) Damaged(shard uint16, err *journal.CorruptionError) {
	// The hook may be called under locks of the journal's.
	go n.spawn(func() {
		switch r := n.replica(shard); {
		case r == nil: // StartGroup sees to it
		case err.LogIndex > 0:
			n.mendEntry(r, err.LogIndex)
		default:
			n.mend(r, err.Error(), nil)
		}
	})
}

// repairRequest orders a replica to be filled again from one of From.
type repairRequest struct {
	Shard  uint16   `json:"shard"`
	From   []string `json:"from"`
	Reason string   `json:"reason"`
}

func (n *Node) handleRepair(_ context.Context, _ string, req repairRequest) (struct{}, error) {
	r := n.replica(req.Shard)
	if r == nil {
		return struct{}{}, ErrStopped
	}
	n.mend(r, req.Reason, req.From)
	return struct{}{}, nil
}

// mend begins to repair a replica, unless that is being done. from are replicas
// known to be right; nil: any.
func (n *Node) mend(r *replica, reason string, from []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mending {
		return
	}
	if len(r.group.Servers()) == 1 {
		n.log.Error("a replica is damaged and there is no other one to repair it from", "shard", r.shard, "reason", reason)
		if r.held() {
			n.fatal(fmt.Errorf("cluster: shard %d is damaged and has no other replica: %s", r.shard, reason))
		}
		return
	}
	r.mending = true
	n.log.Error("a replica stops and is repaired", "shard", r.shard, "reason", reason)
	n.spawn(func() { r.repair(from) })
}

// repairEvery is how long an attempt that failed rests.
const repairEvery = time.Second

// repair fills the replica again, however often that takes.
func (r *replica) repair(from []string) {
	for stopped := false; ; {
		err := r.stopServing()
		if err == nil && (!stopped || r.held()) { // else a snapshot has come meanwhile
			if !stopped {
				r.hold.stop()
				r.announce(true)
				stopped = true
			}
			err = r.refill(from)
		}
		if err == nil {
			r.whole()
			return
		}
		r.node.log.Warn("a replica is not repaired yet", "shard", r.shard, "error", err)
		if r.node.pause(context.Background(), repairEvery) != nil {
			return
		}
	}
}

// stopServing marks the replica and gives the lead away.
func (r *replica) stopServing() error {
	if err := r.node.cfg.Store.Marks(r.shard).Set(suspectMark, []byte{1}); err != nil {
		return err
	}
	if !r.group.Leader() {
		return nil
	}
	return r.giveLeadAway()
}

// stepDown gives away a lead that this replica got while it was held.
func (r *replica) stepDown() {
	for r.group.Leader() {
		if err := r.giveLeadAway(); err != nil {
			r.node.log.Warn("a replica that is being repaired leads, and finds nobody else", "shard", r.shard, "error", err)
		}
		if r.node.pause(context.Background(), retryEvery) != nil {
			return
		}
	}
}

func (r *replica) giveLeadAway() error {
	ctx, cancel := context.WithTimeout(context.Background(), settingsPatience)
	defer cancel()
	return r.transfer(ctx, r.state(), "")
}

// announce tells the owner, once each way, and the other nodes, which give the lead to
// no replica that is being repaired.
func (r *replica) announce(broken bool) {
	r.mu.Lock()
	news := r.announced != broken
	r.announced = broken
	r.mu.Unlock()
	if news && r.node.cfg.OnRepair != nil {
		r.node.cfg.OnRepair(r.shard, broken)
	}
	n := r.node
	ctx, cancel := context.WithTimeout(context.Background(), lookTimeout)
	defer cancel()
	gather(ctx, n.connected(), func(ctx context.Context, peer string) (struct{}, error) {
		return ask[struct{}](ctx, n, peer, callHeld, n.heldShards())
	})
}

func (n *Node) handleHeld(_ context.Context, from string, shards []uint16) (struct{}, error) {
	n.peers.holds(from, shards)
	return struct{}{}, nil
}

// whole ends a repair: the replica serves again.
func (r *replica) whole() {
	if err := r.node.cfg.Store.Marks(r.shard).Delete(suspectMark); err != nil {
		r.node.log.Error("a repaired replica stays marked", "shard", r.shard, "error", err)
	}
	r.mu.Lock()
	r.mending = false
	r.mu.Unlock()
	r.announce(false)
	r.node.log.Info("a replica is whole again", "shard", r.shard, "index", r.hold.AppliedIndex())
}

// refill makes one attempt with each replica that may have the right state, the
// leader first.
func (r *replica) refill(from []string) error {
	var donors []string
	for _, id := range unique(append([]string{r.node.leaderOf(r.shard)}, r.node.connected()...)...) {
		if id != "" && (from == nil || slices.Contains(from, id)) {
			donors = append(donors, id)
		}
	}
	err := fmt.Errorf("%w: nobody to repair it from", ErrUnavailable)
	for _, donor := range donors {
		if err = r.refillFrom(donor); err == nil || !r.held() {
			return nil
		}
	}
	return err
}

// fetch is a stream of state on its way to this replica.
type fetch struct {
	restore Restore
	cancel  context.CancelFunc
	done    chan struct{}
	taken   bool // a stream has come for it
}

// refillFrom fetches a replica's state and goes on from there.
func (r *replica) refillFrom(donor string) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	f := &fetch{cancel: cancel, done: make(chan struct{})}
	defer close(f.done)
	restore, err := r.streams.Streams.NewRestore()
	if err != nil {
		return err
	}
	defer func() { _ = restore.Abort() }()
	f.restore = restore
	token := randomID()
	r.setFetch(token, f)
	defer r.setFetch("", nil)
	if _, err := ask[struct{}](ctx, r.node, donor, callSendState, sendStateRequest{r.shard, token}); err != nil {
		return fmt.Errorf("state of %s: %w", donor, err)
	}
	index, err := restore.Finish()
	if err != nil {
		return fmt.Errorf("state of %s: %w", donor, err)
	}
	for !r.hold.reached(index) {
		if err := r.node.pause(ctx, retryEvery); err != nil {
			return err
		}
	}
	// What this node had sent while it was held was applied without its hearing of it.
	return r.hold.resume(index, restore.Commit, r.group.Batcher().restored)
}

func (r *replica) setFetch(token string, f *fetch) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.token, r.fetch = token, f
}

// stopFetching makes room for a snapshot that the leader sends: there is one
// Restore of a shard at a time, and that one is as good.
func (r *replica) stopFetching() {
	r.mu.Lock()
	f := r.fetch
	r.mu.Unlock()
	if f != nil {
		f.cancel()
		<-f.done
	}
}

// sendStateRequest asks a node to stream a shard's state to the one that asks.
type sendStateRequest struct {
	Shard uint16 `json:"shard"`
	Token string `json:"token"`
}

// handleSendState streams this replica's state, and answers when it has arrived.
func (n *Node) handleSendState(ctx context.Context, from string, req sendStateRequest) (struct{}, error) {
	r := n.replica(req.Shard)
	if r == nil {
		return struct{}{}, ErrStopped
	}
	s, err := r.streams.OpenStream(ctx)
	if err != nil {
		return struct{}{}, err
	}
	defer s.Close()
	head, err := json.Marshal(req)
	if err != nil {
		return struct{}{}, err
	}
	_, err = n.mesh.Stream(ctx, from, callState, head, s.Size, s)
	return struct{}{}, err
}

// takeState is the handler of the stream.
func (n *Node) takeState(_ context.Context, _ mesh.Peer, head []byte, _ int64, body io.Reader) ([]byte, error) {
	var req sendStateRequest
	if err := json.Unmarshal(head, &req); err != nil {
		return nil, err
	}
	r := n.replica(req.Shard)
	if r == nil {
		return nil, ErrStopped
	}
	r.mu.Lock()
	f := r.fetch
	if f == nil || r.token != req.Token || f.taken {
		r.mu.Unlock()
		return nil, fmt.Errorf("%w: nobody waits for this stream", ErrInvalid)
	}
	f.taken = true
	r.mu.Unlock()
	_, err := io.Copy(f.restore, body)
	return nil, err
}
