package journal

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"entrepot/queue"
)

func TestMessagesAreFoundWhereverTheyAre(t *testing.T) {
	r := newRig(t, memOptions())
	defer func() { r.close() }()
	r.declare(1)
	r.enqueue(1, "a", "b", "c")
	require.Equal(t, []string{"a", "b", "c"}, payloads(r.all(1, 2)), "from the window")
	r.spill()
	require.Zero(t, r.shard.WindowBytes(), "the window is empty after a spill of everything")
	require.Equal(t, []string{"a", "b", "c"}, payloads(r.all(1, 2)), "from Q keys")
	r.enqueue(1, "d", "e")
	require.Equal(t, []string{"a", "b", "c", "d", "e"}, payloads(r.all(1, 2)), "from both")
	r.remove(1, 2, 3)
	require.Equal(t, []string{"a", "e"}, payloads(r.all(1, 10)), "what is settled is in neither")
	r.spill()
	require.Equal(t, []string{"a", "e"}, payloads(r.all(1, 10)))
	r.close()
	r.open()
	require.Equal(t, []string{"a", "e"}, payloads(r.all(1, 10)), "after a restart")
	r.enqueue(1, "f")
	require.Equal(t, queue.Seq(6), r.all(1, 10)[2].Seq, "sequence numbers go on after a restart")
}

// What a replica has not heard of yet is not taken for removed.
func TestRemoved(t *testing.T) {
	r := newRig(t, memOptions())
	defer r.close()
	require.False(t, r.shard.Removed(1, 1), "the queue is not known yet")
	r.declare(1)
	r.enqueue(1, "a", "b", "c")
	r.remove(1, 1, 2)
	require.True(t, r.shard.Removed(1, 1))
	require.True(t, r.shard.Removed(1, 2))
	require.False(t, r.shard.Removed(1, 3), "it is there")
	require.False(t, r.shard.Removed(1, 4), "it is not there yet")
}

func TestSettledBeforeTheSpillLeavesNoBody(t *testing.T) {
	r := newRig(t, memOptions())
	defer r.close()
	r.declare(1)
	r.enqueue(1, strings.Repeat("x", 1000))
	r.remove(1, 1, 1)
	r.spill()
	require.Empty(t, r.keys(kindMessage), "a body that died in the window is never written to a Q key")
}

func TestSettledBodiesAreCleared(t *testing.T) {
	r := newRig(t, memOptions())
	defer r.close()
	r.declare(1)
	r.enqueue(1, "a", "b", "c", "d")
	r.spill()
	r.remove(1, 1, 1)
	r.remove(1, 3, 1)
	require.Len(t, r.keys(kindMessage), 4, "clearing waits for the next round")
	r.spill()
	require.Equal(t, []string{"Q 0.1 q1 #2", "Q 0.1 q1 #4"}, r.keys(kindMessage))
	require.Equal(t, []string{"b", "d"}, payloads(r.all(1, 10)))
}

func TestDeletedQueueLeavesNoRows(t *testing.T) {
	r := newRig(t, memOptions())
	defer func() { r.close() }()
	r.declare(1)
	r.enqueue(1, "a", "b", "c")
	r.remove(1, 2, 1) // makes a page of its live set
	r.do(func(b *queue.PackBuilder) { b.Modify(1, 1, 3, []byte("n")) })
	r.spill()
	r.do(func(b *queue.PackBuilder) { b.Delete(1) })
	_, _, ok, err := r.shard.Lookup(queueName(1))
	require.NoError(t, err)
	require.False(t, ok, "deleted at once, rows or not")
	r.do(func(b *queue.PackBuilder) { b.Declare(queueName(1), []byte("again")) })
	r.spill()
	for _, kind := range []byte{kindID, kindHead, kindPage, kindModified, kindMessage} {
		for _, k := range r.keys(kind) {
			require.Contains(t, k, " q2", "only the new queue has rows")
		}
	}
	q, spec, ok, err := r.shard.Lookup(queueName(1))
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, queue.ID(2), q)
	require.Equal(t, "again", string(spec))
}

