package cluster

import (
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"entrepot/journal"
	"entrepot/journal/journaltest"
)

func TestTheMajorityIsRight(t *testing.T) {
	three := []Server{{"n1", true}, {"n2", true}, {"n3", true}, {"n4", false}}
	require.Equal(t, "a", rightHash(three, map[string]string{"n1": "a", "n2": "a", "n3": "b"}))
	require.Equal(t, "", rightHash(three, map[string]string{"n1": "a", "n2": "b", "n4": "a"}), "n4 has no vote")
	require.Equal(t, "", rightHash(three, map[string]string{"n1": "a"}), "one of three")
	require.Equal(t, hashNone, rightHash(three, map[string]string{"n1": "a", "n2": hashNone, "n3": hashNone}),
		"most did not take the check for a fresh pack: who did is wrong")

	hashes := map[string]string{"n1": "a", "n2": "b"}
	require.Equal(t, VerifiedEqual, verified("n1", "a", hashes).State)
	require.Equal(t, VerifiedDifferent, verified("n2", "a", hashes).State)
	require.Equal(t, VerifiedUnreachable, verified("n3", "a", hashes).State)
	require.Equal(t, VerifiedDifferent, verified("n1", "", hashes).State, "one of them is wrong, nobody knows which")
}

// stocked is a cluster with messages in shard 1, part of them on disk, whose node
// n3 has stopped.
func (r *nodeRig) stocked() (messages int) {
	r.t.Helper()
	r.form("n1", "n2", "n3")
	r.declareIn("n1", 1)
	stop := r.load("n1", 1)
	r.pass(2 * time.Second)
	r.stop("n3")
	r.pass(5 * time.Second)
	return stop()
}

// damage spoils rows of a stopped node.
func (r *nodeRig) damage(id string, prefix []byte) {
	r.t.Helper()
	rows, err := journaltest.Damage(r.disks[id].fs, "data", prefix)
	require.NoError(r.t, err)
	require.NotZero(r.t, rows)
}

// returns starts n3 again and holds it against the others.
func (r *nodeRig) returns(messages int) {
	r.t.Helper()
	r.start("n3", three, nil)
	r.untilReady("n3")
	r.until("it has everything", func() bool {
		return !r.nodes["n3"].replica(1).held() && r.ready("n3", 1) == messages
	})
	v, err := r.nodes["n1"].Verify(r.within(time.Minute), nil)
	require.NoError(r.t, err)
	require.True(r.t, v.Equal, v)
	for _, s := range v.Shards {
		for _, x := range s.Replicas {
			require.Equal(r.t, VerifiedEqual, x.State, v)
		}
	}
}

// A row of the state is damaged: the replica is filled again from another one, with
// its log going on, and serves nothing meanwhile.
func TestADamagedStateIsRepairedAtTheStart(t *testing.T) {
	inNodes(t, func(t *testing.T, r *nodeRig) {
		messages := r.stocked()
		r.damage("n3", journaltest.Rows('H', 1))
		r.returns(messages)
		require.Equal(t, []string{"1 true", "1 false"}, r.nodes["n3"].repairs)

		t.Log("and is whole after the next start")
		r.stop("n3")
		r.returns(messages)
		require.Empty(t, r.nodes["n3"].repairs)
	})
}

// A log entry is damaged: it is fetched from the others before Raft reads it.
func TestADamagedLogIsMendedAtTheStart(t *testing.T) {
	inNodes(t, func(t *testing.T, r *nodeRig) {
		messages := r.stocked()
		log := r.lastEntry("n3", 1)
		r.damage("n3", journaltest.LogKey(1, log))
		r.damage("n3", journaltest.LogKey(1, log-1))
		r.returns(messages)
	})
}

// lastEntry is the last index of a stopped node's log.
func (r *nodeRig) lastEntry(id string, shard uint16) uint64 {
	r.t.Helper()
	s, err := journal.Open(journal.Options{Dir: "data", FS: r.disks[id].fs})
	require.NoError(r.t, err)
	defer s.Close()
	log, err := s.Log(shard)
	require.NoError(r.t, err)
	return log.Last()
}

// A restart in the middle of a repair does not make the replica serve.
func TestASuspectReplicaStaysSuspect(t *testing.T) {
	inNodes(t, func(t *testing.T, r *nodeRig) {
		messages := r.stocked()
		s, err := journal.Open(journal.Options{Dir: "data", FS: r.disks["n3"].fs})
		require.NoError(t, err)
		require.NoError(t, s.Marks(1).Set(suspectMark, []byte{1}))
		require.NoError(t, s.Close())
		r.stop("n2")
		r.stop("n1")
		n := r.start("n3", three, nil)
		r.pass(30 * time.Second)
		require.True(t, n.replica(1).held(), "there is nobody to repair it from")
		r.start("n1", three, nil)
		r.start("n2", three, nil)
		r.untilReady("n1", "n2", "n3")
		r.until("it is whole", func() bool { return !n.replica(1).held() && r.ready("n3", 1) == messages })
		require.NotEqual(t, "", r.leader(1))
		require.Equal(t, []string{"1 true", "1 false"}, n.repairs)
	})
}

