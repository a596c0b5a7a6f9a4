package broker

import (
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"entrepot/queue"
)

// The bytes are a promise between versions: a mixed cluster speaks them.
func TestDispatchWireBytes(t *testing.T) {
	head := relayHeader{relayInputs, 2, 7}.append(nil)
	require.Equal(t, "01010002"+"0000000000000007", hex.EncodeToString(head))

	inputs := []struct {
		in   dispatchInput
		want string
	}{
		{dispatchInput{kind: inputAttach, consumer: 5, queue: 300, attach: &attachRequest{
			options: queue.AttachOptions{Browse: true, MaxUnsettled: 9}, maxDeliveries: 3, from: 1}},
			"01" + "05" + "ac02" + "01" + "09" + "03" + "01"},
		{dispatchInput{kind: inputDetach, consumer: 5}, "02" + "05"},
		{dispatchInput{kind: inputLimit, consumer: 5, limit: 128}, "03" + "05" + "8001"},
		{dispatchInput{kind: inputDrain, consumer: 5, limit: 1, ref: 2}, "04" + "05" + "01" + "02"},
		{dispatchInput{kind: inputOutcome, consumer: 5, seq: 4, ref: 3,
			outcome: queue.Outcome{Kind: queue.Modified, Failed: true, Here: true, Annotations: []byte{0xAA}}},
			"05" + "05" + "04" + "03" + "03" + "03" + "01aa"},
		{dispatchInput{kind: inputReturn, consumer: 5, seq: 4}, "06" + "05" + "04"},
		{dispatchInput{kind: inputConfigure, queue: 8, limit: 6}, "07" + "00" + "08" + "06"},
		{dispatchInput{kind: inputLate, consumer: 5, seq: 4, ref: 3, outcome: queue.Outcome{Kind: queue.RejectedKind}},
			"08" + "05" + "04" + "03" + "04" + "00" + "00" + "00"},
		{dispatchInput{kind: inputLate, consumer: 5, seq: 4, ref: 3,
			outcome: queue.Outcome{Kind: queue.Modified, Failed: true, Again: true, Failures: 2, Annotations: []byte{0xAA}}},
			"08" + "05" + "04" + "03" + "03" + "05" + "02" + "01aa"},
		{dispatchInput{kind: inputSent, consumer: 5, seq: 4}, "09" + "05" + "04"},
	}
	for _, c := range inputs {
		require.Equal(t, c.want, hex.EncodeToString(appendInput(nil, &c.in)))
	}

	deliver := queue.Effect{Kind: queue.EffectDeliver, Consumer: 5, Message: queue.Message{
		Queue: 1, Seq: 2, Flags: 1, FirstAcquirer: true, DeliveryCount: 3, DeadlineMillis: 4, ArrivedMillis: 5,
		Annotations: []byte{0xA1}, Payload: []byte{0xB1, 0xB2}}}
	require.Equal(t, "01"+"05"+"01"+"02"+"01"+"01"+"03"+"04"+"05"+"01a1"+"02b1b2",
		hex.EncodeToString(appendNotice(nil, &deliver)))
	require.Equal(t, "01"+"05"+"00"+"00"+"00"+"02"+"01"+"00"+"00"+"00"+"00", hex.EncodeToString(appendNotice(nil,
		&queue.Effect{Kind: queue.EffectDeliver, Consumer: 5, Message: queue.Message{DeliveryCount: 1, Implied: true}})))
	require.Equal(t, "03"+"05"+"09",
		hex.EncodeToString(appendNotice(nil, &queue.Effect{Kind: queue.EffectConfirmed, Consumer: 5, Ref: 9})))
	require.Equal(t, "06"+"05"+"04",
		hex.EncodeToString(appendNotice(nil, &queue.Effect{Kind: queue.EffectRecall, Consumer: 5, Seq: 4})))
}

// What was written is read, item after item.
func TestDispatchWireRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var buf []byte
		var inputs []dispatchInput
		for range rapid.IntRange(0, 20).Draw(t, "inputs") {
			in := drawInput(t)
			inputs = append(inputs, in)
			buf = appendInput(buf, &in)
		}
		r := relayReader{b: buf}
		for i := range inputs {
			got, err := r.input()
			require.NoError(t, err)
			if want := inputs[i]; want.kind == inputAttach {
				require.Equal(t, *want.attach, *got.attach)
				got.attach = want.attach
			}
			require.Equal(t, inputs[i], got)
		}
		require.False(t, r.more())
	})
}

func drawInput(t *rapid.T) dispatchInput {
	in := dispatchInput{
		kind:     rapid.SampledFrom([]inputKind{inputAttach, inputDetach, inputLimit, inputDrain, inputOutcome, inputReturn, inputLate, inputSent}).Draw(t, "kind"),
		consumer: queue.ConsumerID(rapid.Uint64().Draw(t, "consumer")),
	}
	number := rapid.Uint64()
	switch in.kind {
	case inputAttach:
		in.queue = queue.ID(rapid.Uint32().Draw(t, "queue"))
		in.attach = &attachRequest{id: in.consumer, maxDeliveries: rapid.Uint32().Draw(t, "max"), from: queue.Seq(number.Draw(t, "from"))}
		in.attach.options.Browse = rapid.Bool().Draw(t, "browse")
	case inputLimit:
		in.limit = number.Draw(t, "limit")
	case inputDrain:
		in.limit, in.ref = number.Draw(t, "limit"), number.Draw(t, "ref")
	case inputOutcome:
		in.seq, in.ref = queue.Seq(number.Draw(t, "seq")), number.Draw(t, "ref")
		in.outcome.Kind = rapid.SampledFrom([]queue.OutcomeKind{queue.Accepted, queue.Released, queue.Modified, queue.RejectedKind}).Draw(t, "outcome")
		in.outcome.Failed = rapid.Bool().Draw(t, "failed")
	case inputLate:
		in.seq, in.ref = queue.Seq(number.Draw(t, "seq")), number.Draw(t, "ref")
		in.outcome = rapid.SampledFrom([]queue.Outcome{
			{Kind: queue.Accepted}, {Kind: queue.RejectedKind}, {Kind: queue.Modified, Failed: true, Again: true, Failures: 300},
			{Kind: queue.Modified, Annotations: []byte("note")}, {Kind: queue.Modified, Failed: true, Here: true},
		}).Draw(t, "outcome")
	case inputReturn, inputSent:
		in.seq = queue.Seq(number.Draw(t, "seq"))
	}
	return in
}

// Whatever another node sends, this one does not fall over it: it is an error, or
// it is what it says.
func FuzzDispatchWire(f *testing.F) {
	f.Add(appendInput(nil, &dispatchInput{kind: inputOutcome, consumer: 1, seq: 2, outcome: queue.Outcome{Kind: queue.Accepted}}))
	f.Add(appendNotice(nil, &queue.Effect{Kind: queue.EffectDeliver, Consumer: 5, Message: queue.Message{Payload: []byte("x")}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := relayReader{b: data}
		for r.more() {
			if in, err := r.input(); err == nil {
				again := relayReader{b: appendInput(nil, &in)}
				_, err := again.input()
				require.NoError(t, err)
			}
		}
		if list, err := readNotices(data); err == nil {
			var buf []byte
			for i := range list {
				buf = appendNotice(buf, &list[i].effect)
			}
			again, err := readNotices(buf)
			require.NoError(t, err)
			require.Equal(t, list, again)
		}
	})
}
