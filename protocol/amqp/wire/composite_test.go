package wire

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestLiteralPerformatives holds the encoding against bytes written by hand.
func TestLiteralPerformatives(t *testing.T) {
	accepted := DeliveryState{Kind: StateAccepted}
	for _, c := range []struct {
		name string
		v    Composite
		hex  string
	}{
		{"transfer", &Transfer{Handle: 0, DeliveryID: Some[uint32](1), DeliveryTag: []byte{9}, MessageFormat: Some[uint32](0),
			Settled: Some(true)}, "00 53 14 c0 09 05 43 52 01 a0 01 09 43 41"},
		{"transfer that says false", &Transfer{Settled: Some(false), More: true}, "00 53 14 c0 07 06 43 40 40 40 42 41"},
		{"transfer with an empty tag", &Transfer{DeliveryTag: []byte{}}, "00 53 14 c0 05 03 43 40 a0 00"},
		{"disposition", &Disposition{Role: RoleReceiver, First: 256, Last: Some[uint32](257), Settled: true, State: accepted},
			"00 53 15 c0 11 05 41 70 00 00 01 00 70 00 00 01 01 41 00 53 24 45"},
		{"flow of a session", &Flow{NextIncomingID: Some[uint32](0), IncomingWindow: 1, OutgoingWindow: 2, Echo: true},
			"00 53 13 c0 0d 0a 43 52 01 43 52 02 40 40 40 40 40 41"},
		{"end", &End{}, "00 53 17 45"},
		{"close", &Close{Error: &Error{Condition: CondNotFound, Description: "x"}},
			"00 53 18 c0 1a 01 00 53 1d c0 14 02 a3 0e 61 6d 71 70 3a 6e 6f 74 2d 66 6f 75 6e 64 a1 01 78"},
		{"sasl-outcome", &SASLOutcome{Code: SASLAuth}, "00 53 44 c0 03 01 50 01"},
		{"sasl-mechanisms", &SASLMechanisms{SASLServerMechanisms: []Symbol{"A", "BC"}}, "00 53 40 c0 0a 01 e0 07 02 a3 01 41 02 42 43"},
		{"header", &Header{Durable: true, TTL: Some[uint32](0), DeliveryCount: 1}, "00 53 70 c0 07 05 41 40 43 40 52 01"},
		{"header with nothing to say", &Header{}, "00 53 70 45"},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := unhex(t, c.hex)
			require.Equal(t, want, c.v.Append(nil))
			got := newComposite(t, c.v.Descriptor())
			r := NewReader(want)
			require.NoError(t, got.Decode(&r))
			require.Equal(t, c.v, got)
		})
	}
}

// TestLongList: a composite of more than 255 bytes takes the wide form.
func TestLongList(t *testing.T) {
	for _, n := range []int{200, 240, 241, 242, 243, 244, 245, 246, 247, 248, 249, 250, 251, 252, 255, 256, 300, 70000} {
		in := Error{Condition: "c", Description: strings.Repeat("d", n), Info: Map{{Symbol("k"), uint32(1)}}}
		p := append([]byte("before"), in.Append(nil)...)
		require.Equal(t, p, in.Append([]byte("before")), "what is there stays")
		r := NewReader(in.Append(nil))
		var out Error
		require.NoError(t, out.Decode(&r))
		require.Equal(t, in, out)
		require.Zero(t, r.Len())
	}
}

// TestDecodeForgets: a value that is decoded into again has nothing left of before.
func TestDecodeForgets(t *testing.T) {
	full := Transfer{Handle: 1, DeliveryID: Some[uint32](2), DeliveryTag: []byte{1}, MessageFormat: Some[uint32](0),
		Settled: Some(true), More: true, RcvSettleMode: Some(ReceiverSecond),
		State:  DeliveryState{Kind: StateModified, Modified: Modified{DeliveryFailed: true}},
		Resume: true, Aborted: true, Batchable: true}
	var got Transfer
	r := NewReader(full.Append(nil))
	require.NoError(t, got.Decode(&r))
	require.Equal(t, full, got)
	r = NewReader((&Transfer{Handle: 5}).Append(nil))
	require.NoError(t, got.Decode(&r))
	require.Equal(t, Transfer{Handle: 5}, got)
}

func TestDeliveryStates(t *testing.T) {
	annotations := Raw(AppendAny(nil, Map{{Symbol("k"), "v"}}))
	for _, s := range []DeliveryState{
		{},
		{Kind: StateReceived, Received: Received{SectionNumber: 3, SectionOffset: 1 << 40}},
		{Kind: StateAccepted},
		{Kind: StateRejected},
		{Kind: StateRejected, Rejected: Rejected{Error: &Error{Condition: CondNotAllowed, Description: "no"}}},
		{Kind: StateReleased},
		{Kind: StateModified, Modified: Modified{DeliveryFailed: true, UndeliverableHere: true, MessageAnnotations: annotations}},
		{Kind: StateDeclared, Declared: &Declared{TxnID: []byte{7}}},
		{Kind: StateTransactional, Transactional: &TransactionalState{TxnID: []byte{7}, Outcome: DeliveryState{Kind: StateReleased}}},
		{Kind: StateUnknown, Unknown: unhex(t, "00 a3 01 78 c0 02 01 40")},
	} {
		t.Run(s.Kind.String(), func(t *testing.T) {
			p := (&Disposition{State: s}).Append(nil)
			var d Disposition
			r := NewReader(p)
			require.NoError(t, d.Decode(&r))
			require.Equal(t, s, d.State)
			kept := d.State.Clone()
			clear(p)
			require.Equal(t, s, kept, "a clone does not alias the input")
		})
	}
}

