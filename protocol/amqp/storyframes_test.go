package amqp

import (
	"fmt"
	"strings"
	"testing"

	"entrepot/protocol/amqp/wire"
)

// frameFromText makes a frame of a line like
//
//	ch=1 transfer handle=0 delivery-id=0 delivery-tag=a more payload=100*x
//
// "header amqp|sasl|tls" is a protocol header, "empty" a frame without body, "raw
// XX..." bytes in hexadecimal, "body XX..." a frame with these bytes.
func frameFromText(t testing.TB, line string) []byte {
	channel := uint16(0)
	if rest, ok := strings.CutPrefix(line, "ch="); ok {
		n, rest, _ := strings.Cut(rest, " ")
		channel, line = uint16(number(t, n)), rest
	}
	a := args(line)
	switch a.verb {
	case "header":
		ids := map[string]wire.ProtocolID{"amqp": wire.ProtocolAMQP, "sasl": wire.ProtocolSASL, "tls": wire.ProtocolTLS}
		return wire.AppendProtocolHeader(nil, ids[a.words[0]])
	case "empty":
		return wire.AppendEmptyFrame(nil)
	case "raw":
		return unhex(t, a.words[0])
	case "body":
		return framed(wire.FrameAMQP, channel, unhex(t, a.words[0]))
	case "sasl-init":
		response := strings.ReplaceAll(a.get("response", ""), "~", "\x00")
		f := &wire.SASLInit{Mechanism: wire.Symbol(a.get("mechanism", "ANONYMOUS")), InitialResponse: []byte(response)}
		return framed(wire.FrameSASL, 0, f.Append(nil))
	case "sasl-mechanisms":
		f := &wire.SASLMechanisms{}
		for _, w := range a.words {
			f.SASLServerMechanisms = append(f.SASLServerMechanisms, wire.Symbol(w))
		}
		return framed(wire.FrameSASL, 0, f.Append(nil))
	case "sasl-outcome":
		f := &wire.SASLOutcome{Code: wire.SASLCode(number(t, a.words[0]))}
		return framed(wire.FrameSASL, 0, f.Append(nil))
	}
	body := performative(t, a).Append(nil)
	return framed(wire.FrameAMQP, channel, append(body, repeated(t, a.get("payload", ""))...))
}

func framed(kind wire.FrameType, channel uint16, body []byte) []byte {
	p := append(wire.BeginFrame(nil, kind, channel), body...)
	wire.EndFrame(p, 0)
	return p
}

func unhex(t testing.TB, s string) []byte {
	var p []byte
	if _, err := fmt.Sscanf(s, "%x", &p); err != nil {
		t.Fatal(err)
	}
	return p
}

