package queue

// Message is a live message as the store hands it to the Dispatcher and the
// Dispatcher to a connection. The slices alias the store's memory: they are
// immutable, and hold that memory as long as they are kept.
type Message struct {
	Queue          ID
	Flags          Flags
	FirstAcquirer  bool   // set by the Dispatcher only
	DeliveryCount  uint32 // from the store: the stored count; from the Dispatcher: what the peer is told on top of the sender's own
	Seq            Seq
	DeadlineMillis int64  // 0: never expires
	ArrivedMillis  int64  // when the leader took it in, Unix milliseconds
	Annotations    []byte // of a Modify, in the words of its author; empty: as they came
	Payload        []byte // the message as it came

	// Implied: DeliveryCount has one more than is stored, for what a change of leaders
	// may have cut off. Set by the Dispatcher only.
	Implied bool
}

// OutcomeKind is what a consumer made of a delivery [amqp-messaging 3.4].
type OutcomeKind uint8

const (
	Accepted     OutcomeKind = iota + 1 // done: the message is removed
	Released                            // back in its place, uncounted
	Modified                            // back in its place, as the other fields say
	RejectedKind                        // refused for good: removed
)

// Outcome is a consumer's terminal delivery state.
type Outcome struct {
	Kind OutcomeKind

	// Of Modified: Failed counts the delivery; Here excludes this consumer from
	// the message for as long as it is attached; Annotations, if there are any,
	// replace those of an earlier Modify (the broker has merged them). They are
	// kept: they must not be changed any more.
	Failed      bool
	Here        bool
	Annotations []byte

	// Of a Modified that comes late (see Dispatcher.Late): Failures is the stored count
	// that the message had at the delivery. Again tells that an earlier dispatcher was
	// told, or this one before, and may have made it a fact.
	Failures uint32
	Again    bool
}

// Recorded tells whether o is a Modified that changes what is stored of its message.
func (o *Outcome) Recorded() bool {
	return o.Kind == Modified && (o.Failed || len(o.Annotations) > 0)
}
