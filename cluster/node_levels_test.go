package cluster

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"entrepot/queue"
)

// Keys of settings that stand for a fact in the form that KnownLevel has for it, and
// in the form that the release after this one will have.
const (
	oldForm = "old form"
	newForm = "new form"
)

// newer is the release after this one.
func newer(c *NodeConfig) { c.KnownLevel = KnownLevel + 1 }

// writeFact does on a node what every writer of a format does that a level brings:
// it asks for the level as it begins the record.
func (r *nodeRig) writeFact(id string) {
	r.t.Helper()
	n, form := r.nodes[id], oldForm
	if n.Level() > KnownLevel {
		form = newForm
	}
	require.NoError(r.t, n.propose(r.within(time.Minute), 1, func(b *queue.PackBuilder) {
		b.Setting(form, []byte(id))
	}))
}

// hasForm: a node's replica has taken a fact in this form.
func (r *nodeRig) hasForm(id, form string) bool {
	s, err := r.nodes[id].Shard(1)
	require.NoError(r.t, err)
	_, has := s.Setting(form)
	return has
}

// Nothing newer is written than the oldest member knows, whoever leads; when the
// oldest has been upgraded it is, and then there is no way back.
func TestAMixedClusterWritesWhatAllKnow(t *testing.T) {
	inNodes(t, func(t *testing.T, r *nodeRig) {
		r.start("n1", three, newer)
		r.start("n2", three, newer)
		r.start("n3", three, nil)
		r.untilReady("n1", "n2", "n3")
		for _, leader := range []string{"n1", "n2", "n3"} {
			r.until(leader+" leads", func() bool {
				_ = r.nodes["n1"].Transfer(r.within(time.Minute), 1, leader)
				return r.leader(1) == leader
			})
			for id := range r.nodes {
				require.EqualValues(t, KnownLevel, r.nodes[id].Level())
				r.writeFact(id)
			}
		}
		r.pass(time.Second)
		for id := range r.nodes {
			require.True(t, r.hasForm(id, oldForm))
			require.False(t, r.hasForm(id, newForm), "n3 could not read it")
		}
		require.EqualValues(t, KnownLevel, r.status("n1").Level)

		t.Log("n3 is upgraded")
		r.stop("n3")
		r.pass(time.Second)
		require.EqualValues(t, KnownLevel, r.nodes["n1"].Level(), "who is away counts")
		r.start("n3", three, newer)
		r.untilReady("n3")
		for id := range r.nodes {
			r.until(id+" knows that all know more", func() bool { return r.nodes[id].Level() == KnownLevel+1 })
			require.EqualValues(t, KnownLevel+1, r.nodes[id].identity().Level, "on disk before it is used")
			r.writeFact(id)
		}
		r.until("all have it", func() bool { return r.hasForm("n1", newForm) && r.hasForm("n2", newForm) && r.hasForm("n3", newForm) })
	})
}

// An older release is refused by its own data, and by the cluster if it has none.
func TestAnOlderReleaseStaysOut(t *testing.T) {
	inNodes(t, func(t *testing.T, r *nodeRig) {
		for _, id := range []string{"n1", "n2", "n3"} {
			r.start(id, three, newer)
		}
		r.untilReady("n1", "n2", "n3")
		r.until("the level is the newer one", func() bool { return r.nodes["n3"].Level() == KnownLevel+1 })
		r.stop("n3")
		_, err := r.tryStart("n3", three, nil)
		require.ErrorIs(t, err, ErrRefused)
		require.ErrorContains(t, err, "use the newer release")

		n4 := r.start("n4", three, nil)
		r.until("it is told why", func() bool { _, done := n4.formError(); return done })
		err, _ = n4.formError()
		require.ErrorIs(t, err, ErrRefused)
		require.ErrorContains(t, err, "upgrade it")
		r.stop("n4")
		r.start("n4", three, newer)
		require.NoError(t, r.nodes["n1"].Add(r.within(time.Minute), "n4", nodeAddress("n4"), nil), "upgraded, it may come")
		r.untilReady("n4")
	})
}

// Who was let in to wait when it could still read everything is told when it can't.
func TestAWaitingNodeIsOutgrown(t *testing.T) {
	inNodes(t, func(t *testing.T, r *nodeRig) {
		r.start("n1", three, newer)
		r.start("n2", three, newer)
		r.start("n3", three, nil)
		r.untilReady("n1", "n2", "n3")
		n4 := r.start("n4", three, nil)
		r.until("it waits to be added", func() bool { return strings.Contains(n4.Waiting(), "cluster add n4") })
		st, err := n4.Status(t.Context())
		require.NoError(t, err)
		require.Equal(t, "n4 is of no cluster yet", st.Problems[0])
		require.Contains(t, st.Problems[1], "waiting for it to be added")
		r.stop("n3")
		r.start("n3", three, newer)
		r.until("it is told why", func() bool { _, done := n4.formError(); return done })
		err, _ = n4.formError()
		require.ErrorIs(t, err, ErrRefused)
		require.ErrorContains(t, err, "upgrade it")
	})
}