// performative makes the composite that a line names.
func performative(t testing.TB, a arguments) wire.Composite {
	num := func(key string, def uint32) uint32 { return number(t, a.get(key, fmt.Sprint(def))) }
	opt := func(key string) wire.Opt[uint32] {
		if v, ok := a.pairs[key]; ok {
			return wire.Some(number(t, v))
		}
		return wire.Opt[uint32]{}
	}
	role := wire.Role(a.get("role", "sender") == "receiver")
	switch a.verb {
	case "open":
		return &wire.Open{ContainerID: a.get("container-id", "peer"), MaxFrameSize: num("max-frame-size", wire.DefaultMaxFrameSize),
			ChannelMax: uint16(num("channel-max", 65535)), IdleTimeOut: num("idle-time-out", 0)}
	case "begin":
		b := &wire.Begin{NextOutgoingID: num("next-outgoing-id", 0), IncomingWindow: num("incoming-window", 100),
			OutgoingWindow: 100, HandleMax: num("handle-max", wire.DefaultHandleMax)}
		if o := opt("remote-channel"); o.Set {
			b.RemoteChannel = wire.Some(uint16(o.V))
		}
		return b
	case "attach":
		at := &wire.Attach{Name: a.get("name", "l"), Handle: num("handle", 0), Role: role, SndSettleMode: wire.SenderMixed,
			MaxMessageSize: uint64(num("max-message-size", 0)), InitialDeliveryCount: opt("initial-delivery-count")}
		if v := a.get("source", "q"); v != "null" {
			at.Source = &wire.Source{Address: wire.Some(v)}
		}
		if v := a.get("target", "q"); v != "null" {
			at.Target = &wire.Target{Address: wire.Some(v)}
		}
		if a.has("second") {
			at.RcvSettleMode = wire.ReceiverSecond
		}
		if a.has("settled") {
			at.SndSettleMode = wire.SenderSettled
		}
		if a.has("unsettled") {
			at.Unsettled = wire.AppendAny(nil, wire.Map{{Key: []byte("old"), Value: nil}})
		}
		return at
	case "flow":
		return &wire.Flow{NextIncomingID: opt("next-incoming-id"), IncomingWindow: num("incoming-window", 100),
			NextOutgoingID: num("next-outgoing-id", 0), OutgoingWindow: num("outgoing-window", 100), Handle: opt("handle"), DeliveryCount: opt("delivery-count"),
			LinkCredit: opt("link-credit"), Available: opt("available"), Drain: a.has("drain"), Echo: a.has("echo")}
	case "transfer":
		tr := &wire.Transfer{Handle: num("handle", 0), DeliveryID: opt("delivery-id"), MessageFormat: opt("message-format"),
			More: a.has("more"), Resume: a.has("resume"), Aborted: a.has("aborted"), Batchable: a.has("batchable")}
		if tag, ok := a.pairs["delivery-tag"]; ok {
			tr.DeliveryTag = []byte(tag)
		}
		if a.has("settled") {
			tr.Settled = wire.Some(true)
		}
		if a.has("second") {
			tr.RcvSettleMode = wire.Some(wire.ReceiverSecond)
		}
		if a.has("transactional") {
			tr.State = stateFromText("transactional", nil)
		}
		return tr
	case "disposition":
		return &wire.Disposition{Role: role, First: num("first", 0), Last: opt("last"), Settled: a.has("settled"),
			State: stateFromText(a.get("state", ""), a.error())}
	case "detach":
		return &wire.Detach{Handle: num("handle", 0), Closed: a.has("closed"), Error: a.error().toWire()}
	case "end":
		return &wire.End{Error: a.error().toWire()}
	case "close":
		return &wire.Close{Error: a.error().toWire()}
	}
	t.Fatalf("%q: no such frame", a.verb)
	return nil
}

func stateFromText(s string, err *Error) wire.DeliveryState {
	d := wire.DeliveryState{}
	name, how, _ := strings.Cut(s, ":")
	switch name {
	case "accepted":
		d.Kind = wire.StateAccepted
	case "released":
		d.Kind = wire.StateReleased
	case "received":
		d.Kind = wire.StateReceived
	case "rejected":
		d.Kind = wire.StateRejected
		d.Rejected.Error = err.toWire()
	case "modified":
		d.Kind = wire.StateModified
		d.Modified.DeliveryFailed = strings.Contains(how, "failed")
		d.Modified.UndeliverableHere = strings.Contains(how, "here")
		if strings.Contains(how, "annotated") {
			d.Modified.MessageAnnotations = wire.AppendAny(nil, wire.Map{{Key: wire.Symbol("x-why"), Value: "story"}})
		}
	case "transactional":
		d.Kind = wire.StateTransactional
		d.Transactional = &wire.TransactionalState{TxnID: []byte("t")}
	}
	return d
}

// textFromFrame prints the first frame or protocol header of p, which is n bytes.
func textFromFrame(p []byte) (n int, text string) {
	if string(p[:4]) == "AMQP" {
		names := map[byte]string{0: "amqp", 2: "tls", 3: "sasl"}
		return 8, "header " + names[p[4]]
	}
	h, err := wire.ParseFrameHeader(p, 1<<30)
	if err != nil {
		return len(p), err.Error()
	}
	body := h.Body(p[:h.Size])
	line := newLine()
	if h.Channel != 0 {
		line.pair("ch", h.Channel)
	}
	if len(body) == 0 {
		return int(h.Size), line.word("empty").String()
	}
	line.frame(body)
	return int(h.Size), line.String()
}

