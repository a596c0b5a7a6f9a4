package amqp

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"entrepot/protocol/amqp/wire"
)

// TestStories plays the files of testdata/stories: a scripted peer sends frames, a
// scripted owner acts, and the engine's events (>) and frames (<) are compared with
// what stands below the line. Rewrite them with
//
//	go test ./protocol/amqp -run Stories -rewrite
//
// Commands:
//
//	new [option=value...]   a new connection; "opened" takes it past open by itself
//	peer                    frames from the peer, a line each, given to the engine at once
//	owner                   actions of the owner, a line each
//	tick DURATION           the clock goes on, and Tick is called
//	eof                     the socket is gone
//
// Each story is played twice: with all frames of a step in one piece, and byte by
// byte, for how the socket cuts the stream must make no difference.
func TestStories(t *testing.T) {
	for name, chunk := range map[string]int{"whole": 1 << 20, "bytes": 1} {
		t.Run(name, func(t *testing.T) {
			datadriven.Walk(t, "testdata/stories", func(t *testing.T, path string) {
				s := &story{t: t, chunk: chunk}
				datadriven.RunTest(t, path, s.play)
			})
		})
	}
}

// story is one connection, its owner and its peer.
type story struct {
	t        testing.TB
	conn     *Conn
	chunk    int // bytes that are given to the engine at a time
	now      time.Time
	links    map[string]*Link
	sessions []*Session
	text     strings.Builder
	printed  []byte // output that is not a whole frame yet
}

func (s *story) play(t *testing.T, d *datadriven.TestData) string {
	s.t = t
	s.text.Reset()
	switch d.Cmd {
	case "new":
		s.begin(d.CmdArgs)
	case "peer":
		var p []byte
		for line := range strings.Lines(d.Input) {
			p = append(p, frameFromText(s.t, strings.TrimSpace(line))...)
		}
		for piece := range slices.Chunk(p, s.chunk) {
			s.conn.Receive(piece, s.now)
			s.events()
			clear(piece) // the engine must not have kept it
		}
	case "owner":
		for line := range strings.Lines(d.Input) {
			s.action(args(strings.TrimSpace(line)))
			s.events()
		}
	case "tick":
		step, err := time.ParseDuration(d.CmdArgs[0].Key)
		if err != nil {
			t.Fatal(err)
		}
		s.now = s.now.Add(step)
		next := s.conn.Tick(s.now)
		s.events()
		s.output()
		if next.IsZero() {
			s.say("next tick: never")
		} else {
			s.say("next tick: %v", next.Sub(s.now))
		}
		return s.text.String()
	case "eof":
		s.conn.ReceiveEOF(nil)
		s.events()
	default:
		t.Fatalf("%s: no such command", d.Cmd)
	}
	s.output()
	if s.conn.Done() {
		s.say("done")
	}
	if s.text.Len() == 0 {
		return "nothing\n"
	}
	return s.text.String()
}

func (s *story) say(format string, a ...any) { fmt.Fprintf(&s.text, format+"\n", a...) }

// begin makes a connection.
func (s *story) begin(options []datadriven.CmdArg) {
	cfg := &Config{ContainerID: "entrepot", SASL: SASL{AllowBare: true}}
	opened := false
	for _, o := range options {
		switch o.Key {
		case "dialling":
			cfg.Role = Dialling
		case "opened":
			opened = true
		case "sasl":
			for _, v := range o.Vals {
				cfg.SASL.Mechanisms = append(cfg.SASL.Mechanisms, wire.Symbol(v))
			}
		case "no-bare":
			cfg.SASL.AllowBare = false
		case "bare":
			cfg.SASL.Bare = true
		case "user":
			cfg.SASL.User, cfg.SASL.Password = o.Vals[0], o.Vals[1]
		case "max-frame-size":
			cfg.MaxFrameSize = number(s.t, o.Vals[0])
		case "max-message-size":
			cfg.MaxMessageSize = uint64(number(s.t, o.Vals[0]))
		case "max-assembly":
			cfg.MaxAssembly = uint64(number(s.t, o.Vals[0]))
		case "max-links":
			cfg.MaxLinks = int(number(s.t, o.Vals[0]))
		case "max-unsettled":
			cfg.MaxUnsettled = number(s.t, o.Vals[0])
		case "window":
			cfg.IncomingWindow = number(s.t, o.Vals[0])
		case "channel-max":
			cfg.ChannelMax = uint16(number(s.t, o.Vals[0]))
		case "handle-max":
			cfg.HandleMax = number(s.t, o.Vals[0])
		case "idle":
			cfg.IdleTimeout, _ = time.ParseDuration(o.Vals[0])
		default:
			s.t.Fatalf("%s: no such option", o.Key)
		}
	}
	s.now, s.links, s.sessions, s.printed = epoch, map[string]*Link{}, nil, nil
	s.conn = NewConn(cfg, s.now)
	if opened {
		s.conn.Receive(append(frameFromText(s.t, "header amqp"), frameFromText(s.t, "open container-id=peer")...), s.now)
		var ev Event
		for s.conn.Next(&ev) {
			if ev.Kind == EventOpened {
				s.conn.Open()
			}
		}
		s.conn.TakeOutput(nil)
	}
}

