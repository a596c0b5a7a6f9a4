package wire

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

// Composite is a described list of the specification. Append writes exactly what
// Decode reads, descriptor and all. Hot paths call the methods of the concrete
// types, so that nothing escapes to the heap.
type Composite interface {
	Descriptor() Descriptor
	// Append appends the encoded composite to b.
	Append(b []byte) []byte
	// Decode reads the composite in place and forgets what was there before.
	// After an error (always a *DecodeError that names composite and field) the
	// contents and the reader's position are undefined.
	Decode(r *Reader) error
}
