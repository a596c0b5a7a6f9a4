package cluster

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func newForming() *forming {
	return &forming{self: "n1", data: "d1", voters: []string{"n1", "n2", "n3"}, shards: 3, grace: 5 * time.Second}
}

func empty(node string) sight {
	return sight{Node: node, Voters: []string{"n1", "n2", "n3"}, Shards: 3}
}

func TestFormingWaitsForAMajorityAndThenForTheRest(t *testing.T) {
	f, now := newForming(), time.Unix(0, 0)
	s := f.next(now, nil, nil)
	require.Equal(t, step{kind: stepWait, reason: "1 of 3 peers are here, waiting for n2, n3"}, s)
	s = f.next(now, nil, []sight{empty("n3")})
	require.Equal(t, step{kind: stepWait, reason: "2 of 3 peers are here, waiting for n2"}, s)
	s = f.next(now.Add(4*time.Second), nil, []sight{empty("n3")})
	require.Equal(t, stepWait, s.kind, "the rest may have data to speak of")
	s = f.next(now.Add(5*time.Second), nil, []sight{empty("n3")})
	require.Equal(t, stepFound, s.kind)

	s = f.next(now.Add(6*time.Second), nil, nil)
	require.Equal(t, stepWait, s.kind, "there is no majority any more")
	s = f.next(now.Add(7*time.Second), nil, []sight{empty("n2")})
	require.Equal(t, stepWait, s.kind, "it begins anew")
	s = f.next(now.Add(8*time.Second), nil, []sight{empty("n3"), empty("n2")})
	require.Equal(t, stepFound, s.kind, "all are here: nobody else is to be waited for")
}

func TestFormingTakesTurns(t *testing.T) {
	f, now := newForming(), time.Unix(0, 0)
	f.self = "n3"
	all := []sight{empty("n1"), empty("n2")}
	require.Equal(t, stepWait, f.next(now, nil, all).kind, "n1 proposes")
	require.Equal(t, stepFound, f.next(now.Add(2*proposerTurn), nil, all).kind, "unless it does not")
}

func TestFormingCountsTheLikeMindedOnly(t *testing.T) {
	f, now := newForming(), time.Unix(0, 0)
	other := sight{Node: "n2", Voters: []string{"n1", "n2"}, Shards: 3}
	s := f.next(now, nil, []sight{other})
	require.Equal(t, step{kind: stepWait, reason: "n2 was given the peers n1,n2, n1 was given n1,n2,n3"}, s)
	other = sight{Node: "n2", Voters: f.voters, Shards: 1}
	s = f.next(now, nil, []sight{other})
	require.Equal(t, step{kind: stepWait, reason: "n2 wants 1 shards, n1 wants 3"}, s)
	stranger := sight{Node: "n9", Voters: f.voters, Shards: 3}
	require.Equal(t, stepWait, f.next(now, nil, []sight{stranger}).kind, "it is not one of the peers")
}

func TestFormingIsForPeers(t *testing.T) {
	f, now := newForming(), time.Unix(0, 0)
	f.self = "n4"
	s := f.next(now, nil, []sight{empty("n1"), empty("n2"), empty("n3")})
	require.Equal(t, stepWait, s.kind, "it is to be added to what they found")
	s = f.next(now, nil, []sight{{Node: "n1", Charter: &charter{Cluster: "c", Shards: 3}}})
	require.Equal(t, stepJoin, s.kind)
}

