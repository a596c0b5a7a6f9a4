package cluster

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// load sends records from one process of a node until it is stopped.
type load struct {
	rec  *recorder
	name string // of the process: payloads are unique and in order within it
	stop context.CancelFunc
	done chan struct{} // closed when sent is what it will be
	sent uint64
}

// load begins one, which ends with the world at the latest.
func (w *groupWorld) load(m *groupMember) *load {
	ctx, stop := context.WithCancel(context.Background())
	l := &load{rec: newRecorder(), name: fmt.Sprintf("%s.%d-", m.id, m.origin), stop: stop, done: make(chan struct{})}
	w.loads = append(w.loads, l)
	b := m.Batcher()
	go func() {
		defer close(l.done)
		for {
			select {
			case <-ctx.Done():
				return
			case <-time.After(time.Millisecond):
			}
			for range 1 + rand.IntN(3) {
				l.sent++
				l.rec.enqueue(b, l.sent, fmt.Sprintf("%s%06d", l.name, l.sent))
			}
		}
	}()
	return l
}

func (l *load) end() {
	l.stop()
	<-l.done
}

// check holds what a process was told against what was applied.
func (l *load) check(t *testing.T, applied []string) (accepted int) {
	times := map[string]int{}
	last := ""
	for _, p := range applied {
		if !strings.HasPrefix(p, l.name) {
			continue
		}
		times[p]++
		require.Less(t, last, p, "in the order of its sender")
		last = p
	}
	errs := l.rec.errs(t)
	require.Len(t, errs, int(l.sent), "everyone was told")
	for token, err := range errs {
		n := times[fmt.Sprintf("%s%06d", l.name, token)]
		switch err {
		case nil:
			require.Equal(t, 1, n, "%s%06d was accepted", l.name, token)
			accepted++
		case ErrStopped:
			require.Equal(t, 0, n, "certainly not applied")
		default:
			require.LessOrEqual(t, n, 1)
		}
	}
	return accepted
}

// Nodes are killed, cut off and disconnected, and leads handed over, while all of
// them send. What is accepted is applied once, in order, on every replica; whoever
// lives is told of everything.
func TestForwardedPacksAreAppliedOnceWhateverHappens(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { faultsAndLoad(t, seed) })
	}
}

func faultsAndLoad(t *testing.T, seed uint64) {
	inWorld(t, 3, func(w *groupWorld) {
		w.quiet = true
		r := rand.New(rand.NewPCG(seed, 1))
		w.leader()
		loads := map[string]*load{}
		var all []*load
		begin := func(id string) {
			loads[id] = w.load(w.nodes[id])
			all = append(all, loads[id])
		}
		for _, id := range w.ids {
			begin(id)
		}
		for range 12 {
			id := w.ids[r.IntN(3)]
			pause := time.Duration(r.IntN(3000)) * time.Millisecond
			switch r.IntN(6) {
			case 0:
				loads[id].end()
				w.kill(id)
				time.Sleep(pause)
				w.start(id, nil)
				begin(id)
			case 1:
				w.net.Partition([]string{id}, w.ids)
				time.Sleep(pause)
				w.net.Heal()
			case 2:
				other := w.ids[r.IntN(3)]
				w.net.Block(id, other) // one way
				time.Sleep(pause)
				w.net.Heal()
			case 3:
				w.net.Cut(id, w.ids[r.IntN(3)])
			case 4:
				w.nodes[id].fsm.save()
			default:
				_ = w.leader().Transfer(context.Background(), "")
			}
			time.Sleep(time.Duration(r.IntN(500)) * time.Millisecond)
		}
		for _, l := range loads {
			l.end()
			l.rec.left.Wait()
		}
		applied := w.settle()
		require.Equal(t, len(applied), len(slices.Compact(slices.Sorted(slices.Values(applied)))), "nothing twice")
		n := 0
		for _, l := range all {
			n += l.check(t, applied)
		}
		require.Greater(t, n, 1000)
	})
}

// A leader that is cut off accepts nothing, knows within its lease that it may not
// deliver, and nobody is refused for it.
func TestALeaderThatIsCutOff(t *testing.T) {
	inWorld(t, 3, func(w *groupWorld) {
		old := w.leader()
		w.net.Partition([]string{old.id}, w.ids)
		cut := time.Now()
		rec := newRecorder()
		rec.enqueue(old.Batcher(), 1, "at the old leader")
		for old.LeaseValid(time.Now()) {
			require.Less(t, time.Since(cut), 501*time.Millisecond)
			time.Sleep(time.Millisecond)
		}
		for _, id := range w.ids {
			if m := w.nodes[id]; m != old {
				require.False(t, m.Leader(), "not before the lease is over")
			}
		}
		l := w.leader()
		require.NotEqual(t, old.id, l.id)
		rec.enqueue(l.Batcher(), 2, "at the new leader")
		time.Sleep(10 * time.Second)
		require.Equal(t, map[uint64]error{2: nil}, rec.errs(t), "the old one accepts nothing")
		require.Positive(t, old.Batcher().Backlog())
		old.mu.Lock()
		require.Equal(t, []bool{true, false}, old.leads)
		require.Empty(t, old.routes[len(old.routes)-1].Leader, "it knows that it knows nobody")
		old.mu.Unlock()
		w.net.Heal()
		rec.left.Wait()
		require.Equal(t, []string{"at the new leader", "at the old leader"}, w.settle())
	})
}
