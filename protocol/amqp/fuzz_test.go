package amqp

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"entrepot/protocol/amqp/wire"
)

// FuzzConnReceive gives an engine any bytes, with an owner that takes every link and
// every message and sends what it can. Nothing may panic, memory stays within the
// limits, EventClosed comes once and last. The first byte chooses the role and how
// the stream is cut. The seeds are what the peers of the stories say.
func FuzzConnReceive(f *testing.F) {
	for _, seed := range storySeeds(f) {
		for mode := range byte(4) {
			f.Add(append([]byte{mode}, seed...))
		}
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		if len(p) == 0 {
			return
		}
		mode, p := p[0], p[1:]
		o := &fuzzOwner{t: t, conn: NewConn(fuzzConfig(mode), epoch)}
		chunk := 1 << 20
		if mode&2 != 0 {
			chunk = 1 + int(mode>>2)
		}
		for len(p) > 0 && !o.conn.Done() {
			n := min(chunk, len(p))
			piece := append([]byte(nil), p[:n]...)
			o.conn.Receive(piece, epoch)
			o.drain()
			clear(piece)
			o.conn.TakeOutput(nil)
			p = p[n:]
			o.checkLimits()
		}
		o.conn.ReceiveEOF(nil)
		o.drain()
		if !o.closed {
			t.Fatal("the socket is gone, and there was no EventClosed")
		}
	})
}

func fuzzConfig(mode byte) *Config {
	cfg := &Config{ContainerID: "fuzz", MaxFrameSize: 4096, MaxMessageSize: 8192, MaxAssembly: 16384, MaxLinks: 20,
		MaxUnsettled: 50, ChannelMax: 5, HandleMax: 1000, IncomingWindow: 100,
		SASL: SASL{AllowBare: true, Mechanisms: []wire.Symbol{MechanismPlain, MechanismAnonymous}}}
	if mode&1 != 0 {
		cfg.Role, cfg.SASL = Dialling, SASL{User: "ann", Password: "secret"}
	}
	return cfg
}

type fuzzOwner struct {
	t      *testing.T
	conn   *Conn
	closed bool
}

func (o *fuzzOwner) drain() {
	var ev Event
	for o.conn.Next(&ev) {
		if o.closed {
			o.t.Fatalf("an event after EventClosed: %s", eventText(&ev))
		}
		o.act(&ev)
	}
}

func (o *fuzzOwner) act(ev *Event) {
	switch ev.Kind {
	case EventSASLInit:
		o.conn.Authenticate(true)
	case EventOpened:
		o.conn.Open()
		if s, err := o.conn.Begin(); err == nil {
			s.Attach(AttachOptions{Name: "l", Role: wire.RoleSender})
			s.Attach(AttachOptions{Name: "l", Role: wire.RoleReceiver})
		}
	case EventLinkAttached:
		ev.Link.Accept(AcceptOptions{})
		ev.Link.GrantTo(30)
	case EventLinkFlow:
		for ev.Link.Ready() > 0 && o.conn.Pending() < 1<<16 {
			_, err := ev.Link.Deliver(&Outgoing{Body: make([]byte, 700), Settled: ev.Link.Credit()%2 == 0})
			if err == ErrTooLarge {
				break
			}
			if err != nil {
				o.t.Fatalf("the link is ready, but: %v", err)
			}
		}
		if ev.Link.Draining() {
			ev.Link.Drained()
		}
	case EventDelivery:
		ev.Link.Settle(ev.Delivery.ID, ev.Delivery.ID, wire.DeliveryState{Kind: wire.StateAccepted}, true)
		ev.Link.GrantTo(30)
	case EventOutcome:
		if !ev.Outcome.Settled {
			ev.Link.SettleOut(ev.Outcome.ID, wire.DeliveryState{})
		}
	case EventClosed:
		o.closed = true
	}
}

// checkLimits holds what the peer made grow against the Config.
func (o *fuzzOwner) checkLimits() {
	c := o.conn
	if len(c.in.kept) > maxWaiting+int(c.cfg.MaxFrameSize) {
		o.t.Fatalf("%d bytes of input are kept", len(c.in.kept))
	}
	if c.assembled > c.cfg.MaxAssembly {
		o.t.Fatalf("%d bytes of messages are kept", c.assembled)
	}
	if c.links > c.cfg.MaxLinks+refusedLinks {
		o.t.Fatalf("there are %d links", c.links)
	}
	links := 0
	for _, s := range c.channels.used {
		if s == nil {
			continue
		}
		for _, l := range s.local.used {
			if l == nil {
				continue
			}
			links++
			if l.unsettled > c.cfg.MaxUnsettled {
				o.t.Fatalf("%d deliveries of a link are unsettled", l.unsettled)
			}
		}
	}
	if links != c.links {
		o.t.Fatalf("there are %d links, and %d were counted", links, c.links)
	}
}

// storySeeds collects what the peers of the stories send, one seed for each
// connection, with the handshake in front.
func storySeeds(t testing.TB) [][]byte {
	files, err := filepath.Glob("testdata/stories/*")
	if err != nil || len(files) == 0 {
		t.Fatal("there are no stories: ", err)
	}
	var seeds [][]byte
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var seed []byte
		for _, block := range strings.Split(string(text), "\n\n") {
			block, _, _ = strings.Cut(block, "\n----")
			command, lines, _ := strings.Cut(block, "\n")
			switch {
			case strings.HasPrefix(command, "new"):
				seeds, seed = append(seeds, seed), nil
				if strings.Contains(command, "opened") {
					seed = append(frameFromText(t, "header amqp"), frameFromText(t, "open")...)
				}
			case command == "peer":
				for line := range strings.Lines(lines) {
					seed = append(seed, frameFromText(t, strings.TrimSpace(line))...)
				}
			}
		}
		seeds = append(seeds, seed)
	}
	return seeds
}
