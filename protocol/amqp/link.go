package amqp

import "entrepot/protocol/amqp/wire"

type linkState uint8

const (
	linkProposed  linkState = iota // the peer's attach waits for the owner's answer
	linkOffered                    // our attach is sent, the peer's is due
	linkAttached                   // both are attached
	linkRefused                    // the peer's answer had a null terminus: its detach is due
	linkDetaching                  // our detach is sent, the peer's is due; input is dropped
	linkOver
)

// Link is one end of a link: it sends messages or receives them.
type Link struct {
	// Data is the owner's.
	Data any

	session *Session
	name    string
	state   linkState
	// sender: our end sends.
	sender  bool
	sndMode wire.SenderSettleMode
	rcvMode wire.ReceiverSettleMode

	// hasRemote: the peer's attach has come, with remoteHandle.
	hasRemote    bool
	localHandle  uint32
	remoteHandle uint32
	// peerAttach is the peer's attach, see PeerAttach.
	peerAttach *wire.Attach
	// silent: the owner has had its EventLinkDetached, or wants none.
	silent bool

	credit credit
	// unsettled counts the link's entries in the session's unsettled map.
	unsettled uint32

	maxMessageSize     uint64
	peerMaxMessageSize uint64
	// assembly is the message that arrives in several frames, rest the one that
	// waits for the window.
	assembly *assembly
	rest     []byte

	// In a list of the session's or connection's.
	owesFlow, notified, blocked bool
	// starved: the link was not Ready because too much is unsettled.
	starved bool
}

// AcceptOptions are our half of a link that the peer began. The zero value takes
// what the peer proposed.
type AcceptOptions struct {
	// Source and Target as they shall be told to the peer; nil is the peer's own.
	Source *wire.Source
	Target *wire.Target
	// MaxMessageSize is in bytes, for a receiving link; 0 is Config.MaxMessageSize.
	MaxMessageSize uint64
	// SndSettleMode and RcvSettleMode: absent is what the peer asked for.
	SndSettleMode wire.Opt[wire.SenderSettleMode]
	RcvSettleMode wire.Opt[wire.ReceiverSettleMode]

	OfferedCapabilities []wire.Symbol
	DesiredCapabilities []wire.Symbol
	Properties          wire.Map
}

// AttachOptions describe a link that we begin.
type AttachOptions struct {
	// Name is unique among the links of this direction between the two containers.
	Name string
	// Role is ours.
	Role          wire.Role
	Source        *wire.Source
	Target        *wire.Target
	SndSettleMode wire.SenderSettleMode
	RcvSettleMode wire.ReceiverSettleMode
	// MaxMessageSize is in bytes, for a receiving link; 0 is Config.MaxMessageSize.
	MaxMessageSize uint64

	OfferedCapabilities []wire.Symbol
	DesiredCapabilities []wire.Symbol
	Properties          wire.Map
	// Data becomes Link.Data.
	Data any
}

// Session is the link's session.
func (l *Link) Session() *Session { return l.session }

// Name is the link's name.
func (l *Link) Name() string { return l.name }

// Sender tells that our end sends.
func (l *Link) Sender() bool { return l.sender }

// Attached tells that both ends have attached and neither has detached.
func (l *Link) Attached() bool { return l.state == linkAttached && l.live() }

// PeerAttach is what the peer's attach said. It is there from EventLinkAttached
// until Accept or Refuse; of a link that we began, until the peer's detach.
func (l *Link) PeerAttach() *wire.Attach { return l.peerAttach }

// SndSettleMode is what was agreed.
func (l *Link) SndSettleMode() wire.SenderSettleMode { return l.sndMode }

// RcvSettleMode is what was agreed.
func (l *Link) RcvSettleMode() wire.ReceiverSettleMode { return l.rcvMode }

// PeerMaxMessageSize is the largest message in bytes that the peer takes; 0 is any.
func (l *Link) PeerMaxMessageSize() uint64 { return l.peerMaxMessageSize }

// Unsettled is how many deliveries of this link are not settled.
func (l *Link) Unsettled() uint32 { return l.unsettled }

// role is our end's.
func (l *Link) role() wire.Role {
	if l.sender {
		return wire.RoleSender
	}
	return wire.RoleReceiver
}

// live tells that the link is neither over nor on its way there.
func (l *Link) live() bool { return l.state < linkRefused && l.session.live() }

// notify makes an EventLinkFlow due.
func (l *Link) notify() {
	if !l.notified {
		l.notified = true
		c := l.session.conn
		c.notify = append(c.notify, l)
	}
}

// letGo gives up what a link holds that ends: deliveries, messages, its places in
// lists.
func (l *Link) letGo() {
	l.dropAssembly()
	l.rest, l.peerAttach = nil, nil
	if l.sender {
		l.session.out.drop(l)
	} else {
		l.session.in.drop(l)
	}
	l.owesFlow, l.blocked = false, false
}
