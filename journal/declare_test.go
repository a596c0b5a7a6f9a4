package journal

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"entrepot/queue"
)

func declares(names ...string) func(b *queue.PackBuilder) {
	return func(b *queue.PackBuilder) {
		for _, name := range names {
			b.Declare(name, []byte("spec of "+name))
		}
	}
}

// answers are the replies as "status id".
func answers(a Applied) (out []string) {
	for _, r := range a.Replies {
		out = append(out, fmt.Sprintf("%v %d", r.Status, r.Queue))
	}
	return out
}

// TestDeclaresOfOneName: the first in the log makes the queue, wherever its name
// is by then: in the same pack, pending, in a round under way, in a row, or
// gone.
func TestDeclaresOfOneName(t *testing.T) {
	r := newRig(t, memOptions())
	defer func() { r.close() }()
	require.Equal(t, []string{"ok 1", "ok 2", "exists 1"}, answers(r.do(declares("a", "b", "a"))), "in one pack")
	require.Equal(t, []string{"exists 2", "ok 3"}, answers(r.do(declares("b", "c"))), "pending")
	r.spill()
	require.Equal(t, []string{"exists 1", "exists 3"}, answers(r.do(declares("a", "c"))), "in rows")
	r.do(func(b *queue.PackBuilder) { b.Delete(1) })
	require.Equal(t, []string{"ok 4"}, answers(r.do(declares("a"))), "its row is that of a queue that is gone")
	a := r.do(func(b *queue.PackBuilder) {
		b.Delete(4)
		b.Declare("a", nil)
		b.Enqueue(5, 0, 0, []byte("x"))
		b.Declare("a", nil)
	})
	require.Equal(t, []string{"ok 4", "ok 5", "ok 5", "exists 5"}, answers(a), "deleted and declared in one pack")
	require.False(t, a.AllOK)
	r.close()
	r.open()
	require.Equal(t, []string{"exists 5", "exists 2", "exists 3", "ok 6"}, answers(r.do(declares("a", "b", "c", "d"))), "after a restart")
	q, spec, ok, err := r.shard.Lookup("b")
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, queue.ID(2), q)
	require.Equal(t, "spec of b", string(spec), "who comes second changes nothing")
}

// TestDeclaresAgainstRounds: names move from memory to rows all the time while
// every name is declared twice; each is made once.
func TestDeclaresAgainstRounds(t *testing.T) {
	r := newRig(t, memOptions())
	defer r.close()
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				require.NoError(t, r.shard.round(true))
			}
		}
	})
	const names = 400
	for i := range names {
		want := fmt.Sprintf("%d", i+1)
		name := fmt.Sprintf("name-%d", i)
		require.Equal(t, []string{"ok " + want}, answers(r.do(declares(name))))
		require.Equal(t, []string{"exists " + want}, answers(r.do(declares(name))))
		if i%3 == 0 {
			again := fmt.Sprintf("name-%d", i/2)
			require.Equal(t, []string{fmt.Sprintf("exists %d", i/2+1)}, answers(r.do(declares(again))))
		}
	}
	close(stop)
	wg.Wait()
	require.EqualValues(t, names, r.shard.Totals().Queues)
}

// TestVersion1Logs: what the first release has left in its log is applied as it
// was, and what it has left in its rows is loaded.
func TestVersion1Logs(t *testing.T) {
	pack := func(count byte, records string) []byte {
		return append([]byte{1, 0, 0, 0, 0, 0, 0, count, 0, 0, 0, 0, 0, 0, 0, 9}, records...)
	}
	r := newRig(t, memOptions())
	defer func() { r.close() }()
	a, err := r.try(pack(2,
		"\x04\x01\x00\x00\x00\x08\x00\x00\x00\x05\x00\x01qS"+
			"\x01\x01\x00\x00\x00\x10\x00\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00\x00\x00one"))
	require.NoError(t, err)
	require.Equal(t, []string{"ok 5", "ok 5"}, answers(a))
	require.True(t, a.AllOK)
	again := pack(1, "\x04\x01\x00\x00\x00\x08\x00\x00\x00\x05\x00\x01qS")
	a, err = r.try(again)
	require.NoError(t, err)
	require.Equal(t, queue.PackFresh, a.Verdict, "without an origin every pack is")
	require.Equal(t, []string{"exists 5"}, answers(a))
	require.Equal(t, []string{"exists 5", "ok 6"}, answers(r.do(declares("q", "r"))))
	r.crash(0, nil)
	require.Equal(t, []string{"one"}, payloads(r.all(5, 10)))
	r.flush()
	r.close()
	r.open()
	require.Equal(t, []string{"one"}, payloads(r.all(5, 10)))
	require.Equal(t, []string{"exists 5", "exists 6"}, answers(r.do(declares("q", "r"))))
}
