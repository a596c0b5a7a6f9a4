package broker

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/go-amqp"
	"github.com/stretchr/testify/require"

	"entrepot/protocol/amqp/wire"
)

// pulse is a stream of messages over one link that never fails: each is sent when the
// one before it was accepted.
type pulse struct {
	sent    atomic.Int64
	longest time.Duration // between two that were accepted
	err     error
	stopped chan struct{}
	stop    context.CancelFunc
}

func (r *clusterRig) pulse(id, address string) *pulse {
	r.t.Helper()
	p := &pulse{stopped: make(chan struct{})}
	sender, err := r.client(id).NewSender(r.t.Context(), address, nil)
	require.NoError(r.t, err)
	ctx, cancel := context.WithCancel(r.t.Context())
	p.stop = cancel
	go func() {
		defer close(p.stopped)
		for last := time.Now(); ctx.Err() == nil; {
			m := amqp.NewMessage(fmt.Appendf(nil, "%s %d", id, p.sent.Load()))
			// Not ctx: what was sent is to be answered.
			if p.err = sender.Send(r.t.Context(), m, nil); p.err != nil {
				return
			}
			p.longest = max(p.longest, time.Since(last))
			last = time.Now()
			p.sent.Add(1)
			<-time.After(2 * time.Millisecond)
		}
	}()
	return p
}

// end waits for the last answer, and gives how many messages were accepted.
func (p *pulse) end(t *testing.T) int {
	t.Helper()
	p.stop()
	<-p.stopped
	require.NoError(t, p.err, "no send fails, and the link stays")
	return int(p.sent.Load())
}

// A drainer takes everything off an address over one link, and has the broker settle:
// it hears of an outcome when that is a fact.
type drainer struct {
	stop    context.CancelFunc
	stopped chan struct{}
	err     error
	came    map[string][]time.Time
	settled map[string]time.Time // when the last was
}

func (r *clusterRig) drainer(id, address string) *drainer {
	r.t.Helper()
	receiver, err := r.client(id).NewReceiver(r.t.Context(), address, &amqp.ReceiverOptions{
		Credit: 20, SettlementMode: amqp.ReceiverSettleModeSecond.Ptr()})
	require.NoError(r.t, err)
	ctx, cancel := context.WithCancel(r.t.Context())
	d := &drainer{stop: cancel, stopped: make(chan struct{}), came: map[string][]time.Time{}, settled: map[string]time.Time{}}
	go func() {
		defer close(d.stopped)
		for {
			m, err := receiver.Receive(ctx, nil)
			if err != nil {
				if ctx.Err() == nil {
					d.err = err
				}
				return
			}
			text := string(m.GetData())
			d.came[text] = append(d.came[text], time.Now())
			if err := receiver.AcceptMessage(r.t.Context(), m); err != nil {
				d.err = err
				return
			}
			d.settled[text] = time.Now()
		}
	}()
	return d
}

func (d *drainer) end(t *testing.T) *drainer {
	t.Helper()
	d.stop()
	<-d.stopped
	require.NoError(t, d.err, "the link stays")
	return d
}

// count is how many messages wait, as a node sees it.
func (r *clusterRig) count(id, address string) uint64 {
	q, err := r.nodes[id].Queue(r.t.Context(), address)
	require.NoError(r.t, err)
	return q.Messages
}

// A planned change of the leader under load: no link is detached, no send fails, and
// nothing is stored twice, on the old leader's node as on the others.
func TestTransferUnderLoad(t *testing.T) {
	inCluster(t, nil, func(t *testing.T, r *clusterRig) {
		var pulses []*pulse
		for _, id := range r.names {
			pulses = append(pulses, r.pulse(id, "q"))
		}
		for range 2 {
			for _, to := range r.names {
				if from := r.leader(); from != to {
					r.pass(time.Second)
					r.transfer(from, to)
				}
			}
		}
		r.pass(time.Second)
		accepted := 0
		for i, p := range pulses {
			accepted += p.end(t)
			require.Less(t, p.longest, 300*time.Millisecond, "the pause at %s", r.names[i])
		}
		r.until("all replicas have all", func() bool {
			for _, id := range r.names {
				if r.count(id, "q") != uint64(accepted) {
					return false
				}
			}
			return true
		})
	})
}

