package wire

// Properties is the section of immutable standard properties [amqp-messaging
// 3.2.4]. It owns its memory. Empty strings and nil are absent.
type Properties struct {
	// MessageID and CorrelationID are uint64, UUID, []byte or string, or nil.
	MessageID          any
	UserID             []byte
	To                 string
	Subject            string
	ReplyTo            string
	CorrelationID      any
	ContentType        Symbol
	ContentEncoding    Symbol
	AbsoluteExpiryTime Opt[Timestamp]
	CreationTime       Opt[Timestamp]
	GroupID            string
	GroupSequence      Opt[uint32]
	ReplyToGroupID     string
}
