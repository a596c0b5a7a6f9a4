package broker

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"entrepot/broker/admin"
	"entrepot/broker/config"
)

func TestAwaitLooksOnlyWhenThereIsNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(shard)
		looks, there := 0, false
		done := make(chan error, 1)
		await := func() {
			looks = 0
			done <- s.await(t.Context(), func() (bool, error) { looks++; return there, nil })
		}
		go await()
		<-time.After(replicaPatience / 2)
		synctest.Wait()
		require.Equal(t, 2, looks, "at once, and again when it was sure to hear of what comes")
		s.news.tell()
		synctest.Wait()
		require.Equal(t, 3, looks, "something has changed, but not what it waits for")
		there = true
		s.news.tell()
		require.NoError(t, <-done)
		require.Equal(t, 4, looks)

		there = false
		begin := time.Now()
		go await()
		require.ErrorIs(t, <-done, context.DeadlineExceeded, "nothing comes")
		require.Equal(t, replicaPatience, time.Since(begin))
	})
}

// Who waits for a fact of a replica that turns out to be damaged is told so at once.
func TestAwaitOfADamagedReplica(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shard{}
		b := &Broker{}
		b.shardList.Store(&[]*shard{s})
		done := make(chan error, 1)
		go func() {
			done <- s.await(t.Context(), func() (bool, error) {
				if s.repairing.Load() {
					return false, errRepairing
				}
				return false, nil
			})
		}()
		synctest.Wait()
		begin := time.Now()
		b.repair(s.id, true)
		require.ErrorIs(t, <-done, errRepairing)
		require.Zero(t, time.Since(begin))
	})
}

// Every node answers a declaration when its own replica has it, whoever leads: what
// was declared can be read there, and is not waited for longer than a leader's next
// message takes.
func TestManyDeclaresAtEveryNode(t *testing.T) {
	three := func(_ string, cfg *config.Config, _ *Surroundings) { cfg.Cluster.Shards = 3 }
	inCluster(t, three, func(t *testing.T, r *clusterRig) {
		const each = 100
		begin, failed := time.Now(), make(chan error, each*len(r.names))
		for _, id := range r.names {
			for i := range each {
				go func() {
					name := fmt.Sprintf("%s/%d", id, i)
					q, created, err := r.nodes[id].Declare(t.Context(), name, admin.Declaration{})
					if err == nil && (q.Name != name || !created) {
						err = fmt.Errorf("%q: it is %q, created: %v", name, q.Name, created)
					}
					failed <- err
				}()
			}
		}
		for range each * len(r.names) {
			require.NoError(t, <-failed)
		}
		require.Less(t, time.Since(begin), time.Second)
		for _, id := range r.names {
			r.until(id+" has all of them", func() bool { return r.nodes[id].totals().Queues == each*uint64(len(r.names)) })
		}
	})
}

// A declaration that comes while it is looked for is no deletion.
func TestANewQueueIsNotDeleted(t *testing.T) {
	b := startBroker(t, testConfig(t.TempDir()))
	s := b.shards()[0]
	const queues = 300
	first := s.journal.NextID()
	done := make(chan error, 1)
	go func() {
		for i := range queues {
			if _, _, err := b.Declare(t.Context(), fmt.Sprint("q", i), admin.Declaration{}); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	for id := first; id < first+queues; id++ {
		for known := false; !known; known = id < s.journal.NextID() {
			require.False(t, s.deleted(id))
		}
	}
	require.NoError(t, <-done)
}