// A damaged body is found when it is read, while the node runs: the reader gets an
// error, the replica stops and is repaired.
func TestDamageThatIsFoundLaterIsRepaired(t *testing.T) {
	inNodes(t, func(t *testing.T, r *nodeRig) {
		messages := r.stocked()
		r.damage("n3", journaltest.Rows('Q', 1))
		n := r.start("n3", three, nil)
		r.untilReady("n3")
		s, err := n.Shard(1)
		require.NoError(t, err)
		_, err = s.Load(1, 0, 10, 1<<20, nil)
		require.Error(t, err)
		r.until("it is repaired", func() bool { n.mu.Lock(); defer n.mu.Unlock(); return len(n.repairs) == 2 })
		l, err := s.Load(1, 0, 10, 1<<20, nil)
		require.NoError(t, err)
		require.Len(t, l.Messages, 10)
		require.Equal(t, messages, r.ready("n3", 1))
		require.Nil(t, s.Damaged())
	})
}

// What the leader says decides about a damaged log: entries that it has are
// replaced, what it lacks is cut off, and nothing is cut off that it may have.
func TestALogIsMendedByTheLeadersWord(t *testing.T) {
	open := func() (*journal.Log, func()) {
		s, err := journal.Open(journal.Options{Dir: "data", FS: vfs.NewMem()})
		require.NoError(t, err)
		log, err := s.Log(0)
		require.NoError(t, err)
		var entries []journal.Entry
		for i := range uint64(5) {
			entries = append(entries, journal.Entry{Index: i + 1, Term: 1, Data: []byte("old")})
		}
		require.NoError(t, log.Append(entries))
		return log, func() { require.NoError(t, s.Close()) }
	}
	entry := func(i uint64) map[uint64]journal.Entry {
		return map[uint64]journal.Entry{i: {Index: i, Term: 1, Data: []byte("new")}}
	}
	for _, c := range []struct {
		why  string
		k    testimony
		at   uint64
		done bool
		last uint64
	}{
		{"replaced, the rest is the leader's too", testimony{entry(3), map[uint64]uint64{3: 1, 4: 1}, true, 5}, 3, true, 5},
		{"the next one is another: cut off", testimony{entry(3), map[uint64]uint64{3: 1, 4: 2}, true, 9}, 3, true, 3},
		{"the leader's log ends there", testimony{entry(3), map[uint64]uint64{3: 1}, true, 3}, 3, true, 3},
		{"the leader's log ends before", testimony{nil, nil, true, 2}, 3, true, 2},
		{"nobody said anything of it", testimony{nil, nil, true, 5}, 3, false, 5},
		{"nobody said anything of the next", testimony{entry(3), map[uint64]uint64{3: 1}, true, 5}, 3, false, 5},
		{"the last one", testimony{entry(5), map[uint64]uint64{5: 1}, true, 8}, 5, true, 5},
	} {
		log, end := open()
		done, err := c.k.mend(log, c.at)
		require.NoError(t, err, c.why)
		require.Equal(t, c.done, done, c.why)
		require.Equal(t, c.last, log.Last(), c.why)
		if c.done && log.Last() >= c.at {
			var e journal.Entry
			require.NoError(t, log.Get(c.at, &e))
			require.Equal(t, "new", string(e.Data), c.why)
		}
		end()
	}
}

// While a replica is repaired it gets no lead.
func TestAHeldReplicaIsSpared(t *testing.T) {
	inNodes(t, func(t *testing.T, r *nodeRig) {
		r.form("n1", "n2", "n3")
		r.until("each leads one", func() bool {
			return r.leader(0) == "n1" && r.leader(1) == "n2" && r.leader(2) == "n3"
		})
		r.nodes["n2"].replica(1).hold.stop() // as a repair that finds nobody would leave it
		go r.nodes["n2"].replica(1).announce(true)
		r.until("the others know", func() bool { return !r.nodes["n3"].mayLead("n2", 1) })
		require.NoError(t, r.nodes["n1"].Transfer(r.within(time.Minute), 1, ""))
		r.pass(30 * time.Second)
		require.NotEqual(t, "n2", r.leader(1), "its share waits")
		require.True(t, r.nodes["n3"].mayLead("n2", 0), "its other replicas are whole")
		require.Equal(t, HealthDegraded, r.status("n1").Health)
		require.Equal(t, []string{"the replica of shard 1 on n2 is being repaired"}, r.status("n1").Problems)
	})
}
