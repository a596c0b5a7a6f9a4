package broker

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/Azure/go-amqp"
	"github.com/stretchr/testify/require"

	"entrepot/broker/admin"
	"entrepot/broker/config"
	"entrepot/protocol/amqp/wire"
)

// A node that is cut off from the majority, the leader or a follower, gives no new
// credit, accepts nothing and delivers nothing after its lease; it does not close
// connections, and goes on when it is back. What it was sent meanwhile is stored once.
func TestCutOffNode(t *testing.T) {
	for _, role := range []string{"leader", "follower"} {
		t.Run(role, func(t *testing.T) {
			inCluster(t, nil, func(t *testing.T, r *clusterRig) {
				leader, follower, third := r.roles()
				cut := map[string]string{"leader": leader, "follower": follower}[role]
				sendTexts(t, r.client(third), "out", "a", "b")
				p := r.peer(cut)
				p.sendsTo(0, "in").receivesFrom(1, "out").flush()
				granted := creditOf(p, 0)
				p.grants(1, 0, 1, false).flush()
				p.gets("a", "before the cut")

				r.cutOff(cut)
				r.until("it says that it is not ready", func() bool { return r.nodes[cut].Ready() != nil })
				require.NoError(t, r.nodes[cut].Health(), "to kill it would not help")
				for n := range granted {
					p.transfers(0, fmt.Sprint(n), false)
				}
				p.grants(1, 1, 10, false).flush()
				r.pass(10 * time.Second)
				require.Empty(t, p.pending(), "nothing is said to the client: no credit, no outcome, no message")
				r.until("the others serve", func() bool { return r.leader() != cut && r.leader() != "" })
				require.NoError(t, r.nodes[third].Ready())

				r.net.Heal()
				accepted := uint32(0)
				redelivered := []string{}
				for accepted < granted || len(redelivered) < 2 {
					got, ok := p.next()
					require.True(t, ok, "the connection stays")
					switch f := got.frame.(type) {
					case *wire.Disposition:
						require.Equal(t, wire.StateAccepted, f.State.Kind)
						accepted += f.Last.V - f.First + 1
						if !f.Last.Set {
							accepted += f.First
						}
					case *wire.Transfer:
						redelivered = append(redelivered, textOf(t, got.payload))
					case *wire.Detach, *wire.End, *wire.Close:
						require.FailNow(t, "the link stays", "%+v", f)
					}
				}
				require.Equal(t, []string{"a", "b"}, redelivered)
				r.until("it is ready again", func() bool { return r.nodes[cut].Ready() == nil })
				for _, id := range r.names {
					r.until("each is stored once", func() bool { return r.count(id, "in") == uint64(granted) })
				}
			})
		})
	}
}

// creditOf waits for a link's first credit.
func creditOf(p *peer, handle uint32) uint32 {
	p.t.Helper()
	for {
		if f := until[wire.Flow](p, "credit"); f.Handle.Set && f.Handle.V == handle {
			return f.LinkCredit.V
		}
	}
}

// pending is what the broker has sent and the peer has not read, of links.
func (p *peer) pending() (frames []wire.Composite) {
	p.t.Helper()
	for {
		require.NoError(p.t, p.nc.SetReadDeadline(time.Now().Add(time.Millisecond)))
		buf := make([]byte, 64<<10)
		n, err := p.nc.Read(buf)
		p.in = append(p.in, buf[:n]...)
		if err != nil {
			break
		}
	}
	for {
		r, ok := p.cut()
		if !ok {
			return frames
		}
		frames = append(frames, r.frame)
	}
}

