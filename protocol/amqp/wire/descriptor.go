package wire

import "strings"

// Descriptor is the numeric descriptor of a described type of the specification.
type Descriptor uint64

// The descriptors [amqp-transport 2.7, amqp-messaging 3.2-3.5, amqp-transactions
// 4.5, amqp-security 5.3.3].
const (
	DescOpen        Descriptor = 0x10
	DescBegin       Descriptor = 0x11
	DescAttach      Descriptor = 0x12
	DescFlow        Descriptor = 0x13
	DescTransfer    Descriptor = 0x14
	DescDisposition Descriptor = 0x15
	DescDetach      Descriptor = 0x16
	DescEnd         Descriptor = 0x17
	DescClose       Descriptor = 0x18
	DescError       Descriptor = 0x1d

	DescReceived Descriptor = 0x23
	DescAccepted Descriptor = 0x24
	DescRejected Descriptor = 0x25
	DescReleased Descriptor = 0x26
	DescModified Descriptor = 0x27

	DescSource                    Descriptor = 0x28
	DescTarget                    Descriptor = 0x29
	DescDeleteOnClose             Descriptor = 0x2b
	DescDeleteOnNoLinks           Descriptor = 0x2c
	DescDeleteOnNoMessages        Descriptor = 0x2d
	DescDeleteOnNoLinksOrMessages Descriptor = 0x2e

	DescCoordinator        Descriptor = 0x30
	DescDeclare            Descriptor = 0x31
	DescDischarge          Descriptor = 0x32
	DescDeclared           Descriptor = 0x33
	DescTransactionalState Descriptor = 0x34

	DescSASLMechanisms Descriptor = 0x40
	DescSASLInit       Descriptor = 0x41
	DescSASLChallenge  Descriptor = 0x42
	DescSASLResponse   Descriptor = 0x43
	DescSASLOutcome    Descriptor = 0x44

	DescHeader                Descriptor = 0x70
	DescDeliveryAnnotations   Descriptor = 0x71
	DescMessageAnnotations    Descriptor = 0x72
	DescProperties            Descriptor = 0x73
	DescApplicationProperties Descriptor = 0x74
	DescData                  Descriptor = 0x75
	DescAMQPSequence          Descriptor = 0x76
	DescAMQPValue             Descriptor = 0x77
	DescFooter                Descriptor = 0x78

	// DescUnknown stands for every descriptor that the specification does not
	// define, of whatever type.
	DescUnknown Descriptor = 1<<64 - 1
)

// descriptorNames are the symbolic descriptors, which mean the same.
var descriptorNames = [...]string{
	DescOpen: "amqp:open:list", DescBegin: "amqp:begin:list", DescAttach: "amqp:attach:list",
	DescFlow: "amqp:flow:list", DescTransfer: "amqp:transfer:list",
	DescDisposition: "amqp:disposition:list", DescDetach: "amqp:detach:list",
	DescEnd: "amqp:end:list", DescClose: "amqp:close:list", DescError: "amqp:error:list",

	DescReceived: "amqp:received:list", DescAccepted: "amqp:accepted:list",
	DescRejected: "amqp:rejected:list", DescReleased: "amqp:released:list",
	DescModified: "amqp:modified:list",

	DescSource: "amqp:source:list", DescTarget: "amqp:target:list",
	DescDeleteOnClose:             "amqp:delete-on-close:list",
	DescDeleteOnNoLinks:           "amqp:delete-on-no-links:list",
	DescDeleteOnNoMessages:        "amqp:delete-on-no-messages:list",
	DescDeleteOnNoLinksOrMessages: "amqp:delete-on-no-links-or-messages:list",

	DescCoordinator: "amqp:coordinator:list", DescDeclare: "amqp:declare:list",
	DescDischarge: "amqp:discharge:list", DescDeclared: "amqp:declared:list",
	DescTransactionalState: "amqp:transactional-state:list",

	DescSASLMechanisms: "amqp:sasl-mechanisms:list", DescSASLInit: "amqp:sasl-init:list",
	DescSASLChallenge: "amqp:sasl-challenge:list", DescSASLResponse: "amqp:sasl-response:list",
	DescSASLOutcome: "amqp:sasl-outcome:list",

	DescHeader: "amqp:header:list", DescDeliveryAnnotations: "amqp:delivery-annotations:map",
	DescMessageAnnotations: "amqp:message-annotations:map", DescProperties: "amqp:properties:list",
	DescApplicationProperties: "amqp:application-properties:map", DescData: "amqp:data:binary",
	DescAMQPSequence: "amqp:amqp-sequence:list", DescAMQPValue: "amqp:amqp-value:*",
	DescFooter: "amqp:footer:map",
}

// descriptors is descriptorNames the other way round.
var descriptors = func() map[string]Descriptor {
	m := make(map[string]Descriptor)
	for d, name := range descriptorNames {
		if name != "" {
			m[name] = Descriptor(d)
		}
	}
	return m
}()

func (d Descriptor) known() bool {
	return d < Descriptor(len(descriptorNames)) && descriptorNames[d] != ""
}

// String returns the specification's name of the type, like "transfer".
func (d Descriptor) String() string {
	if !d.known() {
		return "unknown"
	}
	return strings.Split(descriptorNames[d], ":")[1]
}

// ReadDescriptor reads the beginning of a described value. It accepts numeric
// and symbolic descriptors and returns DescUnknown for those that the
// specification does not define; a value that is not described is an error.
func (r *Reader) ReadDescriptor() (Descriptor, error) {
	// All that is ever seen: 0x00, smallulong, number.
	if p := r.buf[r.off:]; len(p) > 2 && p[0] == codeDescribed && p[1] == codeSmallUlong {
		r.off += 3
		return numericDescriptor(uint64(p[2])), nil
	}
	c, err := r.code()
	if err != nil {
		return 0, err
	}
	if c != codeDescribed {
		return 0, decodeError("want a described value, got " + typeOf[c].String())
	}
	if r.Len() == 0 {
		return 0, errTruncated
	}
	switch typeOf[r.buf[r.off]] {
	case TypeUlong:
		n, err := r.ReadUlong()
		return numericDescriptor(n), err
	case TypeSymbol:
		p, err := r.ReadSymbolBytes()
		if d, ok := descriptors[string(p)]; ok {
			return d, err
		}
		return DescUnknown, err
	}
	return DescUnknown, r.Skip()
}

func numericDescriptor(n uint64) Descriptor {
	if d := Descriptor(n); d.known() {
		return d
	}
	return DescUnknown
}

// PeekDescriptor is ReadDescriptor for the beginning of p: which performative a
// frame's body is.
func PeekDescriptor(p []byte) (Descriptor, error) {
	r := NewReader(p)
	return r.ReadDescriptor()
}

// peekDescriptor is ReadDescriptor without moving.
func (r *Reader) peekDescriptor() (Descriptor, error) {
	ahead := *r
	return ahead.ReadDescriptor()
}
