package broker

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/Azure/go-amqp"
	"github.com/stretchr/testify/require"

	"entrepot/broker/config"
)

// Any node serves every address, whoever leads its shard.
func TestAnyNodeServesEveryAddress(t *testing.T) {
	three := func(_ string, cfg *config.Config, _ *Surroundings) { cfg.Cluster.Shards = 3 }
	inCluster(t, three, func(t *testing.T, r *clusterRig) {
		for i, from := range r.names {
			for j, to := range r.names {
				for k := range 3 { // some queue of each shard, likely
					address := fmt.Sprintf("any/%d/%d/%d", i, j, k)
					texts := []string{"a", "b", "c"}
					sendTexts(t, r.client(from), address, texts...)
					require.Equal(t, texts, receiveTexts(t, r.client(to), address, 3), "sent to %s, received from %s", from, to)
				}
			}
		}
	})
}

// A message that waits, and one that comes while somebody waits, from three senders
// at three nodes: each sender's are in its order.
func TestOrderOfEachProducer(t *testing.T) {
	inCluster(t, nil, func(t *testing.T, r *clusterRig) {
		const each = 200
		done := make(chan error, 3)
		for _, id := range r.names {
			s := r.client(id)
			go func() {
				sender, err := s.NewSender(t.Context(), "q", nil)
				for n := 0; n < each && err == nil; n++ {
					err = sender.Send(t.Context(), amqp.NewMessage([]byte(fmt.Sprintf("%s %d", id, n))), nil)
				}
				done <- err
			}()
		}
		_, follower, _ := r.roles()
		receiver, err := r.client(follower).NewReceiver(t.Context(), "q", &amqp.ReceiverOptions{Credit: 50})
		require.NoError(t, err)
		next := map[string]int{}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for range 3 * each {
			m, err := receiver.Receive(ctx, nil)
			require.NoError(t, err)
			var from string
			var n int
			_, err = fmt.Sscanf(string(m.GetData()), "%s %d", &from, &n)
			require.NoError(t, err)
			require.Equal(t, next[from], n, "the next of %s", from)
			next[from]++
			require.NoError(t, receiver.AcceptMessage(ctx, m))
		}
		for range 3 {
			require.NoError(t, <-done)
		}
	})
}
