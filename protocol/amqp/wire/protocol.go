package wire

// A protocol header [amqp-transport 2.2], the first bytes in each direction of
// each layer:
//
//	+-----+-----+-----+-----+----+-------+-------+----------+
//	| 'A' | 'M' | 'Q' | 'P' | id | 1     | 0     | 0        |
//	+-----+-----+-----+-----+----+-------+-------+----------+
//	                              major   minor   revision

// ProtocolHeaderSize is the size of a protocol header in bytes.
const ProtocolHeaderSize = 8

// ProtocolID tells which layer begins.
type ProtocolID uint8

// The layers.
const (
	ProtocolAMQP ProtocolID = 0
	ProtocolTLS  ProtocolID = 2
	ProtocolSASL ProtocolID = 3
)

const protocolName, protocolVersion = "AMQP", "\x01\x00\x00"

// AppendProtocolHeader appends the protocol header of version 1.0.0.
func AppendProtocolHeader(b []byte, id ProtocolID) []byte {
	return append(append(append(b, protocolName...), byte(id)), protocolVersion...)
}

// ParseProtocolHeader reads the protocol header that p begins with. While p is
// shorter than one, complete is false; the error comes with the first byte that
// can't be part of one. What id means is for the caller to decide.
func ParseProtocolHeader(p []byte) (id ProtocolID, complete bool, err error) {
	p = p[:min(len(p), ProtocolHeaderSize)]
	for i, c := range p {
		switch {
		case i < 4 && c != protocolName[i]:
			return 0, false, headerError("want AMQP, got another protocol")
		case i == 4:
			id = ProtocolID(c)
		case i > 4 && c != protocolVersion[i-5]:
			return id, false, headerError("want version 1.0.0 of AMQP, got another one")
		}
	}
	return id, len(p) == ProtocolHeaderSize, nil
}

func headerError(reason string) error {
	return &DecodeError{Condition: CondFramingError, Composite: "protocol header", Reason: reason}
}
