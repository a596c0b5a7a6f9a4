package cluster

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// When nothing follows a commit, the followers hear of it all the same, long before Raft
// would tell them (CommitTimeout: 200 to 400 ms).
func TestFollowersHearOfTheLastCommit(t *testing.T) {
	inWorld(t, 3, func(w *groupWorld) {
		w.quiet = true
		l, rec := w.leader(), newRecorder()
		sendSome(l, rec, 1, 10) // the pipelines are open
		for i := range 20 {
			sendSome(l, rec, 11+i, 1)
			last := l.fsm.AppliedIndex()
			<-time.After(2*lull + 5*time.Millisecond) // ways of 1 ms, and any moment between two looks
			for _, id := range w.ids {
				require.Equal(t, last, w.nodes[id].fsm.AppliedIndex(), "on %s, after message %d", id, 11+i)
			}
			<-time.After(time.Duration(i) * 37 * time.Millisecond) // Raft's own ones fall anywhere
		}
		allAccepted(t, rec)
	})
}

// As long as entries follow each other, each tells of the commit before, and nothing more
// is said.
func TestNothingIsSaidOfACommitUnderLoad(t *testing.T) {
	const far, term = 100, 7
	p := &pipeline{room: make(chan struct{}, pipelineDepth), broken: make(chan struct{})}
	p.sent = sentSoFar{term: term, last: far, lastTerm: term, commit: far - 1}
	for what, commit := range map[string]uint64{"entries are on their way": far - 1, "it was sent no such entry": far + 1} {
		require.Nil(t, p.lullRequest(term, commit), what)
	}
	require.Nil(t, p.lullRequest(term+1, far), "nothing was sent in this term")
	r := p.lullRequest(term, far)
	require.NotNil(t, r)
	require.Empty(t, r.Entries)
	require.Equal(t, []uint64{term, far, term, far}, []uint64{r.Term, r.PrevLogEntry, r.PrevLogTerm, r.LeaderCommitIndex})
	p.sent.note(r)
	require.Nil(t, p.lullRequest(term, far), "it was said")
}