// line builds a text of words and pairs.
type line struct{ words []string }

func newLine() *line { return &line{} }

func (l *line) String() string { return strings.Join(l.words, " ") }

func (l *line) word(s string) *line { l.words = append(l.words, s); return l }

func (l *line) flag(name string, set bool) {
	if set {
		l.word(name)
	}
}

func (l *line) pair(key string, v any) *line { return l.word(fmt.Sprintf("%s=%v", key, v)) }

func (l *line) opt(key string, v wire.Opt[uint32]) {
	if v.Set {
		l.pair(key, v.V)
	}
}

func (l *line) error(e *wire.Error) {
	if e != nil {
		l.word(fmt.Sprintf("error=%s %q", e.Condition, e.Description))
	}
}

func (l *line) payload(p []byte) {
	switch {
	case len(p) == 0:
	case len(p) > 20:
		l.word(fmt.Sprintf("payload=%d*%c", len(p), p[0]))
	default:
		l.pair("payload", string(p))
	}
}

func (l *line) state(d *wire.DeliveryState) {
	if d.Kind == wire.StateNone {
		return
	}
	l.word(d.Kind.String())
	l.flag("delivery-failed", d.Modified.DeliveryFailed)
	l.flag("undeliverable-here", d.Modified.UndeliverableHere)
	l.flag("annotated", d.Modified.MessageAnnotations != nil)
	l.error(d.Rejected.Error)
}

func roleName(r wire.Role) string {
	if r == wire.RoleReceiver {
		return "receiver"
	}
	return "sender"
}

// frame prints a performative: the fields that a story is about.
func (l *line) frame(body []byte) {
	d, _ := wire.PeekDescriptor(body)
	l.word(d.String())
	r := wire.NewReader(body)
	must := func(err error) {
		if err != nil {
			l.word("undecodable: " + err.Error())
		}
	}
	switch d {
	case wire.DescSASLMechanisms:
		var f wire.SASLMechanisms
		must(f.Decode(&r))
		l.word(fmt.Sprint(f.SASLServerMechanisms))
	case wire.DescSASLInit:
		var f wire.SASLInit
		must(f.Decode(&r))
		l.pair("mechanism", f.Mechanism).pair("response", strings.ReplaceAll(string(f.InitialResponse), "\x00", "~"))
	case wire.DescSASLOutcome:
		var f wire.SASLOutcome
		must(f.Decode(&r))
		l.pair("code", f.Code)
	case wire.DescOpen:
		var f wire.Open
		must(f.Decode(&r))
		l.pair("container-id", f.ContainerID).pair("max-frame-size", f.MaxFrameSize).pair("channel-max", f.ChannelMax)
		if f.IdleTimeOut != 0 {
			l.pair("idle-time-out", f.IdleTimeOut)
		}
	case wire.DescBegin:
		var f wire.Begin
		must(f.Decode(&r))
		if f.RemoteChannel.Set {
			l.pair("remote-channel", f.RemoteChannel.V)
		}
		l.pair("next-outgoing-id", f.NextOutgoingID).pair("incoming-window", f.IncomingWindow).pair("handle-max", f.HandleMax)
	case wire.DescAttach:
		var f wire.Attach
		must(f.Decode(&r))
		l.attach(&f)
	case wire.DescFlow:
		var f wire.Flow
		must(f.Decode(&r))
		l.opt("next-incoming-id", f.NextIncomingID)
		l.pair("incoming-window", f.IncomingWindow).pair("next-outgoing-id", f.NextOutgoingID)
		l.opt("handle", f.Handle)
		l.opt("delivery-count", f.DeliveryCount)
		l.opt("link-credit", f.LinkCredit)
		l.opt("available", f.Available)
		l.flag("drain", f.Drain)
		l.flag("echo", f.Echo)
	case wire.DescTransfer:
		var f wire.Transfer
		must(f.Decode(&r))
		l.pair("handle", f.Handle)
		l.opt("delivery-id", f.DeliveryID)
		if f.DeliveryTag != nil {
			l.word(fmt.Sprintf("delivery-tag=%q", f.DeliveryTag))
		}
		l.flag("settled", f.Settled.V)
		l.flag("more", f.More)
		l.payload(r.Rest())
	case wire.DescDisposition:
		var f wire.Disposition
		must(f.Decode(&r))
		l.pair("role", roleName(f.Role)).pair("first", f.First)
		l.opt("last", f.Last)
		l.flag("settled", f.Settled)
		l.state(&f.State)
	case wire.DescDetach:
		var f wire.Detach
		must(f.Decode(&r))
		l.pair("handle", f.Handle)
		l.flag("closed", f.Closed)
		l.error(f.Error)
	case wire.DescEnd:
		var f wire.End
		must(f.Decode(&r))
		l.error(f.Error)
	case wire.DescClose:
		var f wire.Close
		must(f.Decode(&r))
		l.error(f.Error)
	}
}

