package amqp

import (
	"time"

	"entrepot/protocol/amqp/wire"
)

// Defaults of Config.
const (
	DefaultMaxFrameSize     uint32 = 64 << 10
	DefaultChannelMax       uint16 = 255
	DefaultHandleMax        uint32 = 1<<16 - 1
	DefaultIncomingWindow   uint32 = 4096
	DefaultMaxMessageSize   uint64 = 64 << 20
	DefaultMaxLinks                = 16384
	DefaultMaxUnsettled     uint32 = 16384
	DefaultHandshakeTimeout        = 30 * time.Second
	DefaultCloseTimeout            = 5 * time.Second
)

// Role is which end of the connection this is.
type Role uint8

// The accepting end waits for the peer's protocol header, the dialling one speaks
// first. Both may begin sessions and attach links.
const (
	Accepting Role = iota
	Dialling
)

// Config says what one connection may do. The zero value of a limit means its
// default. Conn keeps a pointer to the Config of NewConn, so that connections
// share it: it must not change any more.
type Config struct {
	Role Role
	// ContainerID names this container in open.
	ContainerID string
	// Hostname is what a dialling end asks for in open and sasl-init; may be empty.
	Hostname string

	// MaxFrameSize is in bytes, at least 512: what we announce and accept, and the
	// largest frame we send, if the peer does not want smaller ones.
	MaxFrameSize uint32
	// ChannelMax is the highest channel number that we accept.
	ChannelMax uint16
	// HandleMax is the highest handle that we accept, in each session.
	HandleMax uint32
	// IdleTimeout: the connection fails when nothing came for so long; 0 is never.
	// Half of it is announced to the peer.
	IdleTimeout time.Duration
	// HandshakeTimeout is how long the way to the peer's open may take.
	HandshakeTimeout time.Duration
	// CloseTimeout is how long we wait for the peer's close after ours.
	CloseTimeout time.Duration
	// IncomingWindow is how many transfer frames of a session the peer may send
	// before it hears from us again.
	IncomingWindow uint32
	// MaxMessageSize is the largest message in bytes that a receiving link takes,
	// unless its AcceptOptions or AttachOptions say otherwise.
	MaxMessageSize uint64
	// MaxAssembly is how many bytes of unfinished messages the connection holds
	// over all its links; 0 is twice MaxMessageSize.
	MaxAssembly uint64
	// MaxLinks is how many links of all sessions may be there at once, those
	// included whose detach the peer has not answered.
	MaxLinks int
	// MaxUnsettled is how many unsettled deliveries a link may have: a sending link
	// is not Ready beyond it, and GrantTo grants only up to it.
	MaxUnsettled uint32

	SASL SASL

	// Properties and capabilities go into our open.
	Properties          wire.Map
	OfferedCapabilities []wire.Symbol
	DesiredCapabilities []wire.Symbol
}

// The mechanisms that the engine speaks.
const (
	MechanismAnonymous wire.Symbol = "ANONYMOUS"
	MechanismPlain     wire.Symbol = "PLAIN"
)

// SASL says how a connection is authenticated.
type SASL struct {
	// Mechanisms are offered by an accepting end. Without any, SASL is refused.
	Mechanisms []wire.Symbol
	// AllowBare lets an accepting end take a connection that begins with the AMQP
	// header: the client is then anonymous, and there is no SASLInit event.
	AllowBare bool

	// A dialling end uses PLAIN if User is set; else ANONYMOUS; else, with Bare, no
	// SASL at all.
	User, Password string
	Bare           bool
}

// or returns v, or its default if it is zero.
func or[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}

func (c *Config) maxFrameSize() uint32 {
	return max(or(c.MaxFrameSize, DefaultMaxFrameSize), wire.MinMaxFrameSize)
}
func (c *Config) channelMax() uint16     { return or(c.ChannelMax, DefaultChannelMax) }
func (c *Config) handleMax() uint32      { return or(c.HandleMax, DefaultHandleMax) }
func (c *Config) incomingWindow() uint32 { return or(c.IncomingWindow, DefaultIncomingWindow) }
func (c *Config) maxMessageSize() uint64 { return or(c.MaxMessageSize, DefaultMaxMessageSize) }
func (c *Config) maxAssembly() uint64    { return or(c.MaxAssembly, 2*c.maxMessageSize()) }
func (c *Config) maxLinks() int          { return or(c.MaxLinks, DefaultMaxLinks) }
func (c *Config) maxUnsettled() uint32   { return or(c.MaxUnsettled, DefaultMaxUnsettled) }
func (c *Config) handshakeTimeout() time.Duration {
	return or(c.HandshakeTimeout, DefaultHandshakeTimeout)
}
func (c *Config) closeTimeout() time.Duration { return or(c.CloseTimeout, DefaultCloseTimeout) }
