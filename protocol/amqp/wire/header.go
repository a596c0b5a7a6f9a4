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
