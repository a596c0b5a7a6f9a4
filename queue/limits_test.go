package queue

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func attached(cfg DispatcherConfig, opts AttachOptions, tail Seq) *Dispatcher {
	d := NewDispatcher(cfg)
	d.Attach(1, 1, opts, Snapshot{State: State{Head: 1, Tail: tail}})
	return d
}

func deliveries(d *Dispatcher) (n int) {
	for _, e := range d.Effects() {
		if e.Kind == EffectDeliver {
			n++
		}
	}
	return n
}

// TestExclusionIsBounded: a consumer that refuses everything "here" gets no more
// after MaxExcluded messages, until others have taken some of them.
func TestExclusionIsBounded(t *testing.T) {
	d := attached(DispatcherConfig{}, AttachOptions{}, 1)
	d.SetLimit(1, 1<<40)
	for s := Seq(1); s <= MaxExcluded; s++ {
		d.Enqueued(1, []Message{{Seq: s}})
		d.Outcome(1, s, 0, Outcome{Kind: Modified, Here: true})
	}
	require.Equal(t, MaxExcluded, deliveries(d))
	d.Enqueued(1, []Message{{Seq: MaxExcluded + 1}})
	require.Zero(t, deliveries(d), "it has refused too many")
	d.Removed(1, []Run{{First: 1, Count: 1}})
	require.Equal(t, 1, deliveries(d), "one of them is gone")
	checkDispatcher(t, d)
}

// TestTombsAreBounded: more removals than are remembered, while a load is under
// way: its result is thrown away and asked for again, and nothing dead goes out.
func TestTombsAreBounded(t *testing.T) {
	d := attached(DispatcherConfig{}, AttachOptions{}, 4*maxTombs)
	d.SetLimit(1, 10)
	for i := range Seq(maxTombs + 1) {
		d.Removed(1, []Run{{First: 2 + 2*i, Count: 1}})
	}
	r := d.runtimes[1]
	require.LessOrEqual(t, len(r.tombs), maxTombs)
	d.Effects()
	d.Loaded(1, 1, []Message{{Seq: 1}, {Seq: 2}}, 3)
	effects := d.Effects()
	require.Len(t, effects, 1)
	require.Equal(t, EffectLoad, effects[0].Kind)
	require.Equal(t, Seq(1), effects[0].From)
}

// TestBufferIsBounded: what nobody has credit for is not kept beyond the limits,
// of a queue and of all, in messages and in bytes.
func TestBufferIsBounded(t *testing.T) {
	for _, c := range []struct {
		cfg    DispatcherConfig
		queues int
		want   int
	}{
		{DispatcherConfig{BufferMessages: 7}, 1, 7},
		{DispatcherConfig{BufferBytes: 95}, 1, 9},
		{DispatcherConfig{TotalBytes: 155, BufferBytes: 95}, 3, 15},
	} {
		d := NewDispatcher(c.cfg)
		for q := ID(1); q <= ID(c.queues); q++ {
			d.Attach(ConsumerID(q), q, AttachOptions{}, Snapshot{State: State{Head: 1, Tail: 1}})
			for s := Seq(1); s <= 50; s++ {
				d.Enqueued(q, []Message{{Seq: s, Payload: make([]byte, 10)}})
			}
		}
		require.Equal(t, c.want, d.Stats().BufferedMessages)
		for q := ID(1); q <= ID(c.queues); q++ {
			d.SetLimit(ConsumerID(q), 50)
			require.Equal(t, EffectLoad, d.effects[len(d.effects)-1].Kind, "the rest is the store's")
			checkDispatcher(t, d)
		}
	}
}

// TestEffectsLetGo: once effects were taken, the next input frees what they
// hold of the store's memory, and a burst's array is not kept.
func TestEffectsLetGo(t *testing.T) {
	d := attached(DispatcherConfig{}, AttachOptions{MaxUnsettled: 1 << 20}, 1)
	d.SetLimit(1, 1<<20)
	for s := Seq(1); s <= 10_000; s++ {
		d.Enqueued(1, []Message{{Seq: s, Payload: []byte("x")}})
	}
	require.Equal(t, 10_000, deliveries(d))
	d.SetNow(1)
	d.Configure(1, 0)
	require.Zero(t, cap(d.effects))
	d.Enqueued(1, []Message{{Seq: 10_001, Payload: []byte("x")}})
	effects := d.Effects()
	d.Configure(1, 0)
	require.Nil(t, effects[0].Message.Payload)
}

// TestUnconfirmedModifiesAreBounded: a modified message is back in its place at
// once, but until its Modify is a fact it counts as one of the consumer's
// unsettled deliveries; a log that does not move stops who modifies in a circle.
func TestUnconfirmedModifiesAreBounded(t *testing.T) {
	const unsettled = 3
	d := attached(DispatcherConfig{}, AttachOptions{MaxUnsettled: unsettled}, 1)
	d.SetLimit(1, 1<<40)
	d.Enqueued(1, []Message{{Seq: 1}})
	for ref := uint64(1); ref <= unsettled; ref++ {
		require.Equal(t, 1, deliveries(d))
		d.Outcome(1, 1, ref, Outcome{Kind: Modified, Failed: true})
		require.Equal(t, EffectModify, d.Effects()[0].Kind)
		d.Loaded(1, LoadID(ref), []Message{{Seq: 1}}, 2)
		checkDispatcher(t, d)
	}
	require.Zero(t, deliveries(d), "all that it may have unsettled is modified and not a fact")
	d.Modified(1, 1)
	effects := d.Effects()
	require.Equal(t, EffectConfirmed, effects[0].Kind)
	require.Equal(t, uint64(1), effects[0].Ref, "the oldest first")
	require.Equal(t, EffectLoad, effects[1].Kind)
	require.Len(t, effects, 2)
	d.Loaded(1, unsettled, []Message{{Seq: 1, DeliveryCount: 1}}, 2)
	effects = d.Effects()
	require.Len(t, effects, 1)
	require.Equal(t, uint32(unsettled), effects[0].Message.DeliveryCount, "known here, not yet stored")
	checkDispatcher(t, d)
}
