package amqp

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"

	"entrepot/protocol/amqp/wire"
)

// TestTwoEngines lets two engines talk to each other with random owners, tiny frames
// and windows, and a network that cuts the stream anywhere. Whatever happens:
// nobody breaks a rule, each message arrives once and in order, each outcome is the
// one that the receiver chose, and once the owners are willing, everything is
// settled.
func TestTwoEngines(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newTwins(t)
		w.open()
		t.Repeat(map[string]func(*rapid.T){
			"attach":  w.attach,
			"deliver": w.deliver,
			"grant":   w.grant,
			"drain":   w.drain,
			"settle":  w.settle,
			"move":    w.moveSome,
			"tick":    w.tick,
			"":        w.check,
		})
		w.finish()
	})
}

type twins struct {
	t     *rapid.T
	ends  [2]*twin
	links []*twinLink
}

// twin is one end: its engine, and the bytes that are on their way to it.
type twin struct {
	conn     *Conn
	inbox    []byte
	sessions []*Session
}

// twinLink is what we know of a link from outside of the engines.
type twinLink struct {
	name     string
	from, to *twin
	out, in  *Link // in is nil until the receiver has accepted
	sent     [][]byte
	settled  []bool // sent settled
	received int
	open     []DeliveryID // at the receiver: not settled by it yet
	refs     map[DeliveryID]int
	chosen   map[int]wire.StateKind // by number of the message
	told     map[int]wire.StateKind // what the sender has heard
	draining bool
}

func newTwins(t *rapid.T) *twins {
	w := &twins{t: t}
	for i := range w.ends {
		cfg := &Config{
			Role:           Role(i),
			MaxFrameSize:   rapid.Uint32Range(512, 700).Draw(t, "frame"),
			IncomingWindow: rapid.Uint32Range(1, 9).Draw(t, "window"),
			MaxUnsettled:   rapid.Uint32Range(1, 9).Draw(t, "unsettled"),
			SASL:           SASL{AllowBare: true, Mechanisms: []wire.Symbol{MechanismPlain}},
		}
		if i == int(Dialling) {
			cfg.SASL = SASL{User: "ann", Password: "secret"}
		}
		w.ends[i] = &twin{conn: NewConn(cfg, epoch)}
	}
	return w
}

// open takes both through the handshake, and begins two sessions from each end.
func (w *twins) open() {
	w.settleDown()
	for _, e := range w.ends {
		for range 2 {
			if _, err := e.conn.Begin(); err != nil {
				w.t.Fatal(err)
			}
		}
	}
	w.settleDown()
	if len(w.ends[0].sessions) != 4 || len(w.ends[1].sessions) != 4 {
		w.t.Fatal("four sessions have begun at each end")
	}
}

// carry moves output to the other end's inbox.
func (w *twins) carry(i int) {
	w.ends[1-i].inbox = append(w.ends[1-i].inbox, w.ends[i].conn.TakeOutput(nil)...)
}

// feed gives n bytes of the inbox to the engine, and acts on the events.
func (w *twins) feed(i, n int) {
	e := w.ends[i]
	p := bytes.Clone(e.inbox[:n])
	e.inbox = e.inbox[n:]
	e.conn.Receive(p, epoch)
	var ev Event
	for e.conn.Next(&ev) {
		w.act(e, &ev)
	}
	clear(p)
}

func (w *twins) moveSome(t *rapid.T) {
	i := rapid.IntRange(0, 1).Draw(t, "end")
	w.carry(1 - i)
	if n := len(w.ends[i].inbox); n > 0 {
		w.feed(i, rapid.IntRange(1, n).Draw(t, "bytes"))
	}
}

// settleDown moves everything until nothing moves.
func (w *twins) settleDown() {
	for moved := true; moved; {
		moved = false
		for i := range w.ends {
			w.carry(1 - i)
			if n := len(w.ends[i].inbox); n > 0 {
				w.feed(i, n)
				moved = true
			}
		}
	}
}

func (w *twins) tick(t *rapid.T) {
	for _, e := range w.ends {
		e.conn.Tick(epoch.Add(restAfter + 1)) // gives memory back
	}
}

func (w *twins) act(e *twin, ev *Event) {
	switch ev.Kind {
	case EventSASLInit:
		e.conn.Authenticate(ev.SASL.User == "ann" && ev.SASL.Password == "secret")
	case EventOpened:
		e.conn.Open()
	case EventSessionBegun:
		e.sessions = append(e.sessions, ev.Session)
	case EventLinkAttached:
		w.attached(ev.Link)
	case EventLinkFlow:
		k := w.byLink(ev.Link)
		if ev.Link.Sender() && ev.Link.Draining() {
			ev.Link.Drained()
		}
		if !ev.Link.Sender() && k.draining && !ev.Link.Draining() {
			if ev.Link.Credit() != 0 {
				w.t.Fatal("a drain is over, and credit is left")
			}
			k.draining = false
		}
	case EventDelivery:
		w.arrived(ev)
	case EventOutcome:
		w.outcome(ev)
	case EventPeerSettled:
		// Counted by Unsettled.
	default:
		w.t.Fatalf("nobody broke a rule, but: %s", eventText(ev))
	}
}

func (w *twins) byLink(l *Link) *twinLink { return l.Data.(*twinLink) }

// check holds at every moment.
func (w *twins) check(t *rapid.T) {
	for _, k := range w.links {
		if k.in != nil && k.in.Credit()+k.in.Unsettled() > k.to.conn.cfg.maxUnsettled() {
			t.Fatal("more may become unsettled than the limit")
		}
		if k.out != nil && k.out.Unsettled() > k.from.conn.cfg.maxUnsettled() {
			t.Fatal("more is unsettled than may be")
		}
	}
	for _, e := range w.ends {
		for _, s := range e.sessions {
			if len(s.partials) > 0 && s.window.outgoing > 0 {
				t.Fatal("a cut off message waits at an open window")
			}
		}
	}
}

// finish makes both owners willing, and demands that everything ends well.
func (w *twins) finish() {
	for range 20 {
		w.settleDown()
		for _, k := range w.links {
			for _, id := range k.open {
				k.choose(id, wire.StateAccepted)
			}
			k.open = nil
			if k.in != nil && !k.draining {
				k.in.GrantTo(100)
			}
		}
	}
	for _, k := range w.links {
		heard := 0
		for n := range k.sent {
			if _, ok := k.told[n]; ok || k.settled[n] {
				heard++
			}
		}
		if k.received != len(k.sent) || heard != len(k.sent) {
			w.t.Fatalf("%s: %d sent, %d arrived, %d outcomes", k.name, len(k.sent), k.received, heard)
		}
		if k.in == nil || k.out == nil || k.in.Unsettled()+k.out.Unsettled() > 0 || k.draining {
			w.t.Fatalf("%s: not everything is settled, or a drain has no end", k.name)
		}
	}
}
