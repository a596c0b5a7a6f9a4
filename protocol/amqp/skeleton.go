package amqp

import (
	"time"

	"entrepot/protocol/amqp/wire"
)

// Error says scope, condition and description.
func (e *Error) Error() string { return string(e.Condition) + ": " + e.Description }

// ---- Conn

// NewConn begins the engine of one connection. A dialling one has output at once.
// cfg is kept and must not change.
func NewConn(cfg *Config, now time.Time) *Conn { panic("unimplemented") }

// Receive hands over input that came at now. p must stay valid and unchanged until
// Next returns false; then nothing of it is kept.
// REQUIRES: Next has returned false since the last Receive.
func (c *Conn) Receive(p []byte, now time.Time) { panic("unimplemented") }

// ReceiveEOF tells that the socket is gone: nothing will come, nothing can be
// written. err may be nil. Next then reports EventClosed, unless it has already.
func (c *Conn) ReceiveEOF(err error) { panic("unimplemented") }

// Next goes on through the input until something happened that the owner must
// know, and fills in ev. It returns false when all input is consumed; a partial
// frame is kept inside. It also reports what actions and Tick brought about, so
// call it after Tick too.
func (c *Conn) Next(ev *Event) bool { panic("unimplemented") }

// Tick looks at the time-outs of both ends: it sends an empty frame or fails the
// connection when one is due, and gives back memory that was not needed for a
// while. It returns when it wants to be called again; zero is never, until the next
// Receive or action.
func (c *Conn) Tick(now time.Time) (next time.Time) { panic("unimplemented") }

// TakeOutput returns the bytes to write, and goes on appending into spare[:0].
// Merged dispositions and flows are written out first.
func (c *Conn) TakeOutput(spare []byte) []byte { panic("unimplemented") }

// Pending is about how many bytes TakeOutput would return; zero means none. The
// owner stops calling Deliver and Receive while it is too large.
func (c *Conn) Pending() int { panic("unimplemented") }

// Waiting tells that input waits for Authenticate or Open. The owner should not
// read on: no more than 256 KiB is kept.
func (c *Conn) Waiting() bool { panic("unimplemented") }

// Done tells that nothing more is to be read or written: close the socket. It is
// true only after the output has been taken.
func (c *Conn) Done() bool { panic("unimplemented") }

// Authenticate answers EventSASLInit. After false the connection is over, with
// EventClosed.
func (c *Conn) Authenticate(ok bool) { panic("unimplemented") }

// Open answers EventOpened at the accepting end.
func (c *Conn) Open() { panic("unimplemented") }

// Close begins to close the connection; err may be nil. It also answers
// EventOpened. EventClosed comes with the peer's close or after CloseTimeout.
func (c *Conn) Close(err *Error) { panic("unimplemented") }

// RemoteOpen is the peer's open, nil before it has come.
func (c *Conn) RemoteOpen() *wire.Open { panic("unimplemented") }

// Begin begins a session. Links may be attached to it at once.
// Errors: ErrNotOpen, ErrNoChannel.
func (c *Conn) Begin() (*Session, error) { panic("unimplemented") }

// ---- Session

// Conn is the session's connection.
func (s *Session) Conn() *Conn { return s.conn }

// Attach begins a link. EventLinkAttached or EventLinkDetached follows. Credit may
// be granted at once. Errors: ErrEnded, ErrNoHandle.
func (s *Session) Attach(o AttachOptions) (*Link, error) { panic("unimplemented") }

// End ends the session; err may be nil.
func (s *Session) End(err *Error) { panic("unimplemented") }

// ---- Link

// Session is the link's session.
func (l *Link) Session() *Session { return l.session }

// Name is the link's name.
func (l *Link) Name() string { panic("unimplemented") }

// Sender tells that our end sends.
func (l *Link) Sender() bool { panic("unimplemented") }

