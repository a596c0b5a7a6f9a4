package broker

import (
	"testing"
	"time"

	"github.com/Azure/go-amqp"
	"github.com/stretchr/testify/require"

	"entrepot/broker/config"
	"entrepot/protocol/amqp/wire"
	"entrepot/queue"
)

// lateSettle is the scene of these tests. One client holds a message, the leader changes,
// and the next leader gives the message to another client. Then the first one settles.
type lateSettle struct {
	*clusterRig
	first, second *peer
}

// stageLateSettle plays it up to the settle. window is the second client's: with none,
// the message waits at its node. at tells where the clients are, by what the nodes are
// after the change.
func stageLateSettle(r *clusterRig, at, window uint32) lateSettle {
	r.t.Helper()
	leader, follower, third := r.roles() // third leads next
	homes := [][2]string{{follower, leader}, {leader, third}, {third, follower}, {follower, follower}}[at]
	sendTexts(r.t, r.client(third), "q", "a")
	s := lateSettle{r, r.peer(homes[0]), r.peer(homes[1])}
	s.first.receivesFrom(0, "q").grants(0, 0, 1, false).flush()
	s.first.gets("a", "before the change")
	s.second.receivesFrom(0, "q").flush()
	until[wire.Attach](s.second, "attached")
	s.opens(window)
	r.pass(time.Second)
	r.transfer(leader, third)
	r.pass(time.Second) // the message is with the second client, or on its way to it
	return s
}

// opens gives the second client's session a window, with credit on its link.
func (s *lateSettle) opens(window uint32) {
	f := s.second.sessionFlow()
	f.IncomingWindow = window
	f.Handle, f.DeliveryCount, f.LinkCredit = wire.Some[uint32](0), wire.Some[uint32](0), wire.Some[uint32](10)
	s.second.frame(0, &f).flush()
}

// settles has the first client settle, and waits until it is told that this is final.
func (s *lateSettle) settles() {
	s.t.Helper()
	begin := time.Now()
	s.first.settles(0, 0, wire.StateAccepted, false).flush()
	d := until[wire.Disposition](s.first, "it is settled")
	require.True(s.t, d.Settled)
	require.Equal(s.t, wire.StateAccepted, d.State.Kind)
	require.Less(s.t, time.Since(begin), time.Second, "it does not wait for the other client")
}

// isOver: nothing is left, and comes to nobody.
func (s *lateSettle) isOver() {
	s.t.Helper()
	for _, id := range s.names {
		p := s.peer(id)
		p.receivesFrom(0, "q").flush()
		until[wire.Attach](p, "attached")
		require.Empty(s.t, p.drained(0, 0, 5, "a drain at "+id), "it is settled for good")
	}
	s.until("it is no more", func() bool { return s.count(s.leader(), "q") == 0 })
}

// A late settle is confirmed when the message is on its way to another client: it is
// not sent to that one any more, however long it had waited there.
func TestLateSettleOvertakesADelivery(t *testing.T) {
	for at := range uint32(4) {
		inCluster(t, nil, func(t *testing.T, r *clusterRig) {
			s := stageLateSettle(r, at, 0)
			s.settles()
			s.opens(10)
			r.pass(time.Second)
			for _, f := range s.second.pending() {
				_, sent := f.(*wire.Transfer)
				require.False(t, sent, "sent after its settle was confirmed")
			}
			sendTexts(t, r.client(r.leader()), "q", "b")
			s.second.gets("b", "the link goes on")
			s.second.settles(0, 0, wire.StateAccepted, true).flush()
			s.isOver()
		})
	}
}

// A late settle is confirmed while another client has the message: what that one says
// of it, or that its connection fails, does not bring it back.
func TestLateSettleWhileAnotherHasIt(t *testing.T) {
	ends := map[string]func(p *peer){
		"released":   func(p *peer) { p.settles(0, 0, wire.StateReleased, true).flush() },
		"accepted":   func(p *peer) { p.settles(0, 0, wire.StateAccepted, false).flush() },
		"connection": func(p *peer) { _ = p.nc.Close() },
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			for at := range uint32(4) {
				inCluster(t, nil, func(t *testing.T, r *clusterRig) {
					s := stageLateSettle(r, at, 10)
					s.second.gets("a", "it is sent to the second")
					s.settles()
					end(s.second)
					r.pass(time.Second)
					s.isOver()
				})
			}
		})
	}
}

// What a client settled by itself, at a node that does not lead, is not lost with the
// leader that was told: it does not come back. Nobody waits to hear of it, so its link, or
// its connection, may be gone by then.
func TestSettledByTheClientOutlivesTheLeader(t *testing.T) {
	for _, ends := range []string{"link stays", "link ends", "connection ends"} {
		t.Run(ends, func(t *testing.T) {
			inCluster(t, nil, func(t *testing.T, r *clusterRig) {
				leader, follower, third := r.roles()
				sendTexts(t, r.client(third), "q", "a", "b", "c", "d")
				p := r.peer(follower)
				p.receivesFrom(0, "q").grants(0, 0, 4, false).flush()
				for _, text := range []string{"a", "b", "c", "d"} {
					p.gets(text, "before the change")
				}
				r.pass(time.Second)
				r.net.Block(follower, leader) // what is said now is on its way when the leader dies
				p.settles(0, 1, wire.StateAccepted, true).settles(2, 2, wire.StateRejected, true).flush()
				switch ends {
				case "link ends":
					p.frame(0, &wire.Detach{Closed: true}).flush()
					until[wire.Detach](p, "the link ends")
				case "connection ends":
					r.pass(time.Millisecond)
					_ = p.nc.Close()
				}
				r.kill(leader)
				r.until("only what was not settled is left", func() bool {
					return r.leader() != "" && r.count(follower, "q") == 1 && r.count(third, "q") == 1
				})
			})
		})
	}
}