// The leader dies: links at the other nodes stay, what they had sent is accepted
// exactly once, and traffic flows again within 3 s.
func TestKilledLeader(t *testing.T) {
	inCluster(t, nil, func(t *testing.T, r *clusterRig) {
		leader, follower, third := r.roles()
		one, two := r.pulse(follower, "q"), r.pulse(third, "q")
		taker := r.drainer(third, "taken")
		fed := r.pulse(follower, "taken")
		r.pass(2 * time.Second)
		r.kill(leader)
		r.pass(5 * time.Second)
		accepted := one.end(t) + two.end(t)
		require.Less(t, one.longest, 3*time.Second)
		require.Less(t, two.longest, 3*time.Second)
		require.EqualValues(t, accepted, r.count(r.leader(), "q"), "nothing twice, nothing lost")

		sent := fed.end(t)
		r.until("all are taken", func() bool { return r.count(follower, "taken") == 0 && r.count(third, "taken") == 0 })
		require.Len(t, taker.end(t).settled, sent, "the consumer's link goes on at the new leader")

		r.start(leader)
		r.untilReady(leader)
		took := r.until("the dead one has caught up", func() bool { return r.count(leader, "q") == uint64(accepted) })
		require.Less(t, took, 5*time.Second, "though nothing new comes")
	})
}

// A settle that was confirmed is final, whatever becomes of the leader: nothing that
// one consumer was told is settled comes to anybody again.
func TestConfirmedSettlesAreFinal(t *testing.T) {
	inCluster(t, nil, func(t *testing.T, r *clusterRig) {
		fed := r.pulse("n2", "q")
		var takers []*drainer
		for _, id := range r.names {
			takers = append(takers, r.drainer(id, "q"))
		}
		for i := range 6 {
			from := r.leader()
			to := r.others(from)[i%2]
			r.pass(500 * time.Millisecond)
			r.transfer(from, to)
		}
		sent := fed.end(t)
		r.until("all are taken", func() bool { return r.count("n1", "q") == 0 })
		settled := map[string]time.Time{}
		for _, d := range takers {
			for text, at := range d.end(t).settled {
				if first, twice := settled[text]; !twice || at.Before(first) {
					settled[text] = at
				}
			}
		}
		require.Len(t, settled, sent)
		for _, d := range takers {
			for text, times := range d.came {
				for _, at := range times {
					require.False(t, at.After(settled[text].Add(underWay)), "%s was settled at %v and came at %v", text, settled[text], at)
				}
			}
		}
	})
}

// underWay is how long after a settle was confirmed to one client a delivery may come
// that another one was sent before.
const underWay = 2 * time.Millisecond

// What was out with a client when the leader changed comes back in its old place, says
// that it had been out, and what the client says of the first delivery still counts.
func TestDeliveriesThatWereOutComeBack(t *testing.T) {
	for _, where := range []string{"leader", "follower"} {
		t.Run(where, func(t *testing.T) {
			inCluster(t, nil, func(t *testing.T, r *clusterRig) {
				leader, follower, third := r.roles()
				at := map[string]string{"leader": leader, "follower": follower}[where]
				sendTexts(t, r.client(third), "q", "a", "b", "c", "d")
				p := r.peer(at)
				p.receivesFrom(0, "q").grants(0, 0, 3, false).flush()
				for _, text := range []string{"a", "b", "c"} {
					p.gets(text, "before the change")
				}
				r.pass(time.Second) // the mark is written
				r.transfer(leader, third)
				r.pass(time.Second)

				// b is settled late, and no more to be had; a and c come again, before d.
				p.settles(1, 1, wire.StateAccepted, false).flush()
				d := until[wire.Disposition](p, "the late outcome is a fact")
				require.EqualValues(t, 1, d.First)
				require.True(t, d.Settled)
				require.Equal(t, wire.StateAccepted, d.State.Kind)
				p.grants(0, 3, 3, false).flush()
				for i, text := range []string{"a", "c", "d"} {
					transfer, payload := untilPayload[wire.Transfer](p, "after the change")
					require.Equal(t, text, textOf(t, payload))
					h := headerOf(t, payload)
					again := i < 2
					require.Equal(t, !again, h.FirstAcquirer, "first-acquirer of %s", text)
					require.Equal(t, again, h.DeliveryCount == 1, "delivery-count of %s is %d", text, h.DeliveryCount)
					p.settles(transfer.DeliveryID.V, transfer.DeliveryID.V, wire.StateAccepted, true).flush()
				}
				r.until("nothing is left", func() bool { return r.count(third, "q") == 0 })
				// What is said of a, whose second delivery is settled, changes nothing.
				p.settles(0, 0, wire.StateAccepted, false).flush()
				require.True(t, until[wire.Disposition](p, "it is answered all the same").Settled)
			})
		})
	}
}

// headerOf is a message's header.
func headerOf(t *testing.T, payload []byte) (h wire.Header) {
	t.Helper()
	sections, err := wire.ScanMessage(payload)
	require.NoError(t, err)
	r := wire.NewReader(sections.Header.Of(payload))
	require.NoError(t, h.Decode(&r))
	return h
}
