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

// Descriptor returns DescSource.
func (*Source) Descriptor() Descriptor { return DescSource }

// Append implements Composite.
func (s *Source) Append(b []byte) []byte {
	w := writeFields(b, DescSource)
	w.optString(s.Address)
	w.uintUnless(uint32(DurabilityNone), uint32(s.Durable))
	w.symbolUnless(ExpirySessionEnd, s.ExpiryPolicy)
	w.uintUnless(0, s.Timeout)
	w.flag(s.Dynamic)
	w.fields(s.DynamicNodeProperties)
	w.symbolUnless("", s.DistributionMode)
	w.fields(s.Filter)
	w.state(&s.DefaultOutcome)
	w.symbols(s.Outcomes)
	w.symbols(s.Capabilities)
	return w.close()
}

// Decode implements Composite.
func (s *Source) Decode(r *Reader) error {
	f := readFields(r, DescSource)
	*s = Source{
		Address:               f.string("address"),
		Durable:               f.durability("durable"),
		ExpiryPolicy:          f.symbol("expiry-policy").Or(ExpirySessionEnd),
		Timeout:               f.uint("timeout").V,
		Dynamic:               f.flag("dynamic"),
		DynamicNodeProperties: f.fields("dynamic-node-properties"),
		DistributionMode:      f.symbol("distribution-mode").V,
		Filter:                f.fields("filter"),
		DefaultOutcome:        f.outcome("default-outcome"),
		Outcomes:              f.symbols("outcomes"),
		Capabilities:          f.symbols("capabilities"),
	}
	return f.close()
}

// Descriptor returns DescTarget.
func (*Target) Descriptor() Descriptor { return DescTarget }

// Append implements Composite.
func (t *Target) Append(b []byte) []byte {
	w := writeFields(b, DescTarget)
	w.optString(t.Address)
	w.uintUnless(uint32(DurabilityNone), uint32(t.Durable))
	w.symbolUnless(ExpirySessionEnd, t.ExpiryPolicy)
	w.uintUnless(0, t.Timeout)
	w.flag(t.Dynamic)
	w.fields(t.DynamicNodeProperties)
	w.symbols(t.Capabilities)
	return w.close()
}

// Decode implements Composite.
func (t *Target) Decode(r *Reader) error {
	f := readFields(r, DescTarget)
	*t = Target{
		Address:               f.string("address"),
		Durable:               f.durability("durable"),
		ExpiryPolicy:          f.symbol("expiry-policy").Or(ExpirySessionEnd),
		Timeout:               f.uint("timeout").V,
		Dynamic:               f.flag("dynamic"),
		DynamicNodeProperties: f.fields("dynamic-node-properties"),
		Capabilities:          f.symbols("capabilities"),
	}
	return f.close()
}

func (f *fieldReader) durability(field string) TerminusDurability {
	v := TerminusDurability(f.uint(field).V)
	if v > DurabilityUnsettledState {
		f.fail(invalidField("the value has no meaning"))
	}
	return v
}

func (w *fieldWriter) optString(v Opt[string]) {
	if v.Set {
		w.string(v.V)
	} else {
		w.null()
	}
}