// What is remembered of what clients have settled is little: what is a fact here as well is
// forgotten.
func TestSettledIsForgottenWhenItIsAFact(t *testing.T) {
	inCluster(t, nil, func(t *testing.T, r *clusterRig) {
		_, follower, third := r.roles()
		const n = 4 * toldSweep
		sendTexts(t, r.client(third), "q", make([]string, n)...)
		receiver, err := r.client(follower).NewReceiver(t.Context(), "q", &amqp.ReceiverOptions{Credit: 50})
		require.NoError(t, err)
		for range n {
			m, err := receiver.Receive(t.Context(), nil)
			require.NoError(t, err)
			require.NoError(t, receiver.AcceptMessage(t.Context(), m))
		}
		relay := r.nodes[follower].shards()[0].relay
		relay.mu.Lock()
		defer relay.mu.Unlock()
		require.NotEmpty(t, relay.told.list)
		require.LessOrEqual(t, len(relay.told.list), 2*toldSweep)
	})
}

// Outcomes become runs, each record of one queue, for one reason, and not too long.
func TestRunsOfWhatWasTold(t *testing.T) {
	runs, n := runsOf([]toldOutcome{{1, 4, queue.Settled}, {1, 5, queue.Settled}, {1, 5, queue.Settled},
		{1, 8, queue.Settled}, {1, 9, queue.Rejected}, {2, 9, queue.Rejected}})
	require.Equal(t, 4, n)
	require.Equal(t, []queue.Run{{First: 4, Count: 2}, {First: 8, Count: 1}}, runs)

	apart := make([]toldOutcome, maxRuns+1)
	for i := range apart {
		apart[i] = toldOutcome{1, queue.Seq(1 + 2*i), queue.Settled}
	}
	runs, n = runsOf(apart)
	require.Equal(t, maxRuns, n)
	require.Len(t, runs, maxRuns)
}

// A node that was cut off a moment before the lead was handed over does not know of the new
// leader. What waits there for a client is not sent, though its lease is not over: it is with
// others by now, and settled perhaps.
func TestHandingOverUnknownToANode(t *testing.T) {
	inCluster(t, nil, func(t *testing.T, r *clusterRig) {
		leader, follower, third := r.roles()
		s := lateSettle{clusterRig: r, second: r.peer(follower)}
		s.second.receivesFrom(0, "q").flush()
		until[wire.Attach](s.second, "attached")
		s.opens(0)
		r.pass(time.Second)
		sendTexts(t, r.client(third), "q", "a")
		r.pass(time.Second) // a waits at the follower
		p := r.peer(third)
		p.receivesFrom(0, "q").grants(0, 0, 1, false).flush()
		r.cutOff(follower)
		begin := time.Now()
		r.transfer(leader, third)
		p.gets("a", "it is given to another")
		p.settles(0, 0, wire.StateAccepted, false).flush()
		require.True(t, until[wire.Disposition](p, "it is settled").Settled)
		require.Less(t, time.Since(begin), 1500*time.Millisecond, "the others wait for its lease, and no longer")
		s.opens(10)
		r.pass(time.Second)
		for _, f := range s.second.pending() {
			_, sent := f.(*wire.Transfer)
			require.False(t, sent, "sent after its settle was confirmed")
		}
	})
}

// What a client of the leader has settled by itself waits a moment for a message to go
// with. If it has arrived when the lead is handed over, it is a fact before the next leader
// begins; if it arrives meanwhile, it is one in the end.
func TestSettledByTheClientWhileTheLeadIsHandedOver(t *testing.T) {
	for _, arrived := range []bool{true, false} {
		inCluster(t, nil, func(t *testing.T, r *clusterRig) {
			leader, follower, third := r.roles()
			p := r.holdsOne(leader, third)
			q := r.peer(third)
			if arrived {
				q.receivesFrom(0, "q").grants(0, 0, 5, false).flush()
				r.pass(time.Second)
			}
			p.settles(0, 0, wire.StateAccepted, true).flush()
			if arrived {
				r.pass(time.Millisecond)
				require.EqualValues(t, 1, r.count(leader, "q"), "nothing came to go with")
			}
			r.transfer(leader, follower)
			r.until("it is gone at all nodes", func() bool {
				return r.count(leader, "q") == 0 && r.count(follower, "q") == 0 && r.count(third, "q") == 0
			})
			if arrived {
				require.Empty(t, q.drained(0, 0, 5, "nothing is left"))
			}
		})
	}
}

// It does not wait while producers wait for the room that it makes.
func TestSettledByTheClientMakesRoomAtOnce(t *testing.T) {
	one := func(_ string, cfg *config.Config, _ *Surroundings) {
		policy := config.DefaultPolicy("q")
		policy.MaxMessages = 1
		cfg.Policies = []config.Policy{policy}
	}
	inCluster(t, one, func(t *testing.T, r *clusterRig) {
		leader, _, _ := r.roles()
		session := r.client(leader)
		const n = 50
		receiver, err := session.NewReceiver(t.Context(), "q", &amqp.ReceiverOptions{Credit: 10})
		require.NoError(t, err)
		go func() {
			for range n {
				if m, err := receiver.Receive(t.Context(), nil); err != nil || receiver.AcceptMessage(t.Context(), m) != nil {
					return
				}
			}
		}()
		begin := time.Now()
		sendTexts(t, session, "q", make([]string, n)...)
		took := time.Since(begin)
		t.Logf("%v a message", took/n)
		require.Less(t, took, n*restMillis*time.Millisecond)
	})
}
