package broker

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/go-amqp"
	"github.com/stretchr/testify/require"

	"entrepot/broker/admin"
	"entrepot/broker/config"
	"entrepot/protocol/amqp/wire"
)

// declaredOnly makes no queues on use.
func declaredOnly(_ string, cfg *config.Config, _ *Surroundings) {
	p := config.DefaultPolicy("#")
	p.Create = config.CreateDeclared
	cfg.Policies = []config.Policy{p}
}

// Who has declared a queue by way of one node finds it at every other one, at once: by a
// link, and by the admin interface, which also deletes it there.
func TestADeclaredQueueIsFoundAtEveryNode(t *testing.T) {
	inCluster(t, declaredOnly, func(t *testing.T, r *clusterRig) {
		sessions := map[string]*amqp.Session{}
		for _, id := range r.names {
			sessions[id] = r.client(id)
		}
		for _, at := range r.names {
			for _, from := range r.names {
				name := fmt.Sprintf("by link/%s/%s", at, from)
				_, created, err := r.nodes[at].Declare(t.Context(), name, admin.Declaration{})
				require.NoError(t, err)
				require.True(t, created)
				_, err = sessions[from].NewSender(t.Context(), name, nil)
				require.NoError(t, err, "declared at %s, attached to at %s", at, from)

				name = fmt.Sprintf("by admin/%s/%s", at, from)
				_, _, err = r.nodes[at].Declare(t.Context(), name, admin.Declaration{})
				require.NoError(t, err)
				_, err = r.nodes[from].Queue(t.Context(), name)
				require.NoError(t, err, "declared at %s, looked up at %s", at, from)

				name = fmt.Sprintf("deleted/%s/%s", at, from)
				_, _, err = r.nodes[at].Declare(t.Context(), name, admin.Declaration{})
				require.NoError(t, err)
				_, err = r.nodes[from].Delete(t.Context(), name)
				require.NoError(t, err, "declared at %s, deleted at %s", at, from)
			}
		}
		for _, id := range r.names {
			_, err := sessions[id].NewSender(t.Context(), "never declared", nil)
			var refused *amqp.Error
			require.ErrorAs(t, err, &refused)
			require.EqualValues(t, wire.CondNotFound, refused.Condition)
			_, err = r.nodes[id].Queue(t.Context(), "never declared")
			require.ErrorIs(t, err, admin.ErrNotFound)
		}
	})
}

// A node that hears from no leader does not know that there is no such queue, and says so:
// clients take "not found" for an answer. It serves what it knows.
func TestACutOffNodeDoesNotSayThatThereIsNoQueue(t *testing.T) {
	inCluster(t, declaredOnly, func(t *testing.T, r *clusterRig) {
		_, cut, third := r.roles()
		_, _, err := r.nodes[cut].Declare(t.Context(), "before", admin.Declaration{})
		require.NoError(t, err)
		s := r.client(cut)
		r.cutOff(cut)
		_, _, err = r.nodes[third].Declare(t.Context(), "meanwhile", admin.Declaration{})
		require.NoError(t, err)

		_, err = r.nodes[cut].Queue(t.Context(), "meanwhile")
		require.ErrorIs(t, err, admin.ErrUnavailable)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		_, err = s.NewReceiver(ctx, "meanwhile", nil)
		var refused *amqp.Error
		require.ErrorAs(t, err, &refused)
		require.EqualValues(t, wire.CondInternalError, refused.Condition)
		require.Contains(t, refused.Description, "hears from no leader")
		_, err = s.NewReceiver(ctx, "before", nil)
		require.NoError(t, err)

		r.net.Heal()
		r.untilReady(cut)
		_, err = s.NewReceiver(ctx, "meanwhile", nil)
		require.NoError(t, err)
	})
}

// Who asks while a round runs is answered by the next one, however many they are.
func TestManyWhoAskShareARound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var rounds atomic.Int32
		end := make(chan error)
		l := level{spawn: func(f func()) { go f() }, reach: func() error {
			rounds.Add(1)
			return <-end
		}}
		answers := make(chan error, 101)
		ask := func(ctx context.Context) { answers <- l.await(ctx) }
		go ask(t.Context())
		synctest.Wait()
		for range 100 {
			go ask(t.Context())
		}
		synctest.Wait()
		end <- nil
		require.NoError(t, <-answers, "the first")
		synctest.Wait()
		require.Empty(t, answers, "the others asked after that round had begun")
		fault := errors.New("no leader")
		end <- fault
		for range 100 {
			require.Equal(t, fault, <-answers)
		}
		require.EqualValues(t, 2, rounds.Load())

		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, l.await(ctx), errNotLevel)
		end <- nil
	})
}