func TestModificationsSurviveEveryMove(t *testing.T) {
	r := newRig(t, memOptions())
	defer func() { r.close() }()
	r.declare(1)
	r.enqueue(1, "a", "b")
	modify := func(count uint32, annotations string) {
		r.do(func(b *queue.PackBuilder) { b.Modify(1, 2, count, []byte(annotations)) })
	}
	check := func(count uint32, annotations, why string) {
		t.Helper()
		m := r.all(1, 10)[1]
		require.Equal(t, count, m.DeliveryCount, why)
		require.Equal(t, annotations, string(m.Annotations), why)
	}
	modify(1, "first")
	check(1, "first", "in the window, pending")
	modify(2, "")
	check(2, "first", "no annotations leaves the earlier ones")
	r.rowsOnly()
	check(2, "first", "in the window, with an M row")
	modify(3, "")
	check(3, "first", "in the window, pending over an M row")
	r.close()
	r.open()
	check(3, "first", "after a restart")
	r.spill()
	modify(4, "")
	check(4, "first", "spilled, pending over an M row")
	r.spill()
	check(4, "first", "spilled, the row has inherited")
	modify(5, "second")
	r.spill()
	r.close()
	r.open()
	check(5, "second", "after another restart")
	modify(4, "late")
	check(5, "late", "an earlier leader's is applied late: pending over an M row")
	modify(3, "")
	check(5, "late", "and again, in the same map")
	r.spill()
	check(5, "late", "spilled")
	r.close()
	r.open()
	check(5, "late", "after a restart")
	r.remove(1, 2, 1)
	r.spill()
	require.Empty(t, r.keys(kindModified), "gone with its message")
}

func TestNames(t *testing.T) {
	r := newRig(t, memOptions())
	defer func() { r.close() }()
	for q := queue.ID(1); q <= 5; q++ {
		r.declare(q)
		if q == 3 {
			r.spill()
		}
	}
	names := func(prefix, after string, limit int) []string {
		l, err := r.shard.List(prefix, after, limit)
		require.NoError(t, err)
		var out []string
		for _, d := range l {
			out = append(out, d.Name)
		}
		return out
	}
	require.Equal(t, []string{"queue/0001", "queue/0002", "queue/0003", "queue/0004", "queue/0005"}, names("", "", 10))
	require.Equal(t, []string{"queue/0003", "queue/0004"}, names("queue/", "queue/0002", 2), "rows and pending, merged")
	require.Empty(t, names("other", "", 10))
	r.do(func(b *queue.PackBuilder) { b.Update(2, []byte("new")); b.Delete(3); b.Delete(4) })
	require.Equal(t, []string{"queue/0001", "queue/0002", "queue/0005"}, names("", "", 10))
	check := func() {
		_, spec, ok, err := r.shard.Lookup("queue/0002")
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, "new", string(spec))
		name, err := r.shard.Name(5)
		require.NoError(t, err)
		require.Equal(t, "queue/0005", name)
		_, err = r.shard.Name(4)
		require.ErrorIs(t, err, ErrNotFound)
	}
	check()
	r.spill()
	check()
	r.close()
	r.open()
	check()
	require.Equal(t, queue.ID(6), r.shard.machine.NextID(), "ids are not used again")
}

func TestEventsOfActiveQueues(t *testing.T) {
	r := newRig(t, memOptions())
	defer r.close()
	r.declare(1)
	r.declare(2)
	_, ok := r.shard.SetActive(1, true)
	require.True(t, ok)
	_, ok = r.shard.SetActive(9, true)
	require.False(t, ok, "there is no such queue")
	a := r.do(func(b *queue.PackBuilder) {
		b.Enqueue(1, 0, queue.FlagDurable, []byte("seen"))
		b.Enqueue(2, 0, 0, []byte("not seen"))
		b.Enqueue(9, 0, 0, []byte("nowhere"))
		b.Remove(1, queue.Expired, []queue.Run{{First: 1, Count: 1, Bytes: 4}})
	})
	require.Equal(t, 4, a.Records)
	require.False(t, a.AllOK)
	require.Equal(t, queue.NoQueue, a.Replies[2].Status)
	require.Len(t, a.Events, 2)
	require.Equal(t, "seen", string(a.Events[0].Message.Payload))
	require.Equal(t, queue.FlagDurable, a.Events[0].Message.Flags)
	require.Equal(t, queue.Expired, a.Events[1].Reason)
	require.Equal(t, queue.Seq(1), a.Events[1].Runs[0].First)
	a, err := r.shard.Apply(r.next-1, nil)
	require.NoError(t, err)
	require.True(t, a.Skipped, "an index that was applied is not looked at")
}

