package wire

// DefaultPriority is the priority of a message that names none [amqp-messaging 3.2.1].
const DefaultPriority uint8 = 4

// Header is the section of delivery details, which every intermediary rewrites
// [amqp-messaging 3.2.1]. It holds no memory but its own.
type Header struct {
	Durable bool
	// Priority: absent means DefaultPriority.
	Priority Opt[uint8]
	// TTL is in milliseconds; absent is for ever.
	TTL           Opt[uint32]
	FirstAcquirer bool
	// DeliveryCount is the number of unsuccessful deliveries before.
	DeliveryCount uint32
}

// Descriptor returns DescHeader.
func (*Header) Descriptor() Descriptor { return DescHeader }

// Append implements Composite.
func (h *Header) Append(b []byte) []byte {
	w := writeFields(b, DescHeader)
	w.flag(h.Durable)
	w.optUbyte(h.Priority)
	w.optUint(h.TTL)
	w.flag(h.FirstAcquirer)
	w.uintUnless(0, h.DeliveryCount)
	return w.close()
}

// Decode implements Composite.
func (h *Header) Decode(r *Reader) error {
	f := readFields(r, DescHeader)
	h.Durable = f.flag("durable")
	h.Priority = f.ubyte("priority")
	h.TTL = f.uint("ttl")
	h.FirstAcquirer = f.flag("first-acquirer")
	h.DeliveryCount = f.uint("delivery-count").V
	return f.close()
}
