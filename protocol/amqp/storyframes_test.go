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