// action is one thing that the owner does.
func (s *story) action(a arguments) {
	switch a.verb {
	case "authenticate":
		s.conn.Authenticate(a.words[0] == "yes")
	case "open":
		s.conn.Open()
	case "close":
		s.conn.Close(a.error())
	case "begin":
		session, err := s.conn.Begin()
		if err != nil {
			s.say("error: %v", err)
			return
		}
		s.sessions = append(s.sessions, session)
	case "end":
		s.sessions[number(s.t, a.words[0])].End(a.error())
	case "attach":
		s.attach(a)
	default:
		l := s.links[a.words[0]]
		if l == nil {
			s.t.Fatalf("%v: no such link", a.words)
		}
		s.linkAction(l, a)
	}
}

func (s *story) attach(a arguments) {
	o := AttachOptions{Name: a.words[0], Role: wire.Role(a.has("receiver"))}
	o.Source = &wire.Source{Address: wire.Some(a.get("source", "q"))}
	o.Target = &wire.Target{Address: wire.Some(a.get("target", "q"))}
	o.SndSettleMode = wire.SenderMixed
	if a.has("second") {
		o.RcvSettleMode = wire.ReceiverSecond
	}
	l, err := s.sessions[number(s.t, a.get("session", "0"))].Attach(o)
	if err != nil {
		s.say("error: %v", err)
		return
	}
	s.links[o.Name] = l
}

func (s *story) linkAction(l *Link, a arguments) {
	num := func(i int) uint32 { return number(s.t, a.words[i]) }
	switch a.verb {
	case "accept":
		o := AcceptOptions{MaxMessageSize: uint64(number(s.t, a.get("max-message-size", "0")))}
		if v := a.get("target", ""); v != "" {
			o.Target = &wire.Target{Address: wire.Some(v)}
		}
		l.Accept(o)
	case "refuse":
		l.Refuse(a.error())
	case "detach":
		l.Detach(a.has("closed"), a.error())
	case "grant":
		l.GrantTo(num(1))
	case "drain":
		l.Drain()
	case "drained":
		l.Drained()
	case "available":
		l.SetAvailable(num(1))
	case "settle":
		l.Settle(DeliveryID(num(1)), DeliveryID(num(2)), stateFromText(a.words[3], a.error()), !a.has("unsettled"))
	case "settle-out":
		l.SettleOut(DeliveryID(num(1)), wire.DeliveryState{})
	case "ready":
		s.say("ready %d, credit %d, unsettled %d, draining %v", l.Ready(), l.Credit(), l.Unsettled(), l.Draining())
	case "deliver":
		o := Outgoing{Ref: uint64(number(s.t, a.get("ref", "0"))), Settled: a.has("settled"), Body: repeated(s.t, a.get("payload", "hello"))}
		if tag := a.get("tag", ""); tag != "" {
			o.Tag = []byte(tag)
		}
		if _, err := l.Deliver(&o); err != nil {
			s.say("error: %v", err)
		}
	default:
		s.t.Fatalf("%s: no such action", a.verb)
	}
}

// events prints what Next reports.
func (s *story) events() {
	var ev Event
	for s.conn.Next(&ev) {
		if ev.Kind == EventSessionBegun && !slices.Contains(s.sessions, ev.Session) {
			s.sessions = append(s.sessions, ev.Session)
		}
		if ev.Kind == EventLinkAttached {
			s.links[ev.Link.Name()] = ev.Link
		}
		s.say("> %s", eventText(&ev))
	}
}

// output prints the frames that the engine has sent.
func (s *story) output() {
	p := append(s.printed, s.conn.TakeOutput(nil)...)
	for len(p) >= 8 {
		n, text := textFromFrame(p)
		s.say("< %s", text)
		p = p[n:]
	}
	s.printed = p
}
