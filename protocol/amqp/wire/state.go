package wire

// Kinds of DeliveryState. The zero value is no state.
const (
	StateNone StateKind = iota
	StateReceived
	StateAccepted
	StateRejected
	StateReleased
	StateModified
	StateDeclared
	StateTransactional
	// StateUnknown is a described type that the specification does not define.
	StateUnknown
)

// StateKind tells which state a DeliveryState is.
type StateKind uint8

// DeliveryState is one of the delivery states and outcomes [amqp-messaging 3.4,
// amqp-transactions 4.5.5, 4.5.6]: the kind, and the fields of that kind; those of
// the others are zero. Small and of one size, so that it travels by value.
// Modified.MessageAnnotations and Unknown alias the input; Clone parts with it.
type DeliveryState struct {
	Kind     StateKind
	Received Received
	Modified Modified
	Rejected Rejected
	// Declared and Transactional are set for their kinds.
	Declared      *Declared
	Transactional *TransactionalState
	// Unknown is a StateUnknown as it came.
	Unknown Raw
}

// Received is how much of a message has arrived [amqp-messaging 3.4.1].
type Received struct {
	SectionNumber uint32
	SectionOffset uint64
}

// Accepted: the message was processed [amqp-messaging 3.4.2].
type Accepted struct{}

// Rejected: the message is invalid [amqp-messaging 3.4.3].
type Rejected struct{ Error *Error }

// Released: the message was not and will not be processed [amqp-messaging 3.4.4].
type Released struct{}

// Modified: as Released, and the message changes [amqp-messaging 3.4.5].
type Modified struct {
	DeliveryFailed    bool
	UndeliverableHere bool
	// MessageAnnotations is a map, as it came; it aliases the input.
	MessageAnnotations Raw
}

// stateKinds are the descriptors of the kinds, and their names.
var stateKinds = [...]Descriptor{
	StateReceived: DescReceived, StateAccepted: DescAccepted, StateRejected: DescRejected,
	StateReleased: DescReleased, StateModified: DescModified, StateDeclared: DescDeclared,
	StateTransactional: DescTransactionalState, StateUnknown: DescUnknown,
}

// String returns the specification's name of the state, like "accepted".
func (k StateKind) String() string {
	if k == StateNone || int(k) >= len(stateKinds) {
		return "none"
	}
	return stateKinds[k].String()
}

// Append appends the state, or null for StateNone.
func (s *DeliveryState) Append(b []byte) []byte {
	switch s.Kind {
	case StateReceived:
		return s.Received.Append(b)
	case StateAccepted:
		return (*Accepted)(nil).Append(b)
	case StateRejected:
		return s.Rejected.Append(b)
	case StateReleased:
		return (*Released)(nil).Append(b)
	case StateModified:
		return s.Modified.Append(b)
	case StateDeclared:
		return s.Declared.Append(b)
	case StateTransactional:
		return s.Transactional.Append(b)
	case StateUnknown:
		return append(b, s.Unknown...)
	}
	return append(b, codeNull)
}

// Decode reads a state in place; null is StateNone. It allocates only for
// rejected with an error and for the states of transactions.
func (s *DeliveryState) Decode(r *Reader) error {
	*s = DeliveryState{}
	if r.TryNull() {
		return nil
	}
	d, err := r.peekDescriptor()
	if err != nil {
		return err
	}
	switch d {
	case DescReceived:
		s.Kind = StateReceived
		return s.Received.Decode(r)
	case DescAccepted:
		s.Kind = StateAccepted
		return (*Accepted)(nil).Decode(r)
	case DescRejected:
		s.Kind = StateRejected
		return s.Rejected.Decode(r)
	case DescReleased:
		s.Kind = StateReleased
		return (*Released)(nil).Decode(r)
	case DescModified:
		s.Kind = StateModified
		return s.Modified.Decode(r)
	case DescDeclared:
		s.Kind, s.Declared = StateDeclared, new(Declared)
		return s.Declared.Decode(r)
	case DescTransactionalState:
		s.Kind, s.Transactional = StateTransactional, new(TransactionalState)
		return s.Transactional.Decode(r)
	}
	s.Kind = StateUnknown
	s.Unknown, err = r.ReadRaw()
	return err
}

// Clone returns the state with memory of its own. (What it points to is decoded,
// so that it has its own already.)
func (s *DeliveryState) Clone() DeliveryState {
	c := *s
	c.Modified.MessageAnnotations = s.Modified.MessageAnnotations.Clone()
	c.Unknown = s.Unknown.Clone()
	return c
}

// state reads a delivery state in place.
func (f *fieldReader) state(field string, s *DeliveryState) {
	if !f.next(field) {
		*s = DeliveryState{}
		return
	}
	f.fail(s.Decode(f.r))
}

// outcome reads a state that is final; it has its own memory. The check comes
// first: a transactional state within another would nest without end.
func (f *fieldReader) outcome(field string) (s DeliveryState) {
	if !f.next(field) {
		return s
	}
	if d := f.peek(); d == DescReceived || d == DescTransactionalState {
		f.fail(invalidField(d.String() + " is no outcome"))
		return s
	}
	f.fail(s.Decode(f.r))
	return s.Clone()
}

func (w *fieldWriter) state(s *DeliveryState) {
	if s.Kind != StateNone {
		w.put(s.Append(w.b))
	} else {
		w.null()
	}
}

// Descriptor returns DescReceived.
func (*Received) Descriptor() Descriptor { return DescReceived }

// Append implements Composite.
func (s *Received) Append(b []byte) []byte {
	w := writeFields(b, DescReceived)
	w.uint(s.SectionNumber)
	w.ulong(s.SectionOffset)
	return w.close()
}

// Decode implements Composite.
func (s *Received) Decode(r *Reader) error {
	f := readFields(r, DescReceived)
	s.SectionNumber = must(&f, f.uint("section-number"))
	s.SectionOffset = must(&f, f.ulong("section-offset"))
	return f.close()
}

// Descriptor returns DescRejected.
func (*Rejected) Descriptor() Descriptor { return DescRejected }

// Append implements Composite.
func (s *Rejected) Append(b []byte) []byte {
	w := writeFields(b, DescRejected)
	w.error(s.Error)
	return w.close()
}

// Decode implements Composite.
func (s *Rejected) Decode(r *Reader) error {
	f := readFields(r, DescRejected)
	s.Error = f.error("error")
	return f.close()
}

// Descriptor returns DescModified.
func (*Modified) Descriptor() Descriptor { return DescModified }

// Append implements Composite.
func (s *Modified) Append(b []byte) []byte {
	w := writeFields(b, DescModified)
	w.flag(s.DeliveryFailed)
	w.flag(s.UndeliverableHere)
	w.raw(s.MessageAnnotations)
	return w.close()
}

// Decode implements Composite.
func (s *Modified) Decode(r *Reader) error {
	f := readFields(r, DescModified)
	s.DeliveryFailed = f.flag("delivery-failed")
	s.UndeliverableHere = f.flag("undeliverable-here")
	s.MessageAnnotations = f.rawMap("message-annotations")
	return f.close()
}
