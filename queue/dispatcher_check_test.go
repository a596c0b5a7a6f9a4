package queue

import (
	"fmt"

	"github.com/stretchr/testify/require"
)

// checkDispatcher holds the invariants that are written at the Dispatcher's
// types against all that it has. It costs O(everything).
func checkDispatcher(t require.TestingT, d *Dispatcher) {
	var stats DispatcherStats
	for q, r := range d.runtimes {
		require.Equal(t, q, r.q)
		require.False(t, r.idle(), "an idle runtime is kept")
		checkRuntime(t, d, r, &stats)
	}
	consumers := 0
	for _, r := range d.runtimes {
		consumers += len(r.consumers) + len(r.browsers)
	}
	require.Equal(t, consumers, len(d.consumers))
	require.Equal(t, stats.Acquired, d.stats.Acquired, "count of what is out")
	require.Equal(t, stats.BufferedMessages, d.stats.BufferedMessages, "count of what is buffered")
	require.Equal(t, stats.BufferedBytes, d.stats.BufferedBytes, "bytes of what is buffered")
}

func checkRuntime(t require.TestingT, d *Dispatcher, r *runtime, stats *DispatcherStats) {
	open, opened := map[Seq]int{}, map[ConsumerID]int{}
	for _, m := range r.modifies.all() {
		open[m.seq]++
		if !m.late {
			opened[m.consumer]++
		}
	}
	listed := map[*entry]string{}
	note := func(e *entry, where string) {
		require.Empty(t, listed[e], "seq %d is in two lists", e.seq)
		require.Same(t, e, r.table.get(e.seq), "seq %d is listed but not in the table", e.seq)
		listed[e] = where
	}
	messages, bytes := 0, 0
	for _, l := range []*entryList{&r.ready, &r.restricted} {
		n, last := 0, Seq(0)
		for e := l.first; e != nil; e = e.next {
			note(e, "waiting")
			require.Greater(t, e.seq, last, "the order of what waits")
			require.Equal(t, ready, e.state)
			require.Nil(t, e.holder)
			require.Equal(t, l == &r.restricted, e.only != nil)
			require.Less(t, e.seq, r.loadPos)
			require.False(t, e.late)
			if e.loaded {
				messages++
				bytes += e.size
			} else {
				require.Nil(t, e.payload, "a stub holds the store's memory")
			}
			last = e.seq
			n++
		}
		require.Equal(t, n, l.n)
	}
	require.Equal(t, messages, r.bufMessages)
	require.Equal(t, bytes, r.bufBytes)
	if len(r.consumers) == 0 {
		require.Zero(t, r.ready.n+r.restricted.n, "ready without consumers")
		require.Zero(t, r.load)
	}
	draining, window := 0, 0
	for _, c := range r.consumers {
		window += c.window
		require.Same(t, c, d.consumers[c.id])
		require.Equal(t, c.mayTake(), c.hungry, "the ring of the hungry")
		require.Equal(t, c.out.n+opened[c.id], int(c.unsettled), "what is out, and what is modified and not confirmed")
		require.LessOrEqual(t, c.unsettled, c.opts.MaxUnsettled)
		if c.draining {
			draining++
		}
		for e := c.out.first; e != nil; e = e.next {
			note(e, "out")
			require.Same(t, c, e.holder)
			require.Contains(t, []entryState{acquired, gone, settling}, e.state)
		}
		for e := r.restricted.first; e != nil && e.seq < c.clearBelow; e = e.next {
			require.False(t, e.only.admits(c, d.now) && e.only.cool == 0, "clearBelow hides seq %d", e.seq)
		}
	}
	for _, b := range r.browsers {
		if b.draining {
			draining++
		}
	}
	require.Equal(t, draining, r.draining)
	require.Equal(t, window, r.window)
	for seq, u := range r.unknown {
		require.Nil(t, r.table.get(seq), "%d is known", seq)
		require.NotEmpty(t, u.claims)
		require.True(t, r.peek != 0 || r.stalledUntil != 0, "nothing brings %d", seq)
	}
	late, claimed := 0, 0
	for _, e := range r.table.appendAll(nil) {
		if e.state != ready {
			stats.Acquired++
			require.Nil(t, e.payload, "a message that is out holds the store's memory")
		}
		if e.holder == nil && e.state != ready {
			require.Contains(t, []entryState{settling, parked}, e.state, fmt.Sprint("without a holder: ", e.seq))
			listed[e] = "orphan"
		}
		require.Equal(t, open[e.seq], int(e.modifies), "open Modifies of %d", e.seq)
		if e.state == parked {
			require.Positive(t, e.modifies, "the store knows all of %d", e.seq)
			require.Nil(t, e.only)
		}
		if e.state != ready || !e.loaded {
			require.True(t, e.ours || e.annotate == nil, "annotations are the store's memory")
		}
		require.NotEmpty(t, listed[e], "seq %d is in no list", e.seq)
		if r.claimed(e) {
			claimed++
			require.Contains(t, []entryState{acquired, gone, settling}, e.state, "settled late: ", e.seq)
			require.False(t, e.state == gone && e.recall == withClient, "nothing is left to wait for")
		}
		if e.state == acquired && r.claimed(e) || e.state == gone && r.claimed(e) {
			require.NotEqual(t, notRecalled, e.recall, "%d is not asked back", e.seq)
		}
		if e.late {
			late++
		}
	}
	require.Equal(t, late, r.late)
	require.Len(t, r.claims, claimed)
	require.Equal(t, len(listed), r.table.n)
	stats.BufferedMessages += messages
	stats.BufferedBytes += bytes
}
