package amqp

import "entrepot/protocol/amqp/wire"

// Link is one end of a link: it sends messages or receives them.
type Link struct {
	// Data is the owner's.
	Data any

	session *Session
}

// AcceptOptions are our half of a link that the peer began. The zero value takes
// what the peer proposed.
type AcceptOptions struct {
	// Source and Target as they shall be told to the peer; nil is the peer's own.
	Source *wire.Source
	Target *wire.Target
	// MaxMessageSize is in bytes, for a receiving link; 0 is Config.MaxMessageSize.
	MaxMessageSize uint64
	// SndSettleMode and RcvSettleMode: absent is what the peer asked for.
	SndSettleMode wire.Opt[wire.SenderSettleMode]
	RcvSettleMode wire.Opt[wire.ReceiverSettleMode]

	OfferedCapabilities []wire.Symbol
	DesiredCapabilities []wire.Symbol
	Properties          wire.Map
}

// AttachOptions describe a link that we begin.
type AttachOptions struct {
	// Name is unique among the links of this direction between the two containers.
	Name string
	// Role is ours.
	Role          wire.Role
	Source        *wire.Source
	Target        *wire.Target
	SndSettleMode wire.SenderSettleMode
	RcvSettleMode wire.ReceiverSettleMode
	// MaxMessageSize is in bytes, for a receiving link; 0 is Config.MaxMessageSize.
	MaxMessageSize uint64

	OfferedCapabilities []wire.Symbol
	DesiredCapabilities []wire.Symbol
	Properties          wire.Map
	// Data becomes Link.Data.
	Data any
}

// Outgoing is a message to send. Deliver copies what it needs.
type Outgoing struct {
	// Tag has at most 32 bytes; nil lets the engine make one up from the delivery's
	// id.
	Tag []byte
	// Format is the message format; 0 is AMQP's own.
	Format uint32
	// Settled sends it settled: there will be no Outcome. A link of snd-settle-mode
	// settled sends everything so, one of mode unsettled nothing.
	Settled bool
	// Batchable: the peer need not answer this one at once.
	Batchable bool
	// Ref comes back in Outcome.
	Ref uint64
	// The payload is Head followed by Body.
	Head, Body []byte
}
