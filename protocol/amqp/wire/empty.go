package wire

// The composites without fields: their descriptor is all they say.

// appendEmpty appends one.
func appendEmpty(b []byte, d Descriptor) []byte {
	return append(b, codeDescribed, codeSmallUlong, byte(d), codeList0)
}

// readEmpty reads one.
func readEmpty(r *Reader, d Descriptor) error {
	f := readFields(r, d)
	return f.close()
}

// Descriptor returns DescAccepted.
func (*Accepted) Descriptor() Descriptor { return DescAccepted }

// Append implements Composite.
func (*Accepted) Append(b []byte) []byte { return appendEmpty(b, DescAccepted) }

// Decode implements Composite.
func (*Accepted) Decode(r *Reader) error { return readEmpty(r, DescAccepted) }

// Descriptor returns DescReleased.
func (*Released) Descriptor() Descriptor { return DescReleased }

// Append implements Composite.
func (*Released) Append(b []byte) []byte { return appendEmpty(b, DescReleased) }

// Decode implements Composite.
func (*Released) Decode(r *Reader) error { return readEmpty(r, DescReleased) }

// Descriptor returns DescDeleteOnClose.
func (*DeleteOnClose) Descriptor() Descriptor { return DescDeleteOnClose }

// Append implements Composite.
func (*DeleteOnClose) Append(b []byte) []byte { return appendEmpty(b, DescDeleteOnClose) }

// Decode implements Composite.
func (*DeleteOnClose) Decode(r *Reader) error { return readEmpty(r, DescDeleteOnClose) }

// Descriptor returns DescDeleteOnNoLinks.
func (*DeleteOnNoLinks) Descriptor() Descriptor { return DescDeleteOnNoLinks }

// Append implements Composite.
func (*DeleteOnNoLinks) Append(b []byte) []byte { return appendEmpty(b, DescDeleteOnNoLinks) }

// Decode implements Composite.
func (*DeleteOnNoLinks) Decode(r *Reader) error { return readEmpty(r, DescDeleteOnNoLinks) }

// Descriptor returns DescDeleteOnNoMessages.
func (*DeleteOnNoMessages) Descriptor() Descriptor { return DescDeleteOnNoMessages }

// Append implements Composite.
func (*DeleteOnNoMessages) Append(b []byte) []byte { return appendEmpty(b, DescDeleteOnNoMessages) }

// Decode implements Composite.
func (*DeleteOnNoMessages) Decode(r *Reader) error { return readEmpty(r, DescDeleteOnNoMessages) }

// Descriptor returns DescDeleteOnNoLinksOrMessages.
func (*DeleteOnNoLinksOrMessages) Descriptor() Descriptor { return DescDeleteOnNoLinksOrMessages }

// Append implements Composite.
func (*DeleteOnNoLinksOrMessages) Append(b []byte) []byte {
	return appendEmpty(b, DescDeleteOnNoLinksOrMessages)
}

// Decode implements Composite.
func (*DeleteOnNoLinksOrMessages) Decode(r *Reader) error {
	return readEmpty(r, DescDeleteOnNoLinksOrMessages)
}
