package wire

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFrameHeader(t *testing.T) {
	p := unhex(t, "00 00 00 0e 03 00 01 02  ff ff ff ff  aa bb")
	h, err := ParseFrameHeader(p, 512)
	require.NoError(t, err)
	require.Equal(t, FrameHeader{Size: 14, DataOffset: 3, Type: FrameAMQP, Channel: 0x0102}, h)
	require.Equal(t, []byte{0xaa, 0xbb}, h.Body(p), "the extended header is stepped over")
}

func TestFrameAppend(t *testing.T) {
	b := []byte("before")
	start := len(b)
	b = BeginFrame(b, FrameSASL, 0)
	b = append(b, 1, 2, 3)
	EndFrame(b, start)
	require.Equal(t, unhex(t, "00 00 00 0b 02 01 00 00 01 02 03"), b[start:])
	require.Equal(t, unhex(t, "00 00 00 08 02 00 00 00"), AppendEmptyFrame(nil))
}

func TestFrameErrors(t *testing.T) {
	for _, c := range []struct{ hex, field string }{
		{"00 00 00 07 02 00 00 00", "size"}, // smaller than the header
		{"00 00 00 00 02 00 00 00", "size"},
		{"00 00 00 08 01 00 00 00", "doff"}, // body within the header
		{"00 00 00 08 03 00 00 00", "doff"}, // body behind the frame
		{"00 00 02 01 02 00 00 00", "size"}, // 513 bytes
		{"ff ff ff ff 02 00 00 00", "size"},
		{"00 00 00 08 02 02 00 00", "type"},
	} {
		_, err := ParseFrameHeader(unhex(t, c.hex), 512)
		var fault *DecodeError
		require.ErrorAs(t, err, &fault, c.hex)
		require.Equal(t, CondFramingError, fault.Condition)
		require.Equal(t, c.field, fault.Field)
	}
	_, err := ParseFrameHeader(unhex(t, "00 00 02 00 02 00 00 00"), 512)
	require.NoError(t, err, "as large as the limit")
}

func TestProtocolHeader(t *testing.T) {
	for _, id := range []ProtocolID{ProtocolAMQP, ProtocolTLS, ProtocolSASL} {
		p := AppendProtocolHeader(nil, id)
		require.Equal(t, append([]byte("AMQP"), byte(id), 1, 0, 0), p)
		for n := range p {
			_, complete, err := ParseProtocolHeader(p[:n])
			require.NoError(t, err)
			require.False(t, complete)
		}
		got, complete, err := ParseProtocolHeader(append(p, "frames follow"...))
		require.NoError(t, err)
		require.True(t, complete)
		require.Equal(t, id, got)
	}
	for _, bad := range []string{"GET / HTTP/1.1", "B", "AMQP\x00\x00\x09\x01", "AMQP\x00\x01\x01", "\x16\x03\x01"} {
		_, complete, err := ParseProtocolHeader([]byte(bad))
		require.Error(t, err, "%q: seen with the first byte that is wrong", bad)
		require.False(t, complete)
	}
}