// What waits at a node for a client that did not read is not sent once the node is cut
// off: by then another consumer may have settled it.
func TestCutOffFollowerSendsNothingThatWaited(t *testing.T) {
	inCluster(t, nil, func(t *testing.T, r *clusterRig) {
		_, follower, third := r.roles()
		sendTexts(t, r.client(third), "q", "a", "b", "c")
		p := r.peer(follower)
		p.receivesFrom(0, "q").flush()
		until[wire.Attach](p, "attached")
		f := p.sessionFlow() // a window of one
		f.IncomingWindow = 1
		f.Handle, f.DeliveryCount, f.LinkCredit = wire.Some[uint32](0), wire.Some[uint32](0), wire.Some[uint32](10)
		p.frame(0, &f).flush()
		p.gets("a", "before the cut")
		r.pass(time.Second)

		r.cutOff(follower)
		r.pass(1500 * time.Millisecond) // its lease is over
		f = p.sessionFlow()
		f.NextIncomingID, f.Handle, f.DeliveryCount, f.LinkCredit = wire.Some[uint32](1), wire.Some[uint32](0), wire.Some[uint32](1), wire.Some[uint32](9)
		p.frame(0, &f).flush()
		r.pass(2 * time.Second)
		require.Empty(t, p.pending())
		r.net.Heal()
		p.gets("b", "nothing has become of it meanwhile")
		p.gets("c", "")
	})
}

// A browser goes on where it was when the leader changes.
func TestBrowserGoesOn(t *testing.T) {
	inCluster(t, nil, func(t *testing.T, r *clusterRig) {
		leader, follower, third := r.roles()
		sendTexts(t, r.client(third), "q", "a", "b", "c", "d", "e")
		for i, at := range []string{leader, follower} {
			p := r.peer(at)
			p.receivesFrom(0, "q", browsing).grants(0, 0, 2, false).flush()
			p.gets("a", at)
			p.gets("b", at)
			from := r.leader()
			r.transfer(from, r.others(from)[i])
			p.grants(0, 2, 2, false).flush()
			p.gets("c", at)
			p.gets("d", at)
			p.grants(0, 4, 5, false).flush()
			p.gets("e", at)
		}
		require.EqualValues(t, 5, r.count(third, "q"))
	})
}

// A drain that crosses the change of the leader is answered: with all credit used up,
// and all messages before that.
func TestDrainAcrossALeaderChange(t *testing.T) {
	inCluster(t, nil, func(t *testing.T, r *clusterRig) {
		leader, follower, third := r.roles()
		p := r.peer(follower)
		p.receivesFrom(0, "q").flush()
		until[wire.Attach](p, "attached")
		sendTexts(t, r.client(third), "q", "a", "b")
		r.cutOff(leader)
		require.Equal(t, []string{"a", "b"}, p.drained(0, 0, 7, "the leader is gone as it is asked for"))
		r.net.Heal()
		require.Empty(t, p.drained(0, 7, 3, "there is no more"))
	})
}

// What is declared, updated and deleted at one node is so at the others, also for links
// that are attached there.
func TestDeclarationsReachAllNodes(t *testing.T) {
	inCluster(t, nil, func(t *testing.T, r *clusterRig) {
		created := r.declare("n1", "q", admin.Declaration{})
		require.True(t, created)
		p := r.peer("n2")
		p.sendsTo(0, "q").flush()
		require.Greater(t, creditOf(p, 0), uint32(5))
		c := r.peer("n3")
		c.receivesFrom(0, "q").flush()
		until[wire.Attach](c, "attached")

		created = r.declare("n3", "q", admin.Declaration{MaxMessages: 2})
		require.False(t, created)
		r.until("n2 knows", func() bool {
			q, err := r.nodes["n2"].Queue(t.Context(), "q")
			return err == nil && q.Effective.MaxMessages == 2
		})
		r.pass(time.Second)
		p.transfers(0, "1", false).transfers(0, "2", false).transfers(0, "3", false).flush()
		var states []wire.StateKind
		for len(states) < 3 {
			d := until[wire.Disposition](p, "an outcome")
			for range max(d.Last.V, d.First) - d.First + 1 {
				states = append(states, d.State.Kind)
			}
		}
		require.ElementsMatch(t, []wire.StateKind{wire.StateAccepted, wire.StateAccepted, wire.StateRejected}, states)

		n, err := r.nodes["n1"].Delete(t.Context(), "q")
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
		for _, link := range []*peer{p, c} {
			require.Equal(t, wire.CondResourceDeleted, until[wire.Detach](link, "the link ends").Error.Condition)
		}
		r.until("nobody has it", func() bool {
			for _, id := range r.names {
				if _, err := r.nodes[id].Queue(t.Context(), "q"); err == nil {
					return false
				}
			}
			return true
		})
	})
}

