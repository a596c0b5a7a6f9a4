package wire

// Values of the termini's fields [amqp-messaging 3.5.5-3.5.7].
const (
	DurabilityNone           TerminusDurability = 0
	DurabilityConfiguration  TerminusDurability = 1
	DurabilityUnsettledState TerminusDurability = 2

	ExpiryLinkDetach      Symbol = "link-detach"
	ExpirySessionEnd      Symbol = "session-end"
	ExpiryConnectionClose Symbol = "connection-close"
	ExpiryNever           Symbol = "never"

	DistributionMove Symbol = "move"
	DistributionCopy Symbol = "copy"
)

// TerminusDurability says what of a terminus survives.
type TerminusDurability uint32

// Source is where messages come from [amqp-messaging 3.5.3]. It owns its memory.
type Source struct {
	// Address is a string, the only type that the specification gives addresses.
	Address Opt[string]
	Durable TerminusDurability
	// ExpiryPolicy: Decode fills in ExpirySessionEnd; empty means the same.
	ExpiryPolicy Symbol
	// Timeout is in seconds.
	Timeout               uint32
	Dynamic               bool
	DynamicNodeProperties Map
	// DistributionMode: empty is absent.
	DistributionMode Symbol
	Filter           Map
	DefaultOutcome   DeliveryState
	Outcomes         []Symbol
	Capabilities     []Symbol
}

// Target is where messages go [amqp-messaging 3.5.4]. It owns its memory.
type Target struct {
	Address Opt[string]
	Durable TerminusDurability
	// ExpiryPolicy: Decode fills in ExpirySessionEnd; empty means the same.
	ExpiryPolicy Symbol
	// Timeout is in seconds.
	Timeout               uint32
	Dynamic               bool
	DynamicNodeProperties Map
	Capabilities          []Symbol
}

// The lifetime policies of a dynamic node [amqp-messaging 3.5.10-3.5.13].
type (
	DeleteOnClose             struct{}
	DeleteOnNoLinks           struct{}
	DeleteOnNoMessages        struct{}
	DeleteOnNoLinksOrMessages struct{}
)
