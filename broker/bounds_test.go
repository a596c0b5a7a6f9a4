package broker

import (
	"testing"

	"github.com/stretchr/testify/require"

	"entrepot/protocol/amqp/wire"
)

// What a client can make grow stops its being read.
func TestConnectionIsNotReadWhileItHasTooMuchUnderWay(t *testing.T) {
	b := startBroker(t, testConfig(t.TempDir()))
	p := openPeer(t, b, "c")
	c := connOf(t, b, "c")
	tests := []struct {
		why  string
		grow func()
		read bool
	}{
		{"nothing under way", func() {}, true},
		{"links that wait for their queue", func() { c.opening = openingHigh }, false},
		{"messages in packs", func() { c.opening, c.underwayBytes = 0, underwayHigh }, false},
		{"any message while the log is behind", func() { c.underwayBytes = 1; c.outbox(b.shards()[0]); b.shards()[0].busy.close() }, false},
		{"a log that is behind, but not through us", func() { c.underwayBytes = 0 }, true},
	}
	for _, test := range tests {
		require.Equal(t, test.read, ask(c, func() bool { test.grow(); return c.mayRead() }), test.why)
	}
	b.shards()[0].busy.open()
	f := p.sessionFlow()
	f.Echo = true
	p.frame(0, &f).flush()
	until[wire.Flow](p, "and it is read on")
}

// An answer to an earlier drain says nothing about a later one.
func TestOldDrainAnswerIsIgnored(t *testing.T) {
	s := &consumer{conn: &conn{}, demand: demand{asked: true, ref: 2}}
	s.drained(1)
	require.False(t, s.demand.answered)
	require.Empty(t, s.conn.due)
	s.drained(2)
	require.True(t, s.demand.answered)
	require.Len(t, s.conn.due, 1)
}

func TestDemand(t *testing.T) {
	tests := []struct {
		why     string
		d       demand
		credit  uint32
		waiting int
		limit   uint64
		tell    bool
	}{
		{"first credit", demand{}, 10, 0, 10, true},
		{"no more than is read ahead", demand{}, 1 << 20, 0, consumerAhead, true},
		{"and of large messages little", demand{mean: 256 << 10}, 1 << 20, 0, 4, true},
		{"but one at least", demand{mean: 64 << 20}, 1 << 20, 0, 1, true},
		{"what waits here has had its turn", demand{seen: 8, limit: 8}, 10, 4, 14, true},
		{"a little more can wait", demand{seen: 5, limit: 10}, 6, 0, 11, false},
		{"until the dispatcher has nothing left", demand{seen: 10, limit: 10}, 1, 0, 11, true},
		{"less is told at once", demand{seen: 5, limit: 10}, 4, 0, 9, true},
		{"what was returned stopped the dispatcher", demand{seen: 5, limit: 10, held: true}, 5, 0, 10, true},
		{"a drain that was taken back did too", demand{seen: 5, limit: 10, asked: true}, 5, 0, 10, true},
	}
	for _, test := range tests {
		if test.d.mean == 0 {
			test.d.mean = 1024
		}
		limit := test.d.limitFor(test.credit, test.waiting, aheadBytes)
		require.Equal(t, test.limit, limit, test.why)
		require.Equal(t, test.tell, test.d.worthTelling(limit), test.why)
	}
}
