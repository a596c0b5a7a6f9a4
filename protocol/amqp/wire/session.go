package wire

// Begin begins a session on a channel [amqp-transport 2.7.2]. It owns its memory.
type Begin struct {
	// RemoteChannel is set by the end that answers.
	RemoteChannel  Opt[uint16]
	NextOutgoingID uint32
	IncomingWindow uint32
	OutgoingWindow uint32
	// HandleMax is the highest handle; Decode fills in DefaultHandleMax.
	HandleMax           uint32
	OfferedCapabilities []Symbol
	DesiredCapabilities []Symbol
	Properties          Map
}

// End ends a session [amqp-transport 2.7.8]. It owns its memory.
type End struct{ Error *Error }

// Flow updates the state of a session and, if Handle is set, of a link
// [amqp-transport 2.7.4]. Properties alias the input.
type Flow struct {
	NextIncomingID Opt[uint32]
	IncomingWindow uint32
	NextOutgoingID uint32
	OutgoingWindow uint32
	Handle         Opt[uint32]
	DeliveryCount  Opt[uint32]
	LinkCredit     Opt[uint32]
	Available      Opt[uint32]
	Drain          bool
	Echo           bool
	// Properties is a map, as it came.
	Properties Raw
}
