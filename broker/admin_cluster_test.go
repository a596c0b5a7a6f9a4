package broker

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"entrepot/broker/admin"
	"entrepot/cluster"
)

// What the cluster says and what is shown are the same JSON.
func TestTheClusterIsShownAsItIs(t *testing.T) {
	asJSON := func(v any) string {
		text, err := json.Marshal(v)
		require.NoError(t, err)
		return string(text)
	}
	status := cluster.ClusterStatus{
		ID: "c", Node: "n1", Health: cluster.HealthDegraded, Problems: []string{"one"}, Level: 2,
		Nodes: []cluster.NodeStatus{{ID: "n1", Address: "h:1", State: cluster.NodeMember, Reachable: true, Leads: 1, Level: 3, Reason: "r"}},
		Shards: []cluster.ShardStatus{{ID: 1, Leader: "n1", Term: 2, CommitIndex: 3, AppliedIndex: 4, Replicas: []cluster.ReplicaStatus{
			{Node: "n2", Role: cluster.RoleVoter, Match: 5, LagEntries: 6, LagBytes: 7, State: cluster.ReplicaBehind, Progress: 0.5},
		}}},
	}
	require.JSONEq(t, asJSON(status), asJSON(shownStatus(status)))
	verified := cluster.Verification{Equal: true, Shards: []cluster.VerifiedShard{{ID: 1, Index: 2, Equal: true, Replicas: []cluster.VerifiedReplica{
		{Node: "n1", Hash: "ab", State: cluster.VerifiedEqual},
	}}}}
	require.JSONEq(t, asJSON(verified), asJSON(shownVerification(verified)))
}

func TestErrorsOfTheClusterHaveTheirKind(t *testing.T) {
	for from, to := range map[error]error{
		cluster.ErrNotFound: admin.ErrNotFound, cluster.ErrInvalid: admin.ErrInvalid,
		cluster.ErrConflict: admin.ErrConflict, cluster.ErrUnavailable: admin.ErrUnavailable,
	} {
		err := fmt.Errorf("%w: n9", from)
		require.ErrorIs(t, adminError(err), to)
		require.ErrorIs(t, adminError(err), from)
		require.EqualError(t, adminError(err), err.Error())
	}
	other := errors.New("x")
	require.Equal(t, other, adminError(other))
	require.NoError(t, adminError(nil))
}
