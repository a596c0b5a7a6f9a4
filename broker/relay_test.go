package broker

import (
	"testing"

	"github.com/stretchr/testify/require"

	"entrepot/cluster/mesh"
	"entrepot/queue"
)

// relayRig is a relay with one consumer, whose connection runs what it is posted
// when it is asked to.
type relayRig struct {
	relay    *relay
	consumer *consumer
}

func newRelayRig(t *testing.T) *relayRig {
	s := &shard{}
	s.relay = newRelay(s, 1)
	c := &conn{broker: &Broker{}, mail: newMailbox[func()]()}
	limits := queue.Limits{}
	a := &address{name: "q", id: 3, shard: s}
	a.narrow.Store(&limits)
	rig := &relayRig{s.relay, &consumer{conn: c, addr: a, id: c.broker.nextConsumer()}}
	rig.consumer.queued = true // nothing here gives it a turn
	rig.consumer.attach(0)
	return rig
}

// flush gives the relay what the consumer has in its outbox.
func (r *relayRig) flush() {
	o := r.consumer.conn.outbox(r.consumer.addr.shard)
	r.relay.post(o.inputs)
	o.inputs = o.inputs[:0]
}

// run does what was posted to the connection.
func (r *relayRig) run() int {
	todo := r.consumer.conn.mail.take(nil)
	n := len(todo)
	runAll(todo)
	return n
}

// seat puts a dispatcher on this node, of which only the mailbox is there.
func (r *relayRig) seat(term uint64) *reign {
	here := &reign{shard: r.relay.shard, term: term, mail: newMailbox[dispatchInput]()}
	r.relay.seatedHere(here)
	return here
}

func kinds(m *mailbox[dispatchInput]) (list []inputKind) {
	for _, in := range m.take(nil) {
		list = append(list, in.kind)
	}
	return list
}

// A consumer that attached while there was no dispatcher is attached to the first
// one that there is.
func TestRelayAttachesToTheNextDispatcher(t *testing.T) {
	r := newRelayRig(t)
	r.flush()
	require.Zero(t, r.run(), "there is nobody to attach to")

	here := r.seat(1)
	require.Equal(t, 1, r.run(), "it begins anew")
	r.flush()
	require.Equal(t, []inputKind{inputAttach}, kinds(here.mail))

	was := r.consumer.id
	here = r.seat(2)
	r.run()
	r.flush()
	require.Equal(t, []inputKind{inputAttach}, kinds(here.mail))
	require.NotEqual(t, was, r.consumer.id, "another dispatcher knows it under another id")
}

// What was said to a dispatcher that is gone is not said to the next one, which
// would take it for something else.
func TestRelayDropsWhatIsForAnEarlierDispatcher(t *testing.T) {
	r := newRelayRig(t)
	r.flush()
	first := r.seat(1)
	r.run()
	r.flush()
	kinds(first.mail)

	r.consumer.tellLimit(inputLimit, 10) // in the outbox, as the change comes
	second := r.seat(2)
	r.flush()
	require.Empty(t, kinds(second.mail))
	require.Empty(t, kinds(first.mail))
}

// What the client has settled by itself is late then: its consumer says so, or, if the
// connection has ended with it, the relay.
func TestRelayKeepsWhatWasSettledForAnEarlierDispatcher(t *testing.T) {
	for _, ended := range []bool{false, true} {
		r := newRelayRig(t)
		r.flush()
		r.seat(1)
		r.run()
		r.flush()
		settled := dispatchInput{
			kind: inputOutcome, posting: r.relay.posting.Load(), queue: 3, seq: 7, outcome: queue.Outcome{Kind: queue.Accepted},
			attach: &attachRequest{consumer: r.consumer},
		}
		r.seat(2)
		r.run()
		if ended {
			r.consumer.conn.mail.close()
		}
		left := r.relay.take([]dispatchInput{settled})
		if ended {
			require.Equal(t, []toldOutcome{{3, 7, queue.Settled}}, left.told)
		} else {
			require.Empty(t, left.told)
			require.Len(t, r.consumer.conn.mail.take(nil), 1)
		}
	}
}

// An attach that crosses the change of the dispatcher is not lost.
func TestRelayMovesWhoAttachesTooLate(t *testing.T) {
	r := newRelayRig(t)
	here := r.seat(1) // the attach is still in the outbox, under the posting before
	r.flush()
	require.Empty(t, kinds(here.mail))
	require.Equal(t, 1, r.run())
	r.flush()
	require.Equal(t, []inputKind{inputAttach}, kinds(here.mail))
}

// An earlier term's dispatcher, heard of late, does not take the place of a later
// one's.
func TestRelayKeepsToTheLatestTerm(t *testing.T) {
	r := newRelayRig(t)
	r.flush()
	here := r.seat(5)
	r.run()
	r.flush()
	r.relay.seated(mesh.Peer{ID: "n2", Session: 1}, 4)
	require.Zero(t, r.run())
	require.Same(t, here, r.relay.here)

	r.relay.seated(mesh.Peer{ID: "n2", Session: 1}, 6)
	require.Equal(t, 1, r.run())
	require.Nil(t, r.relay.here)
	r.relay.unseated(mesh.Peer{ID: "n2", Session: 0}) // an older connection's end
	require.Equal(t, "n2", r.relay.there.ID)
	r.relay.unseated(mesh.Peer{ID: "n2", Session: 1})
	require.Empty(t, r.relay.there.ID)
}

// Who has gone is not told to begin anew.
func TestRelayForgetsWhoDetached(t *testing.T) {
	r := newRelayRig(t)
	r.flush()
	r.seat(1)
	r.run()
	r.flush()
	r.consumer.toDispatcher(dispatchInput{kind: inputDetach})
	r.flush()
	r.seat(2)
	require.Zero(t, r.run())
}

// However many consumers have their dispatcher elsewhere, what is on its way to them
// all is bounded: the line between two nodes takes only so much.
func TestRelayBoundsWhatIsOnItsWay(t *testing.T) {
	r := newRelayRig(t)
	require.Equal(t, aheadBytes, r.relay.aheadBytes())
	r.relay.away.Store(1000)
	require.LessOrEqual(t, 1000*r.relay.aheadBytes(), awayBytes)
	require.Positive(t, r.relay.aheadBytes())
	r.seat(1)
	require.Equal(t, aheadBytes, r.relay.aheadBytes(), "here it is memory that nobody else waits for")

	const shards = 64 // and one node leads them all
	all := 0
	for range shards {
		one := newRelay(r.relay.shard, shards)
		one.away.Store(1000)
		all += 1000 * one.aheadBytes()
	}
	require.LessOrEqual(t, all, awayBytesAll)
}
