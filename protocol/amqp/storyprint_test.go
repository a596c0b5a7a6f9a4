package amqp

import (
	"fmt"
	"strings"

	"entrepot/protocol/amqp/wire"
)

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
