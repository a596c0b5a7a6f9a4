package amqp

import (
	"bytes"
	"fmt"

	"pgregory.net/rapid"

	"entrepot/protocol/amqp/wire"
)

// What the owners of the two engines do, at random and in answer to events.

func (w *twins) attach(t *rapid.T) {
	if len(w.links) == 6 {
		t.Skip("enough links")
	}
	i := rapid.IntRange(0, 1).Draw(t, "end")
	e, other := w.ends[i], w.ends[1-i]
	k := &twinLink{name: fmt.Sprint("link-", len(w.links)), from: e, to: other,
		refs: map[DeliveryID]int{}, chosen: map[int]wire.StateKind{}, told: map[int]wire.StateKind{}}
	o := AttachOptions{Name: k.name, Role: wire.Role(rapid.Bool().Draw(t, "role")), Source: &wire.Source{}, Target: &wire.Target{},
		SndSettleMode: wire.SenderSettleMode(rapid.IntRange(0, 2).Draw(t, "snd")),
		RcvSettleMode: wire.ReceiverSettleMode(rapid.IntRange(0, 1).Draw(t, "rcv")), Data: k}
	if o.Role == wire.RoleReceiver {
		k.from, k.to = other, e
	}
	w.links = append(w.links, k)
	l, err := e.sessions[rapid.IntRange(0, 3).Draw(t, "session")].Attach(o)
	if err != nil {
		t.Fatal(err)
	}
	if l.Sender() {
		k.out = l
	} else {
		k.in = l
	}
}

func (w *twins) attached(l *Link) {
	for _, k := range w.links {
		if k.name == l.Name() && l.Data == nil {
			l.Data = k
			if l.Sender() {
				k.out = l
			} else {
				k.in = l
			}
		}
	}
	l.Accept(AcceptOptions{})
}

// some picks a link for which is true.
func (w *twins) some(t *rapid.T, is func(*twinLink) bool) *twinLink {
	var fit []*twinLink
	for _, k := range w.links {
		if is(k) {
			fit = append(fit, k)
		}
	}
	if len(fit) == 0 {
		t.Skip("no link for that")
	}
	return rapid.SampledFrom(fit).Draw(t, "link")
}

func (w *twins) deliver(t *rapid.T) {
	k := w.some(t, func(k *twinLink) bool { return k.out != nil && k.out.Ready() > 0 })
	n := len(k.sent)
	body := bytes.Repeat([]byte{byte(n), byte(len(w.links))}, rapid.SampledFrom([]int{0, 1, 200, 400, 2000}).Draw(t, "size"))
	cut := rapid.IntRange(0, len(body)).Draw(t, "head")
	settled := rapid.Bool().Draw(t, "settled")
	if _, err := k.out.Deliver(&Outgoing{Ref: uint64(n), Head: body[:cut], Body: body[cut:], Settled: settled}); err != nil {
		t.Fatal("the link was ready, but: ", err)
	}
	k.sent = append(k.sent, body)
	mode := k.out.SndSettleMode()
	k.settled = append(k.settled, mode == wire.SenderSettled || settled && mode == wire.SenderMixed)
}

func (w *twins) arrived(ev *Event) {
	k, d := w.byLink(ev.Link), &ev.Delivery
	n := k.received
	k.received++
	if n >= len(k.sent) || !bytes.Equal(k.sent[n], d.Payload) {
		w.t.Fatalf("%s: message %d is not what was sent", k.name, n)
	}
	if d.Settled != k.settled[n] {
		w.t.Fatalf("%s: message %d was sent settled=%v", k.name, n, k.settled[n])
	}
	if !d.Settled {
		k.open = append(k.open, d.ID)
		k.refs[d.ID] = n
	}
}

func (w *twins) grant(t *rapid.T) {
	k := w.some(t, func(k *twinLink) bool { return k.in != nil && !k.draining })
	k.in.GrantTo(rapid.Uint32Range(0, 20).Draw(t, "credit"))
}

func (w *twins) drain(t *rapid.T) {
	k := w.some(t, func(k *twinLink) bool { return k.in != nil && k.in.Attached() && !k.draining })
	k.draining = true
	k.in.Drain()
}

var outcomes = []wire.StateKind{wire.StateAccepted, wire.StateReleased, wire.StateModified, wire.StateRejected}

// settle tells the outcome of one delivery, not always the oldest.
func (w *twins) settle(t *rapid.T) {
	k := w.some(t, func(k *twinLink) bool { return len(k.open) > 0 })
	i := rapid.IntRange(0, len(k.open)-1).Draw(t, "which")
	id := k.open[i]
	k.open = append(k.open[:i], k.open[i+1:]...)
	k.choose(id, rapid.SampledFrom(outcomes).Draw(t, "outcome"))
}

func (k *twinLink) choose(id DeliveryID, kind wire.StateKind) {
	k.chosen[k.refs[id]] = kind
	delete(k.refs, id)
	k.in.Settle(id, id, wire.DeliveryState{Kind: kind}, true)
}

func (w *twins) outcome(ev *Event) {
	k, o := w.byLink(ev.Link), &ev.Outcome
	n := int(o.Ref)
	if _, twice := k.told[n]; twice {
		w.t.Fatalf("%s: the outcome of message %d came twice", k.name, n)
	}
	if k.chosen[n] != o.State.Kind {
		w.t.Fatalf("%s: message %d: the receiver said %v, the sender heard %v", k.name, n, k.chosen[n], o.State.Kind)
	}
	k.told[n] = o.State.Kind
	if second := k.out.RcvSettleMode() == wire.ReceiverSecond; second == o.Settled {
		w.t.Fatalf("%s: mode second is %v, but settled is %v", k.name, second, o.Settled)
	}
	if !o.Settled {
		k.out.SettleOut(o.ID, wire.DeliveryState{})
	}
}
