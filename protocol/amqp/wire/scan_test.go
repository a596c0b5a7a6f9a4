package wire

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Sections of a message, as literal bytes.
const (
	hexHeader  = "00 53 70 c0 02 01 41"
	hexDA      = "00 53 71 c1 05 02 a3 01 64 43"
	hexMA      = "00 53 72 c1 05 02 a3 01 6d 43"
	hexProps   = "00 53 73 c0 04 01 a1 01 69"
	hexAppProp = "00 53 74 c1 05 02 a1 01 70 43"
	hexData    = "00 53 75 a0 01 ff"
	hexSeq     = "00 53 76 45"
	hexValue   = "00 53 77 40"
	hexFooter  = "00 53 78 c1 01 00"
)

func TestScanWholeMessage(t *testing.T) {
	p := unhex(t, hexHeader+hexDA+hexMA+hexProps+hexAppProp+hexData+hexData+hexFooter)
	s, err := ScanMessage(p)
	require.NoError(t, err)
	require.Equal(t, Sections{
		Header: Span{0, 7}, DeliveryAnnotations: Span{7, 17}, MessageAnnotations: Span{17, 27},
		Properties: Span{27, 36}, ApplicationProperties: Span{36, 46}, Body: Span{46, 58}, Footer: Span{58, 64},
		BodyKind: BodyData,
	}, s)
	require.Equal(t, unhex(t, hexData+hexData), s.Body.Of(p))
	for n := range p {
		_, err := ScanMessage(p[:n])
		atBoundary := n == 0 || n == 7 || n == 17 || n == 27 || n == 36 || n == 46 || n == 52 || n == 58
		require.Equal(t, atBoundary, err == nil, "cut off after %d bytes", n)
	}
}

func TestScanBodies(t *testing.T) {
	for hex, kind := range map[string]BodyKind{
		"": BodyNone, hexHeader: BodyNone, hexData: BodyData, hexSeq + hexSeq: BodySequence, hexValue: BodyValue,
		"00 53 75 b0 00 00 00 00": BodyData,
		// Descriptors in their other forms: eight bytes, and a symbol.
		"00 80 00 00 00 00 00 00 00 77 43":                BodyValue,
		"00 a3 10 616d71703a646174613a62696e617279 a0 00": BodyData,
	} {
		s, err := ScanMessage(unhex(t, hex))
		require.NoError(t, err, hex)
		require.Equal(t, kind, s.BodyKind, hex)
		require.Equal(t, kind == BodyNone, s.Body.Empty(), hex)
	}
}

func TestScanErrors(t *testing.T) {
	for _, c := range []struct{ name, hex, err string }{
		{"order", hexMA + hexDA, "message.delivery-annotations: the section stands behind message-annotations"},
		{"header twice", hexHeader + hexHeader, "message.header: the section comes after header"},
		{"body before properties", hexData + hexProps, "message.properties: the section stands behind data"},
		{"two values", hexValue + hexValue, "message.amqp-value: the section comes after amqp-value"},
		{"mixed bodies", hexData + hexSeq, "message.amqp-sequence: the section comes after data"},
		{"mixed bodies the other way", hexValue + hexData, "message.data: the section comes after amqp-value"},
		{"behind the footer", hexFooter + hexData, "message.data: the section stands behind footer"},
		{"no section", "00 53 10 45", "message.open: want a section of a message"},
		{"unknown descriptor", "00 53 79 45", "message: want a section of a message"},
		{"not described", "a1 01 61", "message: want a described value, got string"},
		{"header that is no list", "00 53 70 c1 01 00", "header: want list, got map"},
		{"header with a bad ttl", "00 53 70 c0 06 03 40 40 a1 01 61", "header.ttl: want uint, got string"},
		{"annotations that are no map", "00 53 72 45", "message.message-annotations: want map, got list"},
		{"annotations with a broken entry", "00 53 72 c1 03 02 a3 05", "message.message-annotations: the value is cut off"},
		{"data that is no binary", "00 53 75 a1 01 61", "message.data: want binary, got string"},
		{"sequence that is no list", "00 53 76 c1 01 00", "message.amqp-sequence: want list, got map"},
		{"properties that are no list", "00 53 73 40", "message.properties: want list, got null"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := ScanMessage(unhex(t, c.hex))
			var fault *DecodeError
			require.ErrorAs(t, err, &fault)
			require.Equal(t, CondDecodeError, fault.Condition)
			require.Contains(t, err.Error(), c.err)
		})
	}
}

func TestExpiry(t *testing.T) {
	expiry := Properties{MessageID: []byte("id"), To: "queue", AbsoluteExpiryTime: Some[Timestamp](1700000000000)}
	for _, c := range []struct {
		name string
		m    Message
		want Expiry
	}{
		{"nothing", Message{}, Expiry{}},
		{"empty sections", Message{Header: &Header{}, Properties: &Properties{}}, Expiry{}},
		{"ttl", Message{Header: &Header{TTL: Some[uint32](0)}}, Expiry{TTL: Some[uint32](0)}},
		{"both", Message{Header: &Header{TTL: Some[uint32](500)}, Properties: &expiry},
			Expiry{TTL: Some[uint32](500), AbsoluteExpiryTime: Some[Timestamp](1700000000000)}},
		{"fields behind it", Message{Properties: &Properties{GroupID: "g"}}, Expiry{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := c.m.Append(nil)
			s, err := ScanMessage(p)
			require.NoError(t, err)
			got, err := s.Expiry(p)
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
	p := AppendAny(nil, Described{uint64(DescProperties), List{nil, nil, nil, nil, nil, nil, nil, nil, "soon"}})
	s, err := ScanMessage(p)
	require.NoError(t, err, "the scan does not look into entries")
	_, err = s.Expiry(p)
	require.ErrorContains(t, err, "properties.absolute-expiry-time: want timestamp, got string")
}
