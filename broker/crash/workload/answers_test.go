package workload

import (
	"testing"

	"github.com/stretchr/testify/require"

	"entrepot/protocol/amqp/wire"
)

func frame(body func(b []byte) []byte, payload int) []byte {
	b := wire.BeginFrame(nil, wire.FrameAMQP, 0)
	b = append(body(b), make([]byte, payload)...)
	wire.EndFrame(b, 0)
	return b
}

// What a broker may say to a consumer: two deliveries, one of them long, and their
// ends, one of which is not as the client said.
func conversation() []byte {
	b := []byte("AMQP\x00\x01\x00\x00")
	for i, payload := range []int{10, 5000} {
		transfer := wire.Transfer{DeliveryID: wire.Some(uint32(7 + i)), DeliveryTag: []byte{byte(i)}}
		b = append(b, frame(transfer.Append, payload)...)
	}
	b = wire.AppendEmptyFrame(b)
	for i, kind := range []wire.StateKind{wire.StateAccepted, wire.StateReleased} {
		end := wire.Disposition{Role: wire.RoleSender, First: uint32(7 + i), Settled: true, State: wire.DeliveryState{Kind: kind}}
		b = append(b, frame(end.Append, 0)...)
	}
	return b
}

func TestAnswersAreHeardHoweverTheyAreCut(t *testing.T) {
	text := conversation()
	for _, step := range []int{1, 3, 7, 100, len(text)} {
		a := newAnswers(nil)
		for rest := text; len(rest) > 0; {
			n := min(step, len(rest))
			a.feed(rest[:n])
			rest = rest[n:]
		}
		require.True(t, a.agreed([]byte{0}, wire.StateAccepted), "in steps of %d", step)
		require.False(t, a.agreed([]byte{1}, wire.StateAccepted), "the broker has released it")
		require.False(t, a.agreed([]byte{9}, wire.StateAccepted), "never delivered")
		require.Empty(t, a.ids)
		require.Empty(t, a.states)
	}
}
