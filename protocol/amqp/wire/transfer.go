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

// Descriptor returns DescTransfer.
func (*Transfer) Descriptor() Descriptor { return DescTransfer }

// Append implements Composite.
func (t *Transfer) Append(b []byte) []byte {
	w := writeFields(b, DescTransfer)
	w.uint(t.Handle)
	w.optUint(t.DeliveryID)
	w.binary(t.DeliveryTag)
	w.optUint(t.MessageFormat)
	w.optBoolean(t.Settled)
	w.flag(t.More)
	w.optUbyte(as[uint8](t.RcvSettleMode))
	w.state(&t.State)
	w.flag(t.Resume)
	w.flag(t.Aborted)
	w.flag(t.Batchable)
	return w.close()
}

// Decode implements Composite.
func (t *Transfer) Decode(r *Reader) error {
	f := readFields(r, DescTransfer)
	t.Handle = must(&f, f.uint("handle"))
	t.DeliveryID = f.uint("delivery-id")
	t.DeliveryTag = f.deliveryTag("delivery-tag")
	t.MessageFormat = f.uint("message-format")
	t.Settled = f.boolean("settled")
	t.More = f.flag("more")
	t.RcvSettleMode = as[ReceiverSettleMode](f.choice("rcv-settle-mode", uint8(ReceiverSecond)))
	f.state("state", &t.State)
	t.Resume = f.flag("resume")
	t.Aborted = f.flag("aborted")
	t.Batchable = f.flag("batchable")
	return f.close()
}

// deliveryTag aliases the input.
func (f *fieldReader) deliveryTag(field string) []byte {
	tag := f.binary(field)
	// [amqp-transport 2.8.7] "A delivery-tag can be up to 32 octets of binary data."
	if len(tag) > MaxDeliveryTag {
		f.fail(invalidField("a delivery tag has more than 32 bytes"))
	}
	return tag
}

// Descriptor returns DescDisposition.
func (*Disposition) Descriptor() Descriptor { return DescDisposition }

// Append implements Composite.
func (d *Disposition) Append(b []byte) []byte {
	w := writeFields(b, DescDisposition)
	w.boolean(bool(d.Role))
	w.uint(d.First)
	w.optUint(d.Last)
	w.flag(d.Settled)
	w.state(&d.State)
	w.flag(d.Batchable)
	return w.close()
}

// Decode implements Composite.
func (d *Disposition) Decode(r *Reader) error {
	f := readFields(r, DescDisposition)
	d.Role = Role(must(&f, f.boolean("role")))
	d.First = must(&f, f.uint("first"))
	d.Last = f.uint("last")
	d.Settled = f.flag("settled")
	f.state("state", &d.State)
	d.Batchable = f.flag("batchable")
	return f.close()
}