// declare puts a queue.
func (r *clusterRig) declare(id, name string, d admin.Declaration) (created bool) {
	r.t.Helper()
	_, created, err := r.nodes[id].Declare(r.t.Context(), name, d)
	require.NoError(r.t, err)
	return created
}

// Two nodes update one queue at the same time: each is done when its own update is a
// fact, though it may never see it, for the other one's came right behind.
func TestUpdatesAtTheSameTime(t *testing.T) {
	inCluster(t, nil, func(t *testing.T, r *clusterRig) {
		r.declare("n1", "q", admin.Declaration{})
		r.pass(time.Second)
		for round := range 20 {
			begin, done := time.Now(), make(chan error, len(r.names))
			for i, id := range r.names {
				go func() {
					_, _, err := r.nodes[id].Declare(t.Context(), "q", admin.Declaration{MaxMessages: uint64(10*round + i + 1)})
					done <- err
				}()
			}
			for range r.names {
				require.NoError(t, <-done)
			}
			require.Less(t, time.Since(begin), time.Second)
		}
	})
}

// A queue that is made again as soon as it is deleted: the deletion is done all the same.
func TestDeleteAndMakeAgain(t *testing.T) {
	inCluster(t, nil, func(t *testing.T, r *clusterRig) {
		_, follower, third := r.roles()
		r.declare(third, "q", admin.Declaration{})
		r.pass(time.Second)
		ctx, stop := context.WithCancel(t.Context())
		again := make(chan struct{})
		go func() { // a client that attaches again when it is thrown out
			defer close(again)
			s := r.client(third)
			for ctx.Err() == nil {
				receiver, err := s.NewReceiver(ctx, "q", nil)
				if err == nil {
					_, _ = receiver.Receive(ctx, nil)
				}
			}
		}()
		for range 5 {
			r.pass(time.Second)
			begin := time.Now()
			_, err := r.nodes[follower].Delete(t.Context(), "q")
			require.NoError(t, err)
			require.Less(t, time.Since(begin), time.Second)
		}
		stop()
		<-again
	})
}

// Wall clocks that differ, and one that jumps by an hour on the leader or a follower:
// a message lives as long as it should, and its ttl counts down.
func TestDeadlinesAndWallClocks(t *testing.T) {
	inCluster(t, nil, func(t *testing.T, r *clusterRig) {
		leader, follower, third := r.roles()
		r.nodes[follower].skew.Store(int64(-20 * time.Minute))
		r.nodes[third].skew.Store(int64(20 * time.Minute))
		for i, jumps := range []string{"", leader, follower} {
			for _, hour := range []time.Duration{time.Hour, -time.Hour} {
				if jumps == "" && hour < 0 {
					continue
				}
				queue := fmt.Sprint("q", i, hour)
				for _, id := range r.names {
					sender, err := r.client(id).NewSender(t.Context(), queue, nil)
					require.NoError(t, err)
					m := amqp.NewMessage([]byte(id))
					m.Header = &amqp.MessageHeader{TTL: 10 * time.Second}
					require.NoError(t, sender.Send(t.Context(), m, nil))
				}
				if jumps != "" {
					r.nodes[jumps].skew.Add(int64(hour))
				}
				r.pass(8 * time.Second)
				p := r.peer(third)
				p.receivesFrom(0, queue, browsing).grants(0, 0, 3, false).flush()
				for range r.names {
					_, payload := untilPayload[wire.Transfer](p, "it is there after 8 s")
					ttl := headerOf(t, payload).TTL.V
					require.InDelta(t, 2000, ttl, 300, "what is left of ttl")
				}
				r.pass(3 * time.Second)
				require.Zero(t, r.count(third, queue), "it is gone after 11 s")
			}
		}
	})
}

