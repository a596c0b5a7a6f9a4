package wire

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMessageRoundTrip(t *testing.T) {
	for name, m := range map[string]Message{
		"empty": {},
		"all sections": {
			Header:                &Header{Durable: true, Priority: Some[uint8](1), TTL: Some[uint32](5), FirstAcquirer: true, DeliveryCount: 2},
			DeliveryAnnotations:   Map{{Symbol("d"), nil}},
			MessageAnnotations:    Map{{Symbol("m"), Timestamp(1)}},
			Properties:            &Properties{MessageID: UUID{1}, UserID: []byte("u"), CorrelationID: uint64(1), GroupSequence: Some[uint32](0)},
			ApplicationProperties: Map{{"p", int64(-1)}},
			Data:                  [][]byte{{1}, {}},
			Footer:                Map{},
		},
		"sequences":  {Sequences: []List{{uint32(1), "two"}, {}}},
		"value":      {Value: Some[any](Map{{"k", List{true}}})},
		"null value": {Value: Some[any](nil)},
	} {
		t.Run(name, func(t *testing.T) {
			p := m.Append(nil)
			var got Message
			require.NoError(t, got.Decode(p))
			clear(p)
			require.Equal(t, m, got, "a message owns its memory")
		})
	}
}

func TestMessageDecodeErrors(t *testing.T) {
	var m Message
	require.ErrorContains(t, m.Decode(unhex(t, hexData+hexHeader)), "stands behind")
	p := AppendAny(nil, Described{uint64(DescProperties), List{true}})
	require.ErrorContains(t, m.Decode(p), "properties.message-id: want ulong, uuid, binary or string")
	require.ErrorContains(t, m.Decode(unhex(t, "00 53 77 c0 02 01 ff")), "message.amqp-value: the format code 0xff")
}