// TestOutcomesOnly: a state that is not final can't be an outcome, and so states
// can't nest without end.
func TestOutcomesOnly(t *testing.T) {
	inner := DeliveryState{Kind: StateTransactional, Transactional: &TransactionalState{TxnID: []byte{1}}}
	for _, s := range []DeliveryState{inner, {Kind: StateReceived}} {
		state := TransactionalState{TxnID: []byte{1}, Outcome: s}
		r := NewReader(state.Append(nil))
		require.ErrorContains(t, new(TransactionalState).Decode(&r), "amqp:invalid-field: transactional-state.outcome")
		source := Source{DefaultOutcome: s}
		r = NewReader(source.Append(nil))
		require.ErrorContains(t, new(Source).Decode(&r), "amqp:invalid-field: source.default-outcome")
	}
}

// TestErrorsNameTheWholeWay from the performative to the field that is wrong.
func TestErrorsNameTheWholeWay(t *testing.T) {
	list := func(d Descriptor, fields ...any) Described { return Described{uint64(d), List(fields)} }
	for want, v := range map[string]any{
		"amqp:decode-error: attach.source.address: want string, got uint": list(DescAttach, "l", uint32(0), true, nil, nil,
			list(DescSource, uint32(1))),
		"amqp:invalid-field: detach.error.condition: the field is mandatory": list(DescDetach, uint32(0), true, list(DescError)),
		"amqp:invalid-field: disposition.state.error.condition: the field is mandatory": list(DescDisposition, true, uint32(0),
			nil, nil, list(DescRejected, list(DescError, nil, "x"))),
		"amqp:invalid-field: transfer.delivery-tag: a delivery tag has more than 32 bytes": list(DescTransfer, uint32(0), nil,
			make([]byte, 33)),
		"amqp:invalid-field: attach.snd-settle-mode: the value has no meaning": list(DescAttach, "l", uint32(0), true, uint8(3)),
		"amqp:invalid-field: target.durable: the value has no meaning":         list(DescTarget, nil, uint32(3)),
		"amqp:invalid-field: sasl-outcome.code: the value has no meaning":      list(DescSASLOutcome, uint8(5)),
		"amqp:decode-error: open.offered-capabilities: want symbols": list(DescOpen, "c", nil, nil, nil, nil, nil, nil,
			Array{Type: TypeString}),
		"amqp:decode-error: flow.properties: want map, got list": list(DescFlow, nil, uint32(0), uint32(0), uint32(0), nil, nil,
			nil, nil, nil, nil, List{}),
		"amqp:decode-error: open: the list has more fields than the type": list(DescOpen, "c", nil, nil, nil, nil, nil, nil, nil,
			nil, nil, nil),
		"amqp:decode-error: disposition.state: want a described value, got uint": list(DescDisposition, true, uint32(0), nil, nil, uint32(1)),
	} {
		p := AppendAny(nil, v)
		d, err := PeekDescriptor(p)
		require.NoError(t, err)
		r := NewReader(p)
		require.EqualError(t, newComposite(t, d).Decode(&r), want)
	}
	r := NewReader((&End{}).Append(nil))
	require.EqualError(t, new(Begin).Decode(&r), "amqp:decode-error: begin: want begin, got end")
}

// TestAttachTermini: each kind of terminus finds its field, and unknown ones pass.
func TestAttachTermini(t *testing.T) {
	unknown := Raw(unhex(t, "00 a3 01 78 45"))
	for _, a := range []Attach{
		{},
		{Source: &Source{ExpiryPolicy: ExpirySessionEnd}, Target: &Target{Address: Some(""), ExpiryPolicy: ExpiryNever}},
		{Coordinator: &Coordinator{Capabilities: []Symbol{TxnLocal}}},
		{UnknownSource: unknown, UnknownTarget: unknown},
	} {
		p := a.Append(nil)
		var got Attach
		r := NewReader(p)
		require.NoError(t, got.Decode(&r))
		clear(p)
		require.Equal(t, a, got, "an attach owns its memory")
	}
}

// TestSingleForMultiple: [amqp-types 1.4] a field with multiple="true" may have a
// single value in place of an array.
func TestSingleForMultiple(t *testing.T) {
	r := NewReader(AppendAny(nil, Described{uint64(DescSASLMechanisms), List{Symbol("PLAIN")}}))
	var m SASLMechanisms
	require.NoError(t, m.Decode(&r))
	require.Equal(t, []Symbol{"PLAIN"}, m.SASLServerMechanisms)
	// [amqp-security 5.3.3.1] "It is invalid for this list to be null or empty."
	r = NewReader(AppendAny(nil, Described{uint64(DescSASLMechanisms), List{Array{Type: TypeSymbol}}}))
	require.ErrorContains(t, m.Decode(&r), "amqp:invalid-field")
}

// TestKnownSymbolsAreShared: a condition that comes with every rejected message
// costs no memory.
func TestKnownSymbolsAreShared(t *testing.T) {
	p := AppendSymbol(nil, CondResourceLimitExceeded)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		r := NewReader(p)
		if s, err := r.ReadSymbol(); err != nil || s != CondResourceLimitExceeded {
			panic(s)
		}
	}))
}

func TestErrorText(t *testing.T) {
	require.EqualError(t, &Error{Condition: CondNotFound}, "amqp:not-found")
	require.EqualError(t, &Error{Condition: CondNotFound, Description: "no such queue"}, "amqp:not-found: no such queue")
	require.Equal(t, "header.ttl: bad", (&DecodeError{Composite: "header", Field: "ttl", Reason: "bad"}).Description())
	require.Equal(t, "bad", (&DecodeError{Reason: "bad"}).Description())
}
