package cluster

import (
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
)

// A follower learns of a commit with the leader's next message. Under load that is the
// next entry. When nothing follows, Raft sends an empty request after CommitTimeout,
// which is long, since it does so for as long as nothing happens; until then the
// follower's state is old: a queue that was declared at the leader is not found there.
// So the leader says it once, when it has had nothing to say for a moment.

// lull is how long nothing was committed when the followers are told of the last commit,
// up to twice.
const lull = 5 * time.Millisecond

// lulls finds out when a leader has nothing to say.
type lulls struct {
	t *transport
	// looking: a timer runs that will look at what is committed, see look.
	looking atomic.Bool
	timer   *time.Timer
	seen    uint64 // the commit index at the last look; owned by who has set looking
}

func (l *lulls) begin(t *transport) {
	l.t, l.timer = t, time.AfterFunc(time.Hour, l.look)
	l.timer.Stop()
}

// committed is called when entries were applied. It costs next to nothing while a look is
// due already.
func (l *lulls) committed() {
	if !l.t.leads(l.t.term()) || !l.looking.CompareAndSwap(false, true) {
		return
	}
	l.seen = l.t.commit()
	l.timer.Reset(lull)
}

// look tells the followers, unless there was a commit since the last look.
func (l *lulls) look() {
	term, commit := l.t.term(), l.t.commit()
	if commit != l.seen && l.t.ctx.Err() == nil {
		l.seen = commit
		l.timer.Reset(lull)
		return
	}
	l.looking.Store(false) // a commit from now on has a look of its own
	if !l.t.leads(term) || l.t.ctx.Err() != nil {
		return
	}
	l.t.mu.Lock()
	pipelines := l.t.pipelines
	l.t.mu.Unlock()
	for _, p := range pipelines {
		p.lull(term, commit)
	}
}

// lull tells of a commit when nothing else will. Where it can't be said now, Raft says it.
func (p *pipeline) lull(term, commit uint64) {
	if !p.sending.TryLock() {
		return
	}
	defer p.sending.Unlock()
	r := p.lullRequest(term, commit)
	if r == nil || closed(p.broken) {
		return
	}
	select {
	case p.room <- struct{}{}:
	default:
		return
	}
	_, _ = p.begin(&appendFuture{start: time.Now(), req: r, resp: new(raft.AppendEntriesResponse)}) // Raft finds out
}

// lullRequest is an empty request that tells of a commit, nil if that was told or will be:
// entries are on their way, or still to be sent. REQUIRES: p.sending.
func (p *pipeline) lullRequest(term, commit uint64) *raft.AppendEntriesRequest {
	if p.sent.term != term || p.sent.last != commit || p.sent.commit >= commit {
		return nil
	}
	return &raft.AppendEntriesRequest{
		Term: term, PrevLogEntry: p.sent.last, PrevLogTerm: p.sent.lastTerm, LeaderCommitIndex: commit,
	}
}
