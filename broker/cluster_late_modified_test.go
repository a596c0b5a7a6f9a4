package broker

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"entrepot/broker/config"
	"entrepot/protocol/amqp/wire"
)

// fails tells that a delivery has failed.
func (p *peer) fails(id uint32, settled bool) *peer {
	return p.frame(0, &wire.Disposition{Role: wire.RoleReceiver, First: id, Settled: settled,
		State: wire.DeliveryState{Kind: wire.StateModified, Modified: wire.Modified{DeliveryFailed: true}}})
}

// failsLate has the first client say that its delivery has failed, and waits until it is
// told that this is final.
func (s *lateSettle) failsLate() {
	s.t.Helper()
	begin := time.Now()
	s.first.fails(0, false).flush()
	d := until[wire.Disposition](s.first, "it is settled")
	require.True(s.t, d.Settled)
	require.Equal(s.t, wire.StateModified, d.State.Kind)
	require.True(s.t, d.State.Modified.DeliveryFailed)
	require.Less(s.t, time.Since(begin), time.Second, "it does not wait for the other client")
}

// comesAgain: a new client gets the message, with a delivery-count.
func (r *clusterRig) comesAgain(at string, count uint32) {
	r.t.Helper()
	p := r.peer(at)
	p.receivesFrom(0, "q").grants(0, 0, 1, false).flush()
	_, payload := untilPayload[wire.Transfer](p, "it comes again")
	require.Equal(r.t, count, redelivered(r.t, payload).DeliveryCount)
	_ = p.nc.Close()
}

// A failure that is told after the leader has changed counts, while another client has the
// message; what that one says counts on top. The change of leaders counts once.
func TestLateFailureWhileAnotherHasIt(t *testing.T) {
	const changed, failed = 1, 1
	ends := map[string]struct {
		end   func(p *peer)
		count uint32
	}{
		"released":   {func(p *peer) { p.settles(0, 0, wire.StateReleased, true).flush() }, changed + failed},
		"modified":   {func(p *peer) { p.fails(0, true).flush() }, changed + failed + failed},
		"connection": {func(p *peer) { _ = p.nc.Close() }, changed + failed},
	}
	for name, c := range ends {
		t.Run(name, func(t *testing.T) {
			for at := range uint32(4) {
				inCluster(t, nil, func(t *testing.T, r *clusterRig) {
					s := stageLateSettle(r, at, 10)
					s.second.gets("a", "it is sent to the second")
					s.failsLate()
					s.second.grants(0, 1, 0, false) // it wants no more
					c.end(s.second)
					r.pass(time.Second)
					r.comesAgain(r.leader(), c.count)
				})
			}
		})
	}
	t.Run("accepted", func(t *testing.T) {
		inCluster(t, nil, func(t *testing.T, r *clusterRig) {
			s := stageLateSettle(r, 0, 10)
			s.second.gets("a", "it is sent to the second")
			s.failsLate()
			s.second.settles(0, 0, wire.StateAccepted, false).flush()
			require.True(t, until[wire.Disposition](s.second, "it is settled").Settled)
			s.isOver()
		})
	})
}

// stageLateFailure has a client hold a message when the leader changes; nobody wants it
// then.
func stageLateFailure(r *clusterRig, at string) lateSettle {
	r.t.Helper()
	leader, _, third := r.roles()
	sendTexts(r.t, r.client(third), "q", "a")
	s := lateSettle{clusterRig: r, first: r.peer(at)}
	s.first.receivesFrom(0, "q").grants(0, 0, 1, false).flush()
	s.first.gets("a", "before the change")
	r.pass(time.Second)
	r.transfer(leader, third)
	r.pass(time.Second)
	return s
}

// It counts, and is confirmed, also when nobody wants the message, so that the new leader
// has not read it; or if the client settles by itself, though nobody waits to hear of it.
func TestLateFailureOfWhatNobodyWants(t *testing.T) {
	for name, fail := range map[string]func(s *lateSettle){
		"settled by us": func(s *lateSettle) { s.failsLate() },
		"settled by the client": func(s *lateSettle) {
			s.first.fails(0, true).flush()
			s.pass(time.Second)
		},
	} {
		t.Run(name, func(t *testing.T) {
			inCluster(t, nil, func(t *testing.T, r *clusterRig) {
				_, follower, third := r.roles()
				s := stageLateFailure(r, follower)
				fail(&s)
				r.comesAgain(third, 2)
			})
		})
	}
}

// It counts towards max_deliveries.
func TestLateFailureIsOneTooMany(t *testing.T) {
	once := func(_ string, cfg *config.Config, _ *Surroundings) {
		policy := config.DefaultPolicy("q")
		policy.MaxDeliveries = 1
		cfg.Policies = []config.Policy{policy}
	}
	inCluster(t, once, func(t *testing.T, r *clusterRig) {
		_, follower, _ := r.roles()
		s := stageLateFailure(r, follower)
		s.failsLate()
		s.isOver()
	})
}

// A failure that was told to a leader which is lost before it has confirmed it is told to
// the next one. It counts once, whether the lost one made it a fact or never heard of it.
func TestFailureThatIsToldTwiceCountsOnce(t *testing.T) {
	for _, heard := range []bool{false, true} {
		for _, settled := range []bool{false, true} {
			inCluster(t, nil, func(t *testing.T, r *clusterRig) {
				leader, follower, third := r.roles()
				p := r.holdsOne(follower, third)
				from, to := follower, leader
				if heard {
					from, to = leader, follower
				}
				r.net.Block(from, to)
				p.fails(0, settled).flush()
				r.pass(100 * time.Millisecond)
				r.kill(leader)
				r.until("another one leads", func() bool { return r.leader() != "" })
				if !settled {
					require.True(t, until[wire.Disposition](p, "it is confirmed").Settled)
				}
				r.pass(time.Second)
				r.comesAgain(third, 2)
			})
		}
	}
}

// So it does if it came late already when it was told for the first time.
func TestLateFailureThatIsToldTwiceCountsOnce(t *testing.T) {
	for _, heard := range []bool{false, true} {
		inCluster(t, nil, func(t *testing.T, r *clusterRig) {
			leader, follower, third := r.roles()
			s := stageLateFailure(r, follower)
			from, to := follower, third
			if heard {
				from, to = third, follower
			}
			r.net.Block(from, to)
			s.first.fails(0, false).flush()
			r.pass(100 * time.Millisecond)
			r.kill(third)
			r.until("another one leads", func() bool { return r.leader() != "" })
			require.True(t, until[wire.Disposition](s.first, "it is confirmed").Settled)
			r.comesAgain(leader, 2)
		})
	}
}
