package cluster

import (
	"slices"
	"time"

	"github.com/hashicorp/raft"
)

// # Entries that travel while the leader writes them
//
// Raft allows its leader to send an entry before it has written it (Ongaro's thesis,
// 10.2.1), as long as it counts itself only when it has. hashicorp/raft writes first,
// so that a commit takes two fsyncs, one after the other. Here our LogStore, as it is
// given the leader's new entries, shows them to the pipelines, which send them at once:
//
//	Raft             StoreLogs(8) ------- fsync -------. match(self, 8)
//	                     |                                         \
//	pipeline         early(8) --->  follower: fsync, answer ---> match(peer, 8) --> commit
//
// When Raft itself comes to send the entry, the pipeline knows that it has been sent.
// The answer goes to Raft as that to any request of the pipeline. All else is Raft's:
// the loop that writes is the one that looks at what is committed, so nothing is
// applied or answered here before it is written here; and if the write fails the lead
// is given up, the followers have an entry more than the leader of old, and Raft's
// election takes care of that as it does when a leader dies. Raft may learn that a
// follower has an entry that can't be read here yet; see logStore.unwritten.
//
// Only commands travel so. A change of the members counts from when it is written, and
// must not be agreed to by the majority of before.

// early sends what our Raft is about to write, if we lead. It does not block.
func (t *transport) early(logs []*raft.Log) {
	if !t.leads(logs[0].Term) || slices.ContainsFunc(logs, func(l *raft.Log) bool { return l.Type != raft.LogCommand }) {
		return
	}
	t.mu.Lock()
	pipelines := t.pipelines
	t.mu.Unlock()
	commit := t.commit()
	for _, p := range pipelines {
		p.early(logs, commit)
	}
}

// early sends entries if all those before are sent, and there is room. Else they go
// when Raft sends them.
func (p *pipeline) early(logs []*raft.Log, commit uint64) {
	if !p.sending.TryLock() {
		return
	}
	defer p.sending.Unlock()
	if p.sent.term != logs[0].Term || p.sent.last+1 != logs[0].Index || fits(logs) < len(logs) || closed(p.broken) {
		return
	}
	select {
	case p.room <- struct{}{}:
	default:
		return
	}
	r := &raft.AppendEntriesRequest{
		Term: p.sent.term, PrevLogEntry: p.sent.last, PrevLogTerm: p.sent.lastTerm, LeaderCommitIndex: commit, Entries: logs,
	}
	_, _ = p.begin(&appendFuture{start: time.Now(), req: r, resp: new(raft.AppendEntriesResponse)}) // Raft finds out
}

// sentSoFar is what a pipeline has sent, so as not to send it again.
type sentSoFar struct {
	term           uint64 // the leader's; 0: nothing yet
	last, lastTerm uint64 // the last entry
	commit         uint64
}

// note takes a request that is being sent.
func (s *sentSoFar) note(r *raft.AppendEntriesRequest) {
	s.term, s.last, s.lastTerm, s.commit = r.Term, r.PrevLogEntry, r.PrevLogTerm, r.LeaderCommitIndex
	if n := len(r.Entries); n > 0 {
		s.last, s.lastTerm = r.Entries[n-1].Index, r.Entries[n-1].Term
	}
}

// news is what a request of Raft's says that was not sent: some of its entries, or an
// empty request behind the last one.
func (s *sentSoFar) news(r *raft.AppendEntriesRequest) *raft.AppendEntriesRequest {
	switch end := r.PrevLogEntry + uint64(len(r.Entries)); {
	case s.term != r.Term || s.last <= r.PrevLogEntry:
		return r
	case s.last < end:
		return behind(r, int(s.last-r.PrevLogEntry))
	}
	rest := *r
	rest.PrevLogEntry, rest.PrevLogTerm, rest.Entries = s.last, s.lastTerm, nil
	return &rest
}
