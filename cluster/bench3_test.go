package cluster

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"

	"entrepot/cluster/mesh"
)

// noStreams is for groups whose log is never cut off.
type noStreams struct{ Streams }

func (noStreams) OriginSeq(uint64) (uint64, bool) { return 0, true }

func (noStreams) StateBytes() uint64 { return 0 }

// benchNodes are three nodes over TCP, with a disk each.
func benchNodes(b *testing.B) (all []*Group) {
	var listeners []net.Listener
	ids := []string{"n1", "n2", "n3"}
	for range ids {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(b, err)
		listeners = append(listeners, l)
	}
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	for i, id := range ids {
		m, err := mesh.New(mesh.Config{Node: id, Incarnation: uint64(i + 1), Listener: listeners[i], Urgent: UrgentChannels(), Logger: quiet})
		require.NoError(b, err)
		hub := NewHub(m)
		for j, other := range ids {
			if j != i {
				m.SetAddress(other, listeners[j].Addr().String())
			}
		}
		m.Start()
		l := newDiskLog(b)
		g, err := open(Config{
			NodeID: id, Hub: hub, Origin: uint64(i + 1), Voters: ids, Stable: raft.NewInmemStore(),
			Streams: noStreams{}, FSM: &countFSM{}, Logger: quiet,
		}, l, memMarks{l.memLog})
		require.NoError(b, err)
		b.Cleanup(func() {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			_ = g.Stop(ctx)
			m.Close()
		})
		all = append(all, g)
	}
	return all
}

// BenchmarkThreeNodes is what replication costs, all three nodes in one process, for
// clients of the leader and of a follower.
func BenchmarkThreeNodes(b *testing.B) {
	for _, at := range []string{"leader", "follower"} {
		for _, inFlight := range []int{1, 256, 1024} {
			b.Run(fmt.Sprintf("at=%s/inflight=%d", at, inFlight), func(b *testing.B) {
				all := benchNodes(b)
				benchGroup(b, chosen(b, all, at == "leader"), inFlight)
			})
		}
	}
}

// chosen waits for a leader that all know.
func chosen(b *testing.B, all []*Group, leader bool) (g *Group) {
	require.Eventually(b, func() bool {
		i := slices.IndexFunc(all, (*Group).Leader)
		if i < 0 || slices.ContainsFunc(all, func(g *Group) bool { return g.Stats().LeaderID != all[i].cfg.NodeID }) {
			return false
		}
		if !leader {
			i = (i + 1) % len(all)
		}
		g = all[i]
		return true
	}, time.Minute, 10*time.Millisecond)
	return g
}

func benchGroup(b *testing.B, g *Group, inFlight int) {
	payload := make([]byte, 1024)
	senders := min(inFlight, 8)
	all := make([]*sender, senders)
	warm := newSender(1)
	warm.run(g.Batcher(), 1, payload)
	warm.wait(1)
	base := g.Stats().Totals
	var before, after syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &before)
	b.ReportAllocs()
	b.ResetTimer()
	var wg sync.WaitGroup
	for i := range all {
		all[i] = newSender(inFlight / senders)
		wg.Go(func() {
			all[i].run(g.Batcher(), max(b.N/senders, 1), payload)
			all[i].wait(inFlight / senders)
		})
	}
	wg.Wait()
	b.StopTimer()
	syscall.Getrusage(syscall.RUSAGE_SELF, &after)
	t := g.Stats().Totals
	n := float64(t.Records - base.Records)
	b.ReportMetric(n/b.Elapsed().Seconds(), "msg/s")
	b.ReportMetric(n/float64(t.Packs-base.Packs), "msg/pack")
	b.ReportMetric(float64(cpu(after)-cpu(before))/float64(time.Microsecond)/n, "cpu-us/msg")
	if lat := all[0].latency; len(lat) > 0 {
		slices.Sort(lat)
		b.ReportMetric(float64(lat[len(lat)/2].Microseconds()), "p50-us")
		b.ReportMetric(float64(lat[len(lat)*99/100].Microseconds()), "p99-us")
	}
}