func (l *line) attach(f *wire.Attach) {
	l.pair("name", f.Name).pair("handle", f.Handle).pair("role", roleName(f.Role))
	source, target := "null", "null"
	if f.Source != nil {
		source = f.Source.Address.V
	}
	if f.Target != nil {
		target = f.Target.Address.V
	}
	l.pair("source", source).pair("target", target)
	l.flag("settled", f.SndSettleMode == wire.SenderSettled)
	l.flag("second", f.RcvSettleMode == wire.ReceiverSecond)
	l.flag("unsettled", f.Unsettled != nil)
	l.opt("initial-delivery-count", f.InitialDeliveryCount)
	if f.MaxMessageSize != 0 {
		l.pair("max-message-size", f.MaxMessageSize)
	}
}

var eventNames = [...]string{"none", "sasl-init", "opened", "session-begun", "session-ended", "link-attached",
	"link-detached", "link-flow", "delivery", "outcome", "peer-settled", "closed"}

// eventText prints an event.
func eventText(ev *Event) string {
	l := newLine().word(eventNames[ev.Kind])
	if ev.Link != nil {
		l.word(ev.Link.Name())
	}
	switch ev.Kind {
	case EventSASLInit:
		l.pair("mechanism", ev.SASL.Mechanism).pair("user", ev.SASL.User).pair("password", ev.SASL.Password)
	case EventOpened:
		l.pair("container-id", ev.Open.ContainerID)
	case EventLinkAttached:
		l.word("we")
		if ev.Link.Sender() {
			l.word("send")
		} else {
			l.word("receive")
		}
	case EventLinkFlow:
		l.pair("credit", ev.Link.Credit())
		l.flag("draining", ev.Link.Draining())
		if ev.Link.Sender() {
			l.pair("ready", ev.Link.Ready())
		} else {
			l.pair("available", ev.Link.Available())
		}
	case EventDelivery:
		l.pair("id", ev.Delivery.ID).pair("tag", string(ev.Delivery.Tag))
		l.flag("settled", ev.Delivery.Settled)
		l.payload(ev.Delivery.Payload)
	case EventOutcome:
		l.pair("id", ev.Outcome.ID).pair("ref", ev.Outcome.Ref)
		l.flag("settled", ev.Outcome.Settled)
		l.state(&ev.Outcome.State)
	case EventPeerSettled:
		l.pair("first", ev.First).pair("last", ev.Last)
	}
	l.flag("closed", ev.Closed)
	if ev.Kind == EventLinkDetached || ev.Kind == EventSessionEnded || ev.Kind == EventClosed {
		l.word(map[bool]string{true: "by the peer", false: "by us"}[ev.Remote])
	}
	if ev.Err != nil {
		l.word("(" + ev.Err.Error() + ")")
	}
	return l.String()
}
