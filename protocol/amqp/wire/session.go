package wire

// Begin begins a session on a channel [amqp-transport 2.7.2]. It owns its memory.
type Begin struct {
	// RemoteChannel is set by the end that answers.
	RemoteChannel  Opt[uint16]
	NextOutgoingID uint32
	IncomingWindow uint32
	OutgoingWindow uint32
	// HandleMax is the highest handle; Decode fills in DefaultHandleMax.
	HandleMax           uint32
	OfferedCapabilities []Symbol
	DesiredCapabilities []Symbol
	Properties          Map
}

// End ends a session [amqp-transport 2.7.8]. It owns its memory.
type End struct{ Error *Error }

// Flow updates the state of a session and, if Handle is set, of a link
// [amqp-transport 2.7.4]. Properties alias the input.
type Flow struct {
	NextIncomingID Opt[uint32]
	IncomingWindow uint32
	NextOutgoingID uint32
	OutgoingWindow uint32
	Handle         Opt[uint32]
	DeliveryCount  Opt[uint32]
	LinkCredit     Opt[uint32]
	Available      Opt[uint32]
	Drain          bool
	Echo           bool
	// Properties is a map, as it came.
	Properties Raw
}

// Descriptor returns DescBegin.
func (*Begin) Descriptor() Descriptor { return DescBegin }

// Append implements Composite.
func (s *Begin) Append(b []byte) []byte {
	w := writeFields(b, DescBegin)
	w.optUshort(s.RemoteChannel)
	w.uint(s.NextOutgoingID)
	w.uint(s.IncomingWindow)
	w.uint(s.OutgoingWindow)
	w.uintUnless(DefaultHandleMax, s.HandleMax)
	w.symbols(s.OfferedCapabilities)
	w.symbols(s.DesiredCapabilities)
	w.fields(s.Properties)
	return w.close()
}

// Decode implements Composite.
func (s *Begin) Decode(r *Reader) error {
	f := readFields(r, DescBegin)
	*s = Begin{
		RemoteChannel:       f.ushort("remote-channel"),
		NextOutgoingID:      must(&f, f.uint("next-outgoing-id")),
		IncomingWindow:      must(&f, f.uint("incoming-window")),
		OutgoingWindow:      must(&f, f.uint("outgoing-window")),
		HandleMax:           f.uint("handle-max").Or(DefaultHandleMax),
		OfferedCapabilities: f.symbols("offered-capabilities"),
		DesiredCapabilities: f.symbols("desired-capabilities"),
		Properties:          f.fields("properties"),
	}
	return f.close()
}

// Descriptor returns DescEnd.
func (*End) Descriptor() Descriptor { return DescEnd }

// Append implements Composite.
func (e *End) Append(b []byte) []byte {
	w := writeFields(b, DescEnd)
	w.error(e.Error)
	return w.close()
}

// Decode implements Composite.
func (e *End) Decode(r *Reader) error {
	f := readFields(r, DescEnd)
	*e = End{Error: f.error("error")}
	return f.close()
}

// Descriptor returns DescFlow.
func (*Flow) Descriptor() Descriptor { return DescFlow }

// Append implements Composite.
func (s *Flow) Append(b []byte) []byte {
	w := writeFields(b, DescFlow)
	w.optUint(s.NextIncomingID)
	w.uint(s.IncomingWindow)
	w.uint(s.NextOutgoingID)
	w.uint(s.OutgoingWindow)
	w.optUint(s.Handle)
	w.optUint(s.DeliveryCount)
	w.optUint(s.LinkCredit)
	w.optUint(s.Available)
	w.flag(s.Drain)
	w.flag(s.Echo)
	w.raw(s.Properties)
	return w.close()
}

// Decode implements Composite.
func (s *Flow) Decode(r *Reader) error {
	f := readFields(r, DescFlow)
	*s = Flow{
		NextIncomingID: f.uint("next-incoming-id"),
		IncomingWindow: must(&f, f.uint("incoming-window")),
		NextOutgoingID: must(&f, f.uint("next-outgoing-id")),
		OutgoingWindow: must(&f, f.uint("outgoing-window")),
		Handle:         f.uint("handle"),
		DeliveryCount:  f.uint("delivery-count"),
		LinkCredit:     f.uint("link-credit"),
		Available:      f.uint("available"),
		Drain:          f.flag("drain"),
		Echo:           f.flag("echo"),
		Properties:     f.rawMap("properties"),
	}
	return f.close()
}
