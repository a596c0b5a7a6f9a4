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

// Descriptor returns DescOpen.
func (*Open) Descriptor() Descriptor { return DescOpen }

// Append implements Composite.
func (o *Open) Append(b []byte) []byte {
	w := writeFields(b, DescOpen)
	w.string(o.ContainerID)
	w.stringUnlessEmpty(o.Hostname)
	w.uintUnless(DefaultMaxFrameSize, o.MaxFrameSize)
	w.optUshort(Opt[uint16]{V: o.ChannelMax, Set: o.ChannelMax != DefaultChannelMax})
	w.uintUnless(0, o.IdleTimeOut)
	w.symbols(o.OutgoingLocales)
	w.symbols(o.IncomingLocales)
	w.symbols(o.OfferedCapabilities)
	w.symbols(o.DesiredCapabilities)
	w.fields(o.Properties)
	return w.close()
}

// Decode implements Composite.
func (o *Open) Decode(r *Reader) error {
	f := readFields(r, DescOpen)
	*o = Open{
		ContainerID:         must(&f, f.string("container-id")),
		Hostname:            f.string("hostname").V,
		MaxFrameSize:        f.uint("max-frame-size").Or(DefaultMaxFrameSize),
		ChannelMax:          f.ushort("channel-max").Or(DefaultChannelMax),
		IdleTimeOut:         f.uint("idle-time-out").V,
		OutgoingLocales:     f.symbols("outgoing-locales"),
		IncomingLocales:     f.symbols("incoming-locales"),
		OfferedCapabilities: f.symbols("offered-capabilities"),
		DesiredCapabilities: f.symbols("desired-capabilities"),
		Properties:          f.fields("properties"),
	}
	return f.close()
}

// Descriptor returns DescClose.
func (*Close) Descriptor() Descriptor { return DescClose }

// Append implements Composite.
func (c *Close) Append(b []byte) []byte {
	w := writeFields(b, DescClose)
	w.error(c.Error)
	return w.close()
}

// Decode implements Composite.
func (c *Close) Decode(r *Reader) error {
	f := readFields(r, DescClose)
	*c = Close{Error: f.error("error")}
	return f.close()
}

// Error returns condition and description in one line.
func (e *Error) Error() string {
	if e.Description == "" {
		return string(e.Condition)
	}
	return string(e.Condition) + ": " + e.Description
}

// Descriptor returns DescError.
func (*Error) Descriptor() Descriptor { return DescError }

// Append implements Composite.
func (e *Error) Append(b []byte) []byte {
	w := writeFields(b, DescError)
	w.symbol(e.Condition)
	w.stringUnlessEmpty(e.Description)
	w.fields(e.Info)
	return w.close()
}

// Decode implements Composite.
func (e *Error) Decode(r *Reader) error {
	f := readFields(r, DescError)
	*e = Error{
		Condition:   must(&f, f.symbol("condition")),
		Description: f.string("description").V,
		Info:        f.fields("info"),
	}
	return f.close()
}

// error reads an error, nil if it is absent.
func (f *fieldReader) error(field string) *Error {
	if !f.next(field) {
		return nil
	}
	e := new(Error)
	f.fail(e.Decode(f.r))
	return e
}

func (w *fieldWriter) error(e *Error) {
	if e != nil {
		w.put(e.Append(w.b))
	} else {
		w.null()
	}
}
