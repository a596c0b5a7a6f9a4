package cluster

import (
	"time"

	"github.com/hashicorp/raft"

	"entrepot/cluster/mesh"
)

// This file is what Raft asks of its transport.

const (
	// answerTime is how long an answer is waited for that needs no disk; appendTime
	// one that does. A connection that is silent is closed before, by the mesh.
	answerTime = time.Second
	appendTime = 10 * time.Second
)

// AppendEntries sends a heartbeat, or entries to a peer that is not in a pipeline.
//
// Raft backs off up to 10 s after errors, and would not send entries to a node for as
// long after it has come back, so entries to one that is not connected wait here for
// the connection, for as long as the term lasts.
//
// Raft's heartbeats go on after it has lost the lead, for as long as a pipeline to the
// same peer waits for an answer. A peer that hears them, while we hear nothing, would
// keep us as its leader and vote for nobody else: so they end here.
func (t *transport) AppendEntries(id raft.ServerID, _ raft.ServerAddress, r *raft.AppendEntriesRequest, a *raft.AppendEntriesResponse) error {
	peer := string(id)
	if !t.leads(r.Term) {
		return errDeposed
	}
	ch, timeout := ChanAppend, appendTime
	if isHeartbeat(r) {
		ch, timeout = ChanUrgent, answerTime
	} else if err := t.awaitPeer(peer, r.Term); err != nil {
		return err
	}
	r.Entries = r.Entries[:fits(r.Entries)] // Raft asks again for those behind
	sent := time.Now()
	msg, err := t.ask(peer, ch, timeout, func(id uint64) [][]byte { return appendParts(t.shard, id, t.clock.millis(), r) })
	if err != nil {
		return err
	}
	if err := readAppended(peer, msg, a); err != nil {
		return err
	}
	t.followers.answered(peer, r, a, sent)
	return nil
}

// awaitPeer returns when there is a connection to the peer, or our term has changed.
func (t *transport) awaitPeer(peer string, term uint64) error {
	look := time.NewTicker(time.Second)
	defer look.Stop()
	for {
		t.mu.Lock()
		came := t.came
		t.mu.Unlock()
		if _, ok := t.hub.mesh.Peer(peer); ok {
			return nil
		}
		select {
		case <-came:
		case <-look.C:
			if t.term() != term {
				return mesh.ErrNotConnected
			}
		case <-t.ctx.Done():
			return errClosed
		}
	}
}

// RequestVote asks for a vote.
func (t *transport) RequestVote(id raft.ServerID, _ raft.ServerAddress, r *raft.RequestVoteRequest, a *raft.RequestVoteResponse) (err error) {
	a.RPCHeader = peerHeader(string(id))
	a.Term, a.Granted, err = t.vote(string(id), kindVote, r.Term, r.LastLogIndex, r.LastLogTerm, r.LeadershipTransfer)
	return err
}

// RequestPreVote asks whether a vote would be given.
func (t *transport) RequestPreVote(id raft.ServerID, _ raft.ServerAddress, r *raft.RequestPreVoteRequest, a *raft.RequestPreVoteResponse) (err error) {
	a.RPCHeader = peerHeader(string(id))
	a.Term, a.Granted, err = t.vote(string(id), kindPreVote, r.Term, r.LastLogIndex, r.LastLogTerm, false)
	return err
}

func (t *transport) vote(peer string, k kind, term, lastIndex, lastTerm uint64, transfer bool) (uint64, bool, error) {
	msg, err := t.ask(peer, ChanUrgent, answerTime, func(id uint64) [][]byte {
		return [][]byte{appendVote(appendCall(nil, k, t.shard, id), term, lastIndex, lastTerm, transfer)}
	})
	if err != nil {
		return 0, false, err
	}
	return readVoted(msg)
}

// TimeoutNow makes a peer stand for election at once.
func (t *transport) TimeoutNow(id raft.ServerID, _ raft.ServerAddress, _ *raft.TimeoutNowRequest, a *raft.TimeoutNowResponse) error {
	a.RPCHeader = peerHeader(string(id))
	_, err := t.ask(string(id), ChanUrgent, answerTime, func(id uint64) [][]byte {
		return [][]byte{appendCall(nil, kindTimeoutNow, t.shard, id)}
	})
	return err
}

// AppendEntriesPipeline begins a pipeline to a peer.
func (t *transport) AppendEntriesPipeline(id raft.ServerID, _ raft.ServerAddress) (raft.AppendPipeline, error) {
	return newPipeline(t, string(id)), nil
}

var _ interface {
	raft.Transport
	raft.WithPreVote
} = (*transport)(nil)
