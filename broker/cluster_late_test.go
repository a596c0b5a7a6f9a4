package broker

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"entrepot/protocol/amqp/wire"
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
