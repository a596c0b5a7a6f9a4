package wire

import "fmt"

// Message is a whole message as Go values, for tools and tests; a broker passes
// messages on as they came. The zero Message has no sections. At most one of Data,
// Sequences and Value is set.
type Message struct {
	Header                *Header
	DeliveryAnnotations   Map
	MessageAnnotations    Map
	Properties            *Properties
	ApplicationProperties Map
	Data                  [][]byte
	Sequences             []List
	Value                 Opt[any]
	Footer                Map
}

// Append appends the encoded message.
func (m *Message) Append(b []byte) []byte {
	if m.Header != nil {
		b = m.Header.Append(b)
	}
	b = appendSection(b, DescDeliveryAnnotations, m.DeliveryAnnotations)
	b = appendSection(b, DescMessageAnnotations, m.MessageAnnotations)
	if m.Properties != nil {
		b = m.Properties.Append(b)
	}
	b = appendSection(b, DescApplicationProperties, m.ApplicationProperties)
	for _, data := range m.Data {
		b = AppendBinary(AppendDescriptor(b, DescData), data)
	}
	for _, list := range m.Sequences {
		b = appendList(AppendDescriptor(b, DescAMQPSequence), list)
	}
	if m.Value.Set {
		b = AppendAny(AppendDescriptor(b, DescAMQPValue), m.Value.V)
	}
	return appendSection(b, DescFooter, m.Footer)
}

// appendSection appends a section that is a map, unless it is nil.
func appendSection(b []byte, d Descriptor, m Map) []byte {
	if m == nil {
		return b
	}
	return appendMap(AppendDescriptor(b, d), m)
}

// Decode reads the complete encoded message p. What it fills in has its own memory.
func (m *Message) Decode(p []byte) error {
	*m = Message{}
	if _, err := ScanMessage(p); err != nil {
		return err
	}
	r := NewReader(p)
	for r.Len() > 0 {
		d, err := r.peekDescriptor()
		if err != nil {
			return err
		}
		if err := m.decodeSection(&r, d); err != nil {
			return sectionError(d, err)
		}
	}
	return nil
}

// decodeSection reads the next section, which ScanMessage has found to be in order.
func (m *Message) decodeSection(r *Reader, d Descriptor) (err error) {
	switch d {
	case DescHeader:
		m.Header = new(Header)
		return m.Header.Decode(r)
	case DescProperties:
		m.Properties = new(Properties)
		return m.Properties.Decode(r)
	}
	if _, err := r.ReadDescriptor(); err != nil {
		return err
	}
	v, err := r.ReadAny()
	if err != nil {
		return err
	}
	switch d {
	case DescDeliveryAnnotations:
		m.DeliveryAnnotations = v.(Map)
	case DescMessageAnnotations:
		m.MessageAnnotations = v.(Map)
	case DescApplicationProperties:
		m.ApplicationProperties = v.(Map)
	case DescData:
		m.Data = append(m.Data, v.([]byte))
	case DescAMQPSequence:
		m.Sequences = append(m.Sequences, v.(List))
	case DescAMQPValue:
		m.Value = Some(v)
	case DescFooter:
		m.Footer = v.(Map)
	default:
		panic(fmt.Sprintf("wire: the scan let a %v section through", d))
	}
	return nil
}
