package wire

// An encoded message [amqp-messaging 3.2]: sections in this order, each a
// described value, each but the body optional.
//
//	0x70 header                 list     rewritten at every node
//	0x71 delivery-annotations   map      for the next node only
//	0x72 message-annotations    map
//	0x73 properties             list     from here on the bare message:
//	0x74 application-properties map      never changed
//	0x75 data                   binary   one or more: the body, or
//	0x76 amqp-sequence          list     one or more: the body, or
//	0x77 amqp-value             any      one: the body
//	0x78 footer                 map
//
// The specification wants a body; clients that send none are let through.

// Span is a section's place in the encoded message, descriptor included.
type Span struct{ Start, End int }

// Empty reports whether the section is absent.
func (s Span) Empty() bool { return s.Start == s.End }

// Of returns the section's bytes in the message p, which they alias.
func (s Span) Of(p []byte) []byte { return p[s.Start:s.End:s.End] }

// BodyKind tells the three kinds of bodies apart.
type BodyKind uint8

// The kinds of bodies.
const (
	BodyNone BodyKind = iota
	BodyData
	BodySequence
	BodyValue
)

// Sections is the outline of an encoded message.
type Sections struct {
	Header, DeliveryAnnotations, MessageAnnotations Span
	Properties, ApplicationProperties, Body, Footer Span
	BodyKind                                        BodyKind
}

// ScanMessage outlines the complete encoded message p without allocating. It
// checks kind, order, type and size of the sections, decodes the header, and walks
// over the entries of lists and maps before the body, so that what is accepted can
// be patched later. It doesn't look into the body, or into entries.
func ScanMessage(p []byte) (Sections, error) {
	var s Sections
	r := NewReader(p)
	var last Descriptor
	for r.Len() > 0 {
		start := r.off
		d, err := r.ReadDescriptor()
		if err != nil {
			return s, sectionError(d, err)
		}
		if err := checkOrder(last, d); err != nil {
			return s, sectionError(d, err)
		}
		if err := r.skipSection(d, start); err != nil {
			return s, sectionError(d, err)
		}
		s.note(d, Span{Start: start, End: r.off})
		last = d
	}
	return s, nil
}

// place is a section's position in a message; the three bodies share one.
func place(d Descriptor) Descriptor {
	if d == DescAMQPSequence || d == DescAMQPValue {
		return DescData
	}
	return d
}

// checkOrder reports whether the section d may follow the section last.
func checkOrder(last, d Descriptor) error {
	switch {
	case d < DescHeader || d > DescFooter:
		return decodeError("want a section of a message")
	case d == last && (d == DescData || d == DescAMQPSequence):
		return nil
	case place(d) < place(last):
		return decodeError("the section stands behind " + last.String())
	case place(d) == place(last):
		return decodeError("the section comes after " + last.String() + ", of which there may be no more")
	}
	return nil
}

// skipSection steps over what follows the descriptor of the section that begins at
// start.
func (r *Reader) skipSection(d Descriptor, start int) error {
	switch d {
	case DescHeader:
		var h Header
		r.off = start
		return h.Decode(r)
	case DescProperties:
		return r.walk(TypeList)
	case DescDeliveryAnnotations, DescMessageAnnotations, DescApplicationProperties, DescFooter:
		return r.walk(TypeMap)
	case DescAMQPValue:
		return r.Skip()
	}
	want := TypeBinary
	if d == DescAMQPSequence {
		want = TypeList
	}
	c, err := r.typed(want)
	if err != nil {
		return err
	}
	return r.skipUntyped(c)
}

// note keeps the place of a section; a body grows with each of its sections.
func (s *Sections) note(d Descriptor, at Span) {
	switch d {
	case DescHeader:
		s.Header = at
	case DescDeliveryAnnotations:
		s.DeliveryAnnotations = at
	case DescMessageAnnotations:
		s.MessageAnnotations = at
	case DescProperties:
		s.Properties = at
	case DescApplicationProperties:
		s.ApplicationProperties = at
	case DescFooter:
		s.Footer = at
	default:
		if s.BodyKind == BodyNone {
			s.Body.Start = at.Start
			s.BodyKind = BodyData + BodyKind(d-DescData)
		}
		s.Body.End = at.End
	}
}

// sectionError names the section in an error.
func sectionError(d Descriptor, err error) error {
	section := ""
	if d.known() {
		section = d.String()
	}
	return located(err, "message", section)
}

// Expiry is what a message says about how long it is worth something.
type Expiry struct {
	// TTL is in milliseconds from the arrival.
	TTL                Opt[uint32]
	AbsoluteExpiryTime Opt[Timestamp]
}

// absoluteExpiryField is the number of fields before absolute-expiry-time.
const absoluteExpiryField = 8

// Expiry reads what the message p, whose outline is s, says about its end. It
// allocates nothing.
func (s *Sections) Expiry(p []byte) (Expiry, error) {
	var e Expiry
	if !s.Header.Empty() {
		var h Header
		r := NewReader(s.Header.Of(p))
		if err := h.Decode(&r); err != nil {
			return e, err
		}
		e.TTL = h.TTL
	}
	if s.Properties.Empty() {
		return e, nil
	}
	r := NewReader(s.Properties.Of(p))
	f := readFields(&r, DescProperties)
	for range absoluteExpiryField {
		f.skip()
	}
	e.AbsoluteExpiryTime = f.timestamp("absolute-expiry-time")
	return e, f.err()
}
