package wire

// MaxDeliveryTag is the most bytes that a delivery tag has [amqp-transport 2.8.7].
const MaxDeliveryTag = 32

// Transfer carries a message, or a part of one, which follows it in the frame
// [amqp-transport 2.7.5]. DeliveryTag and State alias the input.
type Transfer struct {
	Handle     uint32
	DeliveryID Opt[uint32]
	// DeliveryTag: nil is absent; a tag may also be there and empty.
	DeliveryTag   []byte
	MessageFormat Opt[uint32]
	Settled       Opt[bool]
	More          bool
	RcvSettleMode Opt[ReceiverSettleMode]
	State         DeliveryState
	Resume        bool
	Aborted       bool
	Batchable     bool
}

// Disposition tells the state of a range of deliveries [amqp-transport 2.7.6].
// State aliases the input.
type Disposition struct {
	// Role is the role of the end that sends the disposition.
	Role  Role
	First uint32
	// Last: absent is the same as First.
	Last      Opt[uint32]
	Settled   bool
	State     DeliveryState
	Batchable bool
}