func TestFormingEntersWhatExists(t *testing.T) {
	now := time.Unix(0, 0)
	c := &charter{Cluster: "c", Shards: 3, Voters: []string{"n1", "n2", "n3"}, Founders: map[string]string{"n1": "d1", "n2": "d2"}}
	exists := sight{Node: "n2", Charter: c}

	f := newForming()
	require.Equal(t, step{kind: stepAdopt, charter: c}, f.next(now, nil, []sight{exists, empty("n3")}), "it is one of the founders and was not told")

	f = newForming()
	f.data = "another"
	s := f.next(now, nil, []sight{exists, empty("n3")})
	require.Equal(t, stepRefuse, s.kind, "wiped")
	require.Contains(t, s.reason, "add the node under a new id")

	f = newForming()
	f.self, f.data = "n3", "d3"
	require.Equal(t, step{kind: stepJoin, charter: c}, f.next(now, nil, []sight{exists, empty("n1")}), "late: it is put on record first")

	f.shards, f.shardsGiven = 5, true
	require.Equal(t, stepRefuse, f.next(now, nil, []sight{exists}).kind, "shards are for ever")

	f = newForming()
	other := sight{Node: "n3", Charter: &charter{Cluster: "x"}}
	s = f.next(now, nil, []sight{exists, other})
	require.Equal(t, stepWait, s.kind)
	require.Contains(t, s.reason, "different clusters")
}

func TestAdmission(t *testing.T) {
	g := guard{self: "n1", cluster: "c", level: 2, members: map[string]member{
		"n2": {ID: "n2", Data: "d2", State: memberVoter},
		"n3": {ID: "n3", State: memberVoter},
		"n4": {ID: "n4", Data: "d4", State: memberRemoved},
	}}
	for _, c := range []struct {
		why  string
		h    hello
		want string
	}{
		{"a member", hello{Node: "n2", Data: "d2", Cluster: "c", Level: 2}, ""},
		{"a member that crashed before it noted that it is one", hello{Node: "n2", Data: "d2", Level: 2}, ""},
		{"a founding voter that comes late", hello{Node: "n3", Data: "d3", Level: 2}, ""},
		{"a stranger that wants to join", hello{Node: "n9", Data: "d9", Level: 2}, ""},
		{"a wiped member", hello{Node: "n2", Data: "new", Level: 2}, refusedWiped},
		{"the data of another cluster", hello{Node: "n2", Data: "d2", Cluster: "x", Level: 2}, refusedCluster},
		{"removed", hello{Node: "n4", Data: "d4", Cluster: "c", Level: 2}, refusedRemoved},
		{"removed, and wiped", hello{Node: "n4", Data: "new", Level: 2}, refusedWiped},
		{"an old release", hello{Node: "n2", Data: "d2", Cluster: "c", Level: 1}, refusedLevel},
		{"another hello", hello{Version: 9, Node: "n2"}, refusedHello},
		{"somebody else's name", hello{Node: "n5"}, refusedHello},
	} {
		if c.h.Version == 0 {
			c.h.Version = helloVersion
		}
		peer := c.h.Node
		if peer == "n5" {
			peer = "n2"
		}
		r := g.admit(peer, c.h)
		if c.want == "" {
			require.Nil(t, r, c.why)
			continue
		}
		require.NotNil(t, r, c.why)
		require.Equal(t, c.want, r.word, c.why)
		require.Equal(t, *r, parseRefusal(r.Error()), "it survives the wire")
	}
	g.cluster = ""
	require.Nil(t, g.admit("n2", hello{Version: helloVersion, Node: "n2", Cluster: "x"}), "who is of no cluster refuses none")
}

func TestAddressesAreTriedInTurn(t *testing.T) {
	b, now := newPeerBook(), time.Unix(0, 0)
	both := []string{"old:1", "new:1"}
	at := func(after time.Duration, connected bool, c ...string) string {
		return b.address("n2", connected, append([]string(nil), c...), now.Add(after))
	}
	require.Equal(t, "old:1", at(0, false, both...))
	require.Equal(t, "old:1", at(addressPatience-1, false, both...))
	require.Equal(t, "new:1", at(addressPatience, false, both...))
	require.Equal(t, "new:1", at(3*addressPatience, true, both...), "connected: it stays")
	require.Equal(t, "new:1", at(4*addressPatience-1, false, both...), "lost a moment ago")
	require.Equal(t, "old:1", at(4*addressPatience, false, both...))
	require.Equal(t, "third:1", at(4*addressPatience, false, "third:1"), "the cluster has learned better")
}
