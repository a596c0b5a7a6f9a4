package cluster

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var three = peersOf("n1", "n2", "n3")

// A majority founds the cluster, in whatever order it comes, and not before it has
// waited for the rest.
func TestTwoOfThreeFoundACluster(t *testing.T) {
	for _, order := range [][]string{{"n1", "n2"}, {"n2", "n3"}, {"n3", "n1"}} {
		inNodes(t, func(t *testing.T, r *nodeRig) {
			r.start(order[0], three, nil)
			r.pass(10 * time.Second)
			_, done := r.nodes[order[0]].formError()
			require.False(t, done, "one of three")
			r.start(order[1], three, nil)
			r.pass(4 * time.Second)
			_, done = r.nodes[order[1]].formError()
			require.False(t, done, "the third may still come")
			r.until("they found", func() bool {
				return r.nodes[order[0]].identity().Member && r.nodes[order[1]].identity().Member
			})
			r.cluster(order...)
		})
	}
}

func TestThreeFoundAClusterAtOnce(t *testing.T) {
	inNodes(t, func(t *testing.T, r *nodeRig) {
		began := time.Now()
		for _, p := range three {
			r.start(p.ID, three, nil)
		}
		r.until("they found", func() bool {
			return r.nodes["n1"].identity().Member && r.nodes["n2"].identity().Member && r.nodes["n3"].identity().Member
		})
		r.cluster("n1", "n2", "n3")
		require.Less(t, time.Since(began), 2*time.Second)
	})
}
