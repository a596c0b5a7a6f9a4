package broker

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/Azure/go-amqp"
	"github.com/stretchr/testify/require"

	"entrepot/broker/admin"
	"entrepot/protocol/amqp/wire"
)

// A node that was away for so long that it is fed a stream of the state has not been
// told what happened: its links hear of it all the same. A queue was deleted, one that
// was full has room again, one that had room has none.
func TestLinksHearWhatAStreamBrings(t *testing.T) {
	inCluster(t, nil, func(t *testing.T, r *clusterRig) {
		_, follower, third := r.roles()
		r.declare(third, "full", admin.Declaration{MaxMessages: 2})
		r.declare(third, "doomed", admin.Declaration{})
		r.declare(third, "narrowed", admin.Declaration{})
		sendTexts(t, r.client(third), "full", "1", "2")
		r.pass(time.Second)
		p := r.peer(follower)
		p.sendsTo(0, "full").sendsTo(1, "doomed").sendsTo(2, "narrowed").flush()
		creditOf(p, 2)
		r.pass(time.Second)
		p.pending()

		r.cutOff(follower)
		s := r.client(third)
		require.Equal(t, []string{"1", "2"}, receiveTexts(t, s, "full", 2))
		_, err := r.nodes[third].Delete(t.Context(), "doomed")
		require.NoError(t, err)
		r.declare(third, "narrowed", admin.Declaration{MaxMessages: 1})
		sender, err := s.NewSender(t.Context(), "bulk", nil)
		require.NoError(t, err)
		random, body := rand.New(rand.NewPCG(1, 2)), make([]byte, 96<<10)
		for range 400 {
			for i := range body { // it can't be compressed
				body[i] = byte(random.Uint32())
			}
			require.NoError(t, sender.Send(t.Context(), amqp.NewMessage(body), nil))
		}
		r.net.Heal()
		r.until("it has caught up", func() bool {
			q, err := r.nodes[follower].Queue(t.Context(), "bulk")
			return err == nil && q.Messages == 400
		})
		stats := r.nodes[follower].shards()[0].group.Stats()
		require.NotZero(t, stats.StreamsTaken, "else nothing is tried here")
		r.pass(time.Second)

		granted, detached := uint32(0), false
		for _, f := range p.pending() {
			switch f := f.(type) {
			case *wire.Flow:
				if f.Handle.Set && f.Handle.V == 0 {
					granted = f.LinkCredit.V
				}
			case *wire.Detach:
				require.EqualValues(t, 1, f.Handle)
				detached = true
			}
		}
		require.NotZero(t, granted, "there is room again")
		require.True(t, detached, "the queue is no more")
		require.EqualValues(t, 1, r.nodes[follower].directory.attachedTo("narrowed").limits().MaxMessages)
	})
}
