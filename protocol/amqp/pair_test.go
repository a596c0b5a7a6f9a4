package amqp

import (
	"testing"
	"time"

	"entrepot/protocol/amqp/wire"
)

// epoch is when all tests begin; nothing in them waits for a real clock.
var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// end is one engine of a pair, with an owner that acts on its events.
type end struct {
	conn  *Conn
	act   func(*Event)
	ev    Event
	spare []byte
	// chunk says how many of the n bytes that are there are handed over at a time.
	chunk func(n int) int
}

// take gives bytes to the engine, as its chunk says, and acts on the events.
func (e *end) take(p []byte, now time.Time) {
	for len(p) > 0 {
		n := len(p)
		if e.chunk != nil {
			n = min(e.chunk(n), n)
		}
		e.conn.Receive(p[:n], now)
		e.drain()
		p = p[n:]
	}
}

func (e *end) drain() {
	for e.conn.Next(&e.ev) {
		e.act(&e.ev)
	}
}

// pair is a dialling and an accepting engine, wired to each other.
type pair struct {
	client, server *end
	now            time.Time
}

func newPair(client, server *Config, actClient, actServer func(*Event)) *pair {
	client.Role, server.Role = Dialling, Accepting
	return &pair{
		client: &end{conn: NewConn(client, epoch), act: actClient},
		server: &end{conn: NewConn(server, epoch), act: actServer},
		now:    epoch,
	}
}

// run carries bytes to and fro until both ends are silent.
func (p *pair) run() {
	for p.move(p.client, p.server) || p.move(p.server, p.client) {
	}
}

func (p *pair) move(from, to *end) bool {
	from.drain()
	out := from.conn.TakeOutput(from.spare)
	if len(out) == 0 {
		from.spare = out
		return false
	}
	to.take(out, p.now)
	from.spare = out
	return true
}

// flood is a pair with one link from client to server that is opened and ready, and
// owners that keep it going: the server accepts all and grants credit again, the
// client counts outcomes.
type flood struct {
	*pair
	sender   *Link
	received int
	outcomes int
}

const floodCredit = 1024

func newFlood(t testing.TB, clientConfig, serverConfig Config) *flood {
	f := &flood{}
	serverConfig.SASL.AllowBare = true
	clientConfig.SASL.Bare = true
	f.pair = newPair(&clientConfig, &serverConfig, f.client, f.server)
	f.run()
	session, err := f.pair.client.conn.Begin()
	if err != nil {
		t.Fatal(err)
	}
	f.sender, err = session.Attach(AttachOptions{Name: "flood", Role: wire.RoleSender,
		Source: &wire.Source{}, Target: &wire.Target{Address: wire.Some("q")}, SndSettleMode: wire.SenderUnsettled})
	if err != nil {
		t.Fatal(err)
	}
	f.run()
	if f.sender.Ready() != floodCredit {
		t.Fatalf("the link has credit, but Ready is %d", f.sender.Ready())
	}
	return f
}

func (f *flood) client(ev *Event) {
	if ev.Kind == EventOutcome {
		f.outcomes++
	}
}

func (f *flood) server(ev *Event) {
	switch ev.Kind {
	case EventOpened:
		f.pair.server.conn.Open()
	case EventLinkAttached:
		ev.Link.Accept(AcceptOptions{})
		ev.Link.GrantTo(floodCredit)
	case EventDelivery:
		f.received++
		ev.Link.Settle(ev.Delivery.ID, ev.Delivery.ID, wire.DeliveryState{Kind: wire.StateAccepted}, true)
		if ev.Link.Credit() <= floodCredit/2 {
			ev.Link.GrantTo(floodCredit)
		}
	}
}

// round sends n messages and carries everything until the outcomes are back.
func (f *flood) round(n int, o *Outgoing) {
	for range n {
		if _, err := f.sender.Deliver(o); err != nil {
			panic(err)
		}
	}
	f.run()
}