func TestDue(t *testing.T) {
	r := newRig(t, memOptions())
	defer func() { r.close() }()
	r.declare(1)
	put := func(deadlines ...int64) {
		r.do(func(b *queue.PackBuilder) {
			for _, d := range deadlines {
				b.Enqueue(1, d, 0, []byte("xx"))
			}
		})
	}
	due := func(now int64, limit int) ([]DueRun, int64) {
		t.Helper()
		runs, upTo, err := r.shard.Due(now, limit, nil)
		require.NoError(t, err)
		return runs, upTo
	}
	run := func(first queue.Seq, n uint32) DueRun {
		return DueRun{1, queue.Run{First: first, Count: n, Bytes: 2 * uint64(n)}}
	}
	put(100, 0, 50, 50, 300) // 1..5
	r.spill()
	put(60, 400) // 6, 7
	runs, upTo := due(49, 10)
	require.Empty(t, runs)
	require.EqualValues(t, 49, upTo)
	runs, upTo = due(100, 10)
	require.Equal(t, []DueRun{run(6, 1), run(3, 2), run(1, 1)}, runs, "window, then rows by deadline")
	require.EqualValues(t, 100, upTo)
	runs, upTo = due(100, 2)
	require.Equal(t, []DueRun{run(6, 1), run(3, 1)}, runs, "bounded")
	require.EqualValues(t, 49, upTo, "and complete only before the first it left out")

	r.do(func(b *queue.PackBuilder) {
		b.Remove(1, queue.Expired, []queue.Run{{First: 6, Count: 1}, {First: 3, Count: 2}})
		b.Expire(100, []queue.Ref{{Queue: 1, Seq: 1}})
	})
	runs, _ = due(100, 10)
	require.Empty(t, runs, "what was excepted is not given again")
	r.spill()
	require.Len(t, r.keys(kindDeadline), 3, "swept rows are gone, the exception's and the future's stay")
	r.shard.RestartDue()
	runs, _ = due(100, 10)
	require.Equal(t, []DueRun{run(1, 1)}, runs, "a new leader looks at the exceptions")
	r.close()
	r.open()
	runs, _ = due(100, 10)
	require.Equal(t, []DueRun{run(1, 1)}, runs, "and so does a restart")
	runs, _ = due(1000, 10)
	require.Equal(t, []DueRun{run(1, 1), run(5, 1), run(7, 1)}, runs)
}

func TestDueOfWhatIsSpilledBehindTheSweep(t *testing.T) {
	r := newRig(t, memOptions())
	defer r.close()
	r.declare(1)
	r.do(func(b *queue.PackBuilder) { b.Enqueue(1, 50, 0, []byte("x")) })
	r.do(func(b *queue.PackBuilder) { b.Expire(100, []queue.Ref{{Queue: 1, Seq: 1}}) })
	r.spill()
	runs, _, err := r.shard.Due(100, 10, nil)
	require.NoError(t, err)
	require.Len(t, runs, 1, "its row is behind the last sweep and is still found")
}

func TestLoadLimits(t *testing.T) {
	r := newRig(t, memOptions())
	defer r.close()
	r.declare(1)
	r.enqueue(1, "0123456789", "0123456789", "0123456789")
	for _, where := range []string{"window", "disk"} {
		l, err := r.shard.Load(1, 0, 10, 15, nil)
		require.NoError(t, err)
		require.Len(t, l.Messages, 2, "%s: up to the message that goes over the bytes", where)
		require.Equal(t, queue.Seq(3), l.Next)
		l, err = r.shard.Load(1, 2, 1, 0, nil)
		require.NoError(t, err)
		require.Len(t, l.Messages, 1, "%s: at least one", where)
		require.Equal(t, r.shard.AppliedIndex(), l.Applied)
		l, err = r.shard.Load(1, 4, 10, 100, nil)
		require.NoError(t, err)
		require.Empty(t, l.Messages)
		require.Equal(t, queue.Seq(4), l.Next)
		r.spill()
	}
	l, err := r.shard.Load(99, 1, 1, 1, nil)
	require.NoError(t, err)
	require.Empty(t, l.Messages, "no such queue")
}
