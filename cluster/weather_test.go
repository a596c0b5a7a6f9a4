package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"entrepot/journal"
)

// Disks that fail or are slow, and links that carry one way only: what becomes of the
// group, and of who sends.

// sendSome sends n records from a node, numbered from first, and gives how long it
// took until the last one was answered.
func sendSome(m *groupMember, rec *recorder, first, n int) time.Duration {
	began := time.Now()
	for i := first; i < first+n; i++ {
		rec.enqueue(m.Batcher(), uint64(i), fmt.Sprintf("%s-%06d", m.id, i))
	}
	rec.left.Wait()
	return time.Since(began)
}

// allAccepted: none of the recorder's records was answered with an error.
func allAccepted(t *testing.T, rec *recorder) {
	t.Helper()
	for token, err := range rec.errs(t) {
		require.NoError(t, err, token)
	}
}

// A write of the log that fails ends that node's part, whether it leads or follows:
// it is told once, and not tried again. The others go on, and when the node is back
// on a disk that works it gets what it lacks.
func TestAFailedFsyncEndsOneNode(t *testing.T) {
	for _, role := range []string{"leader", "follower"} {
		t.Run(role, func(t *testing.T) {
			fatal := make(chan string, 4)
			inWorld(t, 3, func(w *groupWorld) {
				w.quiet = true
				bad := w.leader()
				if role == "follower" {
					bad = w.follower()
				}
				var writes atomic.Int32
				bad.log.weather(func([]journal.Entry) error {
					writes.Add(1)
					return errors.New("input/output error")
				})
				var good *groupMember
				for _, m := range w.nodes {
					if m != bad {
						good = m
					}
				}
				rec := newRecorder()
				sendSome(good, rec, 1, 50)
				require.Equal(t, bad.id, <-fatal)
				require.False(t, bad.Leader())
				require.EqualValues(t, 1, writes.Load(), "what failed is not tried again")
				sendSome(good, rec, 51, 50)
				allAccepted(t, rec)

				w.kill(bad.id)
				bad.log.weather(nil)
				w.start(bad.id, nil)
				require.Len(t, w.settle(), 100)
				require.Empty(t, fatal, "told once")
			}, func(c *Config) {
				c.OnFatal = func(error) { fatal <- c.NodeID }
			})
		})
	}
}

// A follower whose disk takes seconds holds up nobody; it lags, says so, and catches up.
func TestASlowDiskOfAFollower(t *testing.T) {
	inWorld(t, 3, func(w *groupWorld) {
		w.quiet = true
		l, slow := w.leader(), w.follower()
		slow.log.weather(func([]journal.Entry) error { <-time.After(2 * time.Second); return nil })
		rec := newRecorder()
		require.Less(t, sendSome(l, rec, 1, 500), 200*time.Millisecond)
		lag := uint64(0)
		for _, f := range l.Stats().Followers {
			if f.ID == slow.id {
				lag = f.LagEntries
			}
		}
		require.Positive(t, lag)
		require.True(t, l.Leader())
		allAccepted(t, rec)
		require.Len(t, w.settle(), 500)
	})
}

// A leader whose disk is slow leads on, slowly; when it has handed the lead over, all is
// fast again.
func TestASlowDiskOfTheLeader(t *testing.T) {
	inWorld(t, 3, func(w *groupWorld) {
		w.quiet = true
		slow := w.leader()
		const fsync = 300 * time.Millisecond
		slow.log.weather(func([]journal.Entry) error { <-time.After(fsync); return nil })
		rec := newRecorder()
		for i := range 10 {
			require.Less(t, sendSome(slow, rec, 1+i, 1), 3*fsync)
		}
		require.True(t, slow.Leader(), "slow is not gone")
		require.NoError(t, slow.Transfer(context.Background(), ""))
		next := w.leader()
		require.NotEqual(t, slow.id, next.id)
		require.Less(t, sendSome(next, rec, 11, 100), fsync)
		allAccepted(t, rec)
		require.Len(t, w.settle(), 110)
	})
}

// A follower that hears nothing, but is heard, disturbs nobody: the others don't vote
// for it while they hear a leader (pre-vote), so the term stays.
func TestAFollowerThatHearsNothing(t *testing.T) {
	inWorld(t, 3, func(w *groupWorld) {
		w.quiet = true
		l, deaf := w.leader(), w.follower()
		term := l.Stats().Term
		for _, id := range w.ids {
			if id != deaf.id {
				w.net.Block(id, deaf.id)
			}
		}
		rec := newRecorder()
		for i := range 30 {
			sendSome(l, rec, 1+i, 1)
			<-time.After(time.Second)
		}
		require.True(t, l.Leader())
		w.net.Heal()
		require.Len(t, w.settle(), 30)
		require.Equal(t, term, w.leader().Stats().Term)
		allAccepted(t, rec)
	})
}

// A leader that is not heard of leads on in nobody's eyes, its own included; so does
// one that hears of nobody. Another one leads soon: its election begins when the old
// one's lease is over, and so half a second later than that of one that died. What the
// old one has been given is accepted once, later.
func TestALeaderWithOneWayLinks(t *testing.T) {
	for _, way := range []string{"is not heard", "hears nothing"} {
		t.Run(way, func(t *testing.T) {
			inWorld(t, 3, func(w *groupWorld) {
				w.quiet = true
				old := w.leader()
				for _, id := range w.ids {
					switch {
					case id == old.id:
					case way == "is not heard":
						w.net.Block(old.id, id)
					default:
						w.net.Block(id, old.id)
					}
				}
				cut, rec, elsewhere := time.Now(), newRecorder(), newRecorder()
				rec.enqueue(old.Batcher(), 1, "kept")
				var next *groupMember
				eventually(t, "another one leads", func() bool {
					for _, m := range w.nodes {
						if m != old && m.Leader() {
							next = m
						}
					}
					return next != nil
				})
				require.Less(t, time.Since(cut), 4*time.Second)
				require.False(t, old.LeaseValid(time.Now()))
				sendSome(next, elsewhere, 2, 10)
				allAccepted(t, elsewhere)
				w.net.Heal()
				rec.left.Wait()
				allAccepted(t, rec)
				require.Len(t, w.settle(), 11)
			})
		})
	}
}
