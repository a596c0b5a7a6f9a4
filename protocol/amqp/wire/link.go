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
	// InitialDeliveryCount is mandatory for a sender, and ignored for a receiver;
	// that is for the engine to check, because only the link is at fault.
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

// Descriptor returns DescAttach.
func (*Attach) Descriptor() Descriptor { return DescAttach }

// Append implements Composite.
func (a *Attach) Append(b []byte) []byte {
	w := writeFields(b, DescAttach)
	w.string(a.Name)
	w.uint(a.Handle)
	w.boolean(bool(a.Role))
	w.ubyteUnless(uint8(SenderMixed), uint8(a.SndSettleMode))
	w.ubyteUnless(uint8(ReceiverFirst), uint8(a.RcvSettleMode))
	a.appendSource(&w)
	a.appendTarget(&w)
	w.raw(a.Unsettled)
	w.flag(a.IncompleteUnsettled)
	w.optUint(a.InitialDeliveryCount)
	w.ulongUnlessZero(a.MaxMessageSize)
	w.symbols(a.OfferedCapabilities)
	w.symbols(a.DesiredCapabilities)
	w.fields(a.Properties)
	return w.close()
}

func (a *Attach) appendSource(w *fieldWriter) {
	if a.Source != nil {
		w.put(a.Source.Append(w.b))
	} else {
		w.raw(a.UnknownSource)
	}
}

func (a *Attach) appendTarget(w *fieldWriter) {
	switch {
	case a.Target != nil:
		w.put(a.Target.Append(w.b))
	case a.Coordinator != nil:
		w.put(a.Coordinator.Append(w.b))
	default:
		w.raw(a.UnknownTarget)
	}
}

// Decode implements Composite.
func (a *Attach) Decode(r *Reader) error {
	f := readFields(r, DescAttach)
	*a = Attach{
		Name:          must(&f, f.string("name")),
		Handle:        must(&f, f.uint("handle")),
		Role:          Role(must(&f, f.boolean("role"))),
		SndSettleMode: SenderSettleMode(f.choice("snd-settle-mode", uint8(SenderMixed)).Or(uint8(SenderMixed))),
		RcvSettleMode: ReceiverSettleMode(f.choice("rcv-settle-mode", uint8(ReceiverSecond)).V),
	}
	a.readSource(&f)
	a.readTarget(&f)
	a.Unsettled = f.rawMap("unsettled").Clone()
	a.IncompleteUnsettled = f.flag("incomplete-unsettled")
	a.InitialDeliveryCount = f.uint("initial-delivery-count")
	a.MaxMessageSize = f.ulong("max-message-size").V
	a.OfferedCapabilities = f.symbols("offered-capabilities")
	a.DesiredCapabilities = f.symbols("desired-capabilities")
	a.Properties = f.fields("properties")
	return f.close()
}

func (a *Attach) readSource(f *fieldReader) {
	if !f.next("source") {
		return
	}
	switch f.peek() {
	case DescSource:
		a.Source = new(Source)
		f.fail(a.Source.Decode(f.r))
	default:
		a.UnknownSource = f.raw().Clone()
	}
}

func (a *Attach) readTarget(f *fieldReader) {
	if !f.next("target") {
		return
	}
	switch f.peek() {
	case DescTarget:
		a.Target = new(Target)
		f.fail(a.Target.Decode(f.r))
	case DescCoordinator:
		a.Coordinator = new(Coordinator)
		f.fail(a.Coordinator.Decode(f.r))
	default:
		a.UnknownTarget = f.raw().Clone()
	}
}

// Descriptor returns DescDetach.
func (*Detach) Descriptor() Descriptor { return DescDetach }

// Append implements Composite.
func (d *Detach) Append(b []byte) []byte {
	w := writeFields(b, DescDetach)
	w.uint(d.Handle)
	w.flag(d.Closed)
	w.error(d.Error)
	return w.close()
}

// Decode implements Composite.
func (d *Detach) Decode(r *Reader) error {
	f := readFields(r, DescDetach)
	*d = Detach{
		Handle: must(&f, f.uint("handle")),
		Closed: f.flag("closed"),
		Error:  f.error("error"),
	}
	return f.close()
}
