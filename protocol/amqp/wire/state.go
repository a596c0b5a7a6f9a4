package wire

// Kinds of DeliveryState. The zero value is no state.
const (
	StateNone StateKind = iota
	StateReceived
	StateAccepted
	StateRejected
	StateReleased
	StateModified
	StateDeclared
	StateTransactional
	// StateUnknown is a described type that the specification does not define.
	StateUnknown
)

// StateKind tells which state a DeliveryState is.
type StateKind uint8

// DeliveryState is one of the delivery states and outcomes [amqp-messaging 3.4,
// amqp-transactions 4.5.5, 4.5.7]: the kind, and the fields of that kind; those of
// the others are zero. Small and of one size, so that it travels by value.
// Modified.MessageAnnotations and Unknown alias the input; Clone parts with it.
type DeliveryState struct {
	Kind     StateKind
	Received Received
	Modified Modified
	Rejected Rejected
	// Declared and Transactional are set for their kinds.
	Declared      *Declared
	Transactional *TransactionalState
	// Unknown is a StateUnknown as it came.
	Unknown Raw
}

// Received is how much of a message has arrived [amqp-messaging 3.4.1].
type Received struct {
	SectionNumber uint32
	SectionOffset uint64
}

// Accepted: the message was processed [amqp-messaging 3.4.2].
type Accepted struct{}

// Rejected: the message is invalid [amqp-messaging 3.4.3].
type Rejected struct{ Error *Error }

// Released: the message was not and will not be processed [amqp-messaging 3.4.4].
type Released struct{}

// Modified: as Released, and the message changes [amqp-messaging 3.4.5].
type Modified struct {
	DeliveryFailed    bool
	UndeliverableHere bool
	// MessageAnnotations is a map, as it came; it aliases the input.
	MessageAnnotations Raw
}