// A consumer that takes nothing, at a node that does not lead, holds up no other there.
func TestSlowLinkHoldsUpNoOther(t *testing.T) {
	inCluster(t, nil, func(t *testing.T, r *clusterRig) {
		_, follower, third := r.roles()
		sender, err := r.client(third).NewSender(t.Context(), "q", nil)
		require.NoError(t, err)
		slow := r.peer(follower)
		slow.receivesFrom(0, "q").grants(0, 0, 400, false).flush() // and reads nothing
		body := make([]byte, 16<<10)
		const n = 1000
		fast, err := r.client(follower).NewReceiver(t.Context(), "q", &amqp.ReceiverOptions{Credit: 100})
		require.NoError(t, err)
		go func() {
			for range n {
				_ = sender.Send(t.Context(), amqp.NewMessage(body), nil)
			}
		}()
		begin := time.Now()
		for range n - 400 {
			m, err := fast.Receive(t.Context(), nil)
			require.NoError(t, err)
			require.NoError(t, fast.AcceptMessage(t.Context(), m))
		}
		require.Less(t, time.Since(begin), 20*time.Second)
	})
}

// A full disk at one node: its producers wait or are refused, those of others are not,
// and its consumers go on.
func TestFullDiskOfOneNode(t *testing.T) {
	low := func(_ string, cfg *config.Config, _ *Surroundings) {
		cfg.Limits.DiskLow, cfg.Limits.DiskHigh = 1*config.GiB, 2*config.GiB
	}
	inCluster(t, low, func(t *testing.T, r *clusterRig) {
		_, follower, third := r.roles()
		p := r.peer(follower)
		p.sendsTo(0, "q").flush()
		creditOf(p, 0)
		r.nodes[follower].free.Store(1 << 20)
		r.pass(5 * time.Second)
		p.transfers(0, "refused", false).flush()
		d := until[wire.Disposition](p, "an answer")
		require.Equal(t, wire.StateRejected, d.State.Kind)
		require.Equal(t, wire.CondResourceLimitExceeded, d.State.Rejected.Error.Condition)
		sendTexts(t, r.client(third), "q", "a", "b")
		require.Equal(t, []string{"a", "b"}, receiveTexts(t, r.client(follower), "q", 2))
		r.nodes[follower].free.Store(1 << 40)
		r.until("there is credit again", func() bool {
			for _, f := range p.pending() {
				if flow, ok := f.(*wire.Flow); ok && flow.LinkCredit.V > 0 {
					return true
				}
			}
			return false
		})
	})
}

// Metrics count the links whose queue another node leads.
func TestMetricsOfLinksAway(t *testing.T) {
	inCluster(t, nil, func(t *testing.T, r *clusterRig) {
		leader, follower, _ := r.roles()
		for _, id := range []string{leader, follower} {
			p := r.peer(id)
			p.sendsTo(0, "q").receivesFrom(1, "q").flush()
			until[wire.Attach](p, "one")
			until[wire.Attach](p, "two")
		}
		r.pass(time.Second)
		require.EqualValues(t, 0, r.nodes[leader].Metrics().Shards[0].LinksAway)
		require.EqualValues(t, 2, r.nodes[follower].Metrics().Shards[0].LinksAway)
		r.transfer(leader, follower)
		r.pass(time.Second)
		require.EqualValues(t, 2, r.nodes[leader].Metrics().Shards[0].LinksAway)
		require.EqualValues(t, 0, r.nodes[follower].Metrics().Shards[0].LinksAway)
	})
}
