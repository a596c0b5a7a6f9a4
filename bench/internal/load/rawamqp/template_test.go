package rawamqp

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"entrepot/bench/internal/load"
	"entrepot/protocol/amqp/wire"
)

// The hand-made head and the filler make a message that the codec takes, with the
// deadline and the stamp where they belong.
func TestTemplateIsAMessage(t *testing.T) {
	deadline := time.UnixMilli(1_700_000_000_123)
	for name, order := range map[string]load.Sending{
		"plain":         {Size: 1024},
		"small":         {Size: load.StampSize},
		"with deadline": {Size: 100, Deadline: func(int) time.Time { return deadline }},
	} {
		t.Run(name, func(t *testing.T) {
			message := append([]byte(nil), newTemplate(order).head(7, 4711)...)
			message = append(message, load.NewFiller(order.Size, load.RandomBody).Next()...)

			sections, err := wire.ScanMessage(message)
			require.NoError(t, err)
			require.Equal(t, wire.BodyData, sections.BodyKind)
			expiry, err := sections.Expiry(message)
			require.NoError(t, err)
			require.Equal(t, order.Deadline != nil, expiry.AbsoluteExpiryTime.Set)
			if order.Deadline != nil {
				require.EqualValues(t, deadline.UnixMilli(), expiry.AbsoluteExpiryTime.V)
			}

			stamp, err := stampOf(message)
			require.NoError(t, err)
			require.EqualValues(t, 4711, stamp)
		})
	}
}

func TestStampOfOtherMessages(t *testing.T) {
	short := []byte{0x00, 0x53, 0x75, 0xa0, 0x08, 0, 0, 0, 0, 0, 0, 0, 9} // vbin8, as other libraries write it
	stamp, err := stampOf(short)
	require.NoError(t, err)
	require.EqualValues(t, 9, stamp)

	for _, bad := range [][]byte{
		{0x00, 0x53, 0x75, 0xa0, 0x02, 0, 0}, // too short for a stamp
		{0x00, 0x53, 0x77, 0xa1, 0x01, 'x'},  // a value, not data
		{0x00, 0x53, 0x75, 0xb0, 0, 0, 1, 0}, // truncated
	} {
		_, err := stampOf(bad)
		require.Error(t, err, "% x", bad)
	}
}
