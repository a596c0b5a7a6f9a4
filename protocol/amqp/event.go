package amqp

import "entrepot/protocol/amqp/wire"

// EventKind says what happened, and which fields of the Event are set.
type EventKind uint8

const (
	// EventNone is the zero value; Next never reports it.
	EventNone EventKind = iota
	// EventSASLInit: the client wants in. SASL is set. Answer with
	// Conn.Authenticate, now or later: all input waits until then.
	EventSASLInit
	// EventOpened: the peer's open has come. Open is set. An accepting owner
	// answers with Conn.Open or Conn.Close, now or later: input waits until then.
	EventOpened
	// EventSessionBegun: Session is set. The peer began it, and we have answered;
	// or it has answered our Conn.Begin.
	EventSessionBegun
	// EventSessionEnded: Session, Remote, and Err if there was one. It stands for
	// the end of the session's links too. Each session that was begun by either end
	// has exactly one, unless the connection closes before.
	EventSessionEnded
	// EventLinkAttached: Link is set; Link.PeerAttach has what the peer said. If
	// the peer began, answer with Link.Accept or Link.Refuse, now or later. If we
	// did, the link is attached now.
	EventLinkAttached
	// EventLinkDetached: Link, Remote, Closed, and Err if there was one. The link
	// is over: all actions on it do nothing. Each link that EventLinkAttached
	// announced, and each that we attached, has exactly one, unless it was refused
	// by us or its session or connection ends before. With Remote, the peer began, or
	// refused our attach; without, the peer has answered our Detach, or it broke a
	// rule of the link (then Err has our reason).
	EventLinkDetached
	// EventLinkFlow: Link is set. On a sending link credit, drain or readiness may
	// have changed: look at Credit, Ready and Draining. On a receiving link the
	// sender told its Available, or has finished a drain (Draining is false).
	EventLinkFlow
	// EventDelivery: Link and Delivery are set: a complete message has come.
	EventDelivery
	// EventOutcome: Link and Outcome are set: the peer has told what became of a
	// delivery of ours. One for each delivery that went unsettled, in the order of
	// ids within a disposition.
	EventOutcome
	// EventPeerSettled: Link, First and Last are set: the sender has settled these
	// deliveries that we had not settled, on a receiving link. In rcv-settle-mode
	// second this concludes what Settle began.
	EventPeerSettled
	// EventClosed: the connection is over; Err (nil if the peer just closed) and
	// Remote are set. It is the last event.
	EventClosed
)

// DeliveryID numbers the deliveries of a session in one direction, modulo 2^32.
type DeliveryID uint32

// Event is one thing that happened. The caller owns it and passes it to Next
// again and again. Byte slices in it, at any depth, are valid until the following
// call of Next; pointers to decoded values may be kept.
type Event struct {
	Kind    EventKind
	Session *Session
	Link    *Link

	Delivery Delivery
	Outcome  Outcome
	// First and Last are a range of ids, both included.
	First, Last DeliveryID

	Open *wire.Open
	SASL SASLInit

	Err *Error
	// Remote: the peer began this end; Err is its reason, else ours.
	Remote bool
	// Closed: the link was closed, not only detached.
	Closed bool
}

// SASLInit is a client's wish to be let in. A PLAIN response that can't be parsed
// never gets this far.
type SASLInit struct {
	Mechanism      wire.Symbol
	User, Password string
	Hostname       string
}

// Delivery is a complete message from the peer.
type Delivery struct {
	ID     DeliveryID
	Tag    []byte
	Format uint32
	// Settled: the sender has settled it already; Settle is not needed.
	Settled bool
	// Batchable: the sender need not hear of this one at once.
	Batchable bool
	// Payload is the encoded message. It aliases the input or a buffer of the
	// engine.
	Payload []byte
}

// Outcome is what the peer said about a delivery of ours.
type Outcome struct {
	ID DeliveryID
	// Ref is Outgoing.Ref.
	Ref uint64
	// State may be StateNone, if the peer settled without a word: then the source's
	// default-outcome holds.
	State wire.DeliveryState
	// Settled: the peer has settled. If false, it waits for Link.SettleOut.
	Settled bool
}
