package wire

// Settle modes and roles [amqp-transport 2.8.1-2.8.3].
const (
	RoleSender   Role = false
	RoleReceiver Role = true

	SenderUnsettled SenderSettleMode = 0
	SenderSettled   SenderSettleMode = 1
	SenderMixed     SenderSettleMode = 2

	ReceiverFirst  ReceiverSettleMode = 0
	ReceiverSecond ReceiverSettleMode = 1
)

type (
	// Role is the end of the link that speaks.
	Role bool
	// SenderSettleMode says how a sender settles; the default is SenderMixed.
	SenderSettleMode uint8
	// ReceiverSettleMode says who settles first; the default is ReceiverFirst.
	ReceiverSettleMode uint8
)

// Attach attaches a link to a session [amqp-transport 2.7.3]. It owns its memory.
type Attach struct {
	Name   string
	Handle uint32
	Role   Role
	// SndSettleMode: Decode fills in SenderMixed where it is absent.
	SndSettleMode SenderSettleMode
	RcvSettleMode ReceiverSettleMode
	// Source is nil if it is null, or of an unknown type (see UnknownSource).
	Source *Source
	// At most one of Target, Coordinator and UnknownTarget is set; a null target
	// sets none.
	Target      *Target
	Coordinator *Coordinator
	// UnknownSource and UnknownTarget are termini of types that this package does
	// not know, as they came.
	UnknownSource, UnknownTarget Raw
	// Unsettled is a map from delivery tag to delivery state, as it came.
	Unsettled           Raw
	IncompleteUnsettled bool
	// InitialDeliveryCount is mandatory for a sender, and ignored for a receiver.
	InitialDeliveryCount Opt[uint32]
	// MaxMessageSize is in bytes; 0 is no limit.
	MaxMessageSize      uint64
	OfferedCapabilities []Symbol
	DesiredCapabilities []Symbol
	Properties          Map
}

// Detach detaches a link [amqp-transport 2.7.7]. It owns its memory.
type Detach struct {
	Handle uint32
	Closed bool
	Error  *Error
}