// Attached tells that both ends have attached and neither has detached.
func (l *Link) Attached() bool { panic("unimplemented") }

// PeerAttach is what the peer's attach said. It is there from EventLinkAttached
// until Accept, Refuse, or the following Next of a link that we began; then nil.
func (l *Link) PeerAttach() *wire.Attach { panic("unimplemented") }

// SndSettleMode and RcvSettleMode are what was agreed.
func (l *Link) SndSettleMode() wire.SenderSettleMode { panic("unimplemented") }

// RcvSettleMode is what was agreed.
func (l *Link) RcvSettleMode() wire.ReceiverSettleMode { panic("unimplemented") }

// PeerMaxMessageSize is the largest message that the peer takes; 0 is any.
func (l *Link) PeerMaxMessageSize() uint64 { panic("unimplemented") }

// Accept answers a link that the peer began.
func (l *Link) Accept(o AcceptOptions) { panic("unimplemented") }

// Refuse answers a link that the peer began: attach with a null terminus, then
// detach with err. Frames for it are ignored until the peer's detach.
func (l *Link) Refuse(err *Error) { panic("unimplemented") }

// Detach detaches the link, or closes it; err may be nil. What it had unsettled is
// forgotten. Frames for it are ignored until the peer's detach, with which
// EventLinkDetached comes.
func (l *Link) Detach(closed bool, err *Error) { panic("unimplemented") }

// Credit is how many more deliveries may come, or be sent.
func (l *Link) Credit() uint32 { panic("unimplemented") }

// Available is what the sending peer last said it has waiting.
func (l *Link) Available() uint32 { panic("unimplemented") }

// Unsettled is how many deliveries of this link are not settled.
func (l *Link) Unsettled() uint32 { panic("unimplemented") }

// GrantTo sets the credit of a receiving link. The flow is merged until
// TakeOutput. Credit and Unsettled together never exceed Config.MaxUnsettled. Less
// than Credit takes credit back, but what the peer has sent before it hears of it
// still comes.
func (l *Link) GrantTo(credit uint32) { panic("unimplemented") }

// Drain asks the sender to use up its credit now or let it go. EventLinkFlow with
// Draining false tells that it did; the credit is then 0.
func (l *Link) Drain() { panic("unimplemented") }

// Draining: a receiving link waits for the sender to finish a drain; on a sending
// link the peer waits for us: send what there is, then call Drained.
func (l *Link) Draining() bool { panic("unimplemented") }

// Settle tells the sender what became of the deliveries first..last of this
// receiving link (ids of other links in between are left alone, and so are ids
// that are settled already). Neighbours with equal state merge into one disposition
// until TakeOutput. On a link of rcv-settle-mode second, settled is overruled: the
// delivery stays unsettled until the sender settles, see EventPeerSettled.
func (l *Link) Settle(first, last DeliveryID, state wire.DeliveryState, settled bool) {
	panic("unimplemented")
}

// Ready is how many deliveries Deliver will take now. If that is less than the
// credit, an EventLinkFlow comes when there may be room again.
func (l *Link) Ready() int { panic("unimplemented") }

// Deliver sends a message. The payload is copied: into the output as far as the
// session's window allows, the rest aside until the window opens.
// Errors: ErrDetached, ErrNotReady, ErrTooLarge.
func (l *Link) Deliver(o *Outgoing) (DeliveryID, error) { panic("unimplemented") }

// Drained uses up all credit and tells the receiver so.
func (l *Link) Drained() { panic("unimplemented") }

// SetAvailable says how many messages wait at a sending link; it is told with the
// next flow of this link.
func (l *Link) SetAvailable(n uint32) { panic("unimplemented") }

// SettleOut settles a delivery of a sending link that the peer left unsettled
// (Outcome.Settled is false). state may be StateNone. Merged like Settle.
func (l *Link) SettleOut(id DeliveryID, state wire.DeliveryState) { panic("unimplemented") }
