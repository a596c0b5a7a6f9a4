package wire

// Defaults of Open and Begin: what an absent field means, and what is elided.
const (
	DefaultMaxFrameSize uint32 = 1<<32 - 1
	DefaultChannelMax   uint16 = 1<<16 - 1
	DefaultHandleMax    uint32 = 1<<32 - 1
)

// MinMaxFrameSize is the least max-frame-size that a peer may announce, and the
// largest frame that may be sent before open was seen [amqp-transport 2.7.1].
const MinMaxFrameSize = 512

// Open negotiates a connection [amqp-transport 2.7.1]. It owns its memory.
type Open struct {
	ContainerID string
	// Hostname: empty is absent.
	Hostname string
	// MaxFrameSize is in bytes; Decode fills in DefaultMaxFrameSize.
	MaxFrameSize uint32
	// ChannelMax is the highest channel number; Decode fills in DefaultChannelMax.
	ChannelMax uint16
	// IdleTimeOut is in milliseconds; 0 is none.
	IdleTimeOut         uint32
	OutgoingLocales     []Symbol
	IncomingLocales     []Symbol
	OfferedCapabilities []Symbol
	DesiredCapabilities []Symbol
	Properties          Map
}

// Close ends a connection [amqp-transport 2.7.9]. It owns its memory.
type Close struct{ Error *Error }

// Error is what went wrong at the peer [amqp-transport 2.8.14]. It owns its memory.
type Error struct {
	Condition   Symbol
	Description string
	Info        Map
}
