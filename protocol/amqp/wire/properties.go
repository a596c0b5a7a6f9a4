package wire

import "bytes"

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

// Descriptor returns DescProperties.
func (*Properties) Descriptor() Descriptor { return DescProperties }

// Append implements Composite.
func (p *Properties) Append(b []byte) []byte {
	w := writeFields(b, DescProperties)
	w.any(p.MessageID)
	w.binary(p.UserID)
	w.stringUnlessEmpty(p.To)
	w.stringUnlessEmpty(p.Subject)
	w.stringUnlessEmpty(p.ReplyTo)
	w.any(p.CorrelationID)
	w.symbolUnless("", p.ContentType)
	w.symbolUnless("", p.ContentEncoding)
	w.optTimestamp(p.AbsoluteExpiryTime)
	w.optTimestamp(p.CreationTime)
	w.stringUnlessEmpty(p.GroupID)
	w.optUint(p.GroupSequence)
	w.stringUnlessEmpty(p.ReplyToGroupID)
	return w.close()
}

// Decode implements Composite.
func (p *Properties) Decode(r *Reader) error {
	f := readFields(r, DescProperties)
	*p = Properties{
		MessageID:          f.messageID("message-id"),
		UserID:             bytes.Clone(f.binary("user-id")),
		To:                 f.string("to").V,
		Subject:            f.string("subject").V,
		ReplyTo:            f.string("reply-to").V,
		CorrelationID:      f.messageID("correlation-id"),
		ContentType:        f.symbol("content-type").V,
		ContentEncoding:    f.symbol("content-encoding").V,
		AbsoluteExpiryTime: f.timestamp("absolute-expiry-time"),
		CreationTime:       f.timestamp("creation-time"),
		GroupID:            f.string("group-id").V,
		GroupSequence:      f.uint("group-sequence"),
		ReplyToGroupID:     f.string("reply-to-group-id").V,
	}
	return f.close()
}

// messageID reads an identifier of one of the four types of [amqp-messaging 3.2.11].
func (f *fieldReader) messageID(field string) any {
	v := f.any(field)
	switch v.(type) {
	case nil, uint64, UUID, []byte, string:
	default:
		f.fail(decodeError("want ulong, uuid, binary or string"))
	}
	return v
}
