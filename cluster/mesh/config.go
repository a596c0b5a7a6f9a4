package mesh

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"time"
)

// Channel separates what different parts of a node say. A channel has one handler;
// its messages keep their order.
type Channel uint8

// Peer is another node as one connection knows it.
type Peer struct {
	ID          string
	Incarnation uint64 // random per process start of the peer
	Session     uint64 // grows with every new connection of this Mesh, to whichever peer
}

// Config says who this node is and how it reaches others. Node and Incarnation must
// be set; the rest has defaults.
type Config struct {
	Node        string       // this node's id, 1..255 bytes
	Incarnation uint64       // random per process start
	Listener    net.Listener // nil: accepts none. The Mesh closes it
	// Dial connects to an address given to SetAddress. nil: TCP.
	Dial func(ctx context.Context, address string) (net.Conn, error)
	// TLS is for both sides: Certificates (or its functions) are shown to every
	// peer, and the peer's certificate must be signed by RootCAs (or ClientCAs) and
	// valid for its node id, as DNS name or as common name. nil: plain.
	TLS *tls.Config
	// Hello gives what every new connection tells the peer, at most 64 KiB. nil: nothing.
	Hello func() []byte
	// Admit may refuse a peer; the text of its error goes to the peer, whose Refused
	// is told. It is asked on both sides, before Watch hears of the peer. nil: everyone.
	Admit func(peer string, incarnation uint64, hello []byte, remote net.Addr) error
	// Refused hears that a peer did not want us, again at every attempt. May be nil.
	// peer is the id that was dialled, or that the refusing acceptor gave.
	Refused func(peer string, reason string)
	Urgent  []Channel // these go before all others, as streams go after them: heartbeats, votes, answers
	Logger  *slog.Logger

	PingEvery time.Duration // 0: 1 s
	DeadAfter time.Duration // 0: 5 s; a connection that is silent so long is closed. Also bounds dialling and handshake
}

// What Send, Call and Stream return when the message has not gone out, or its answer
// can't come.
var (
	ErrNotConnected = errors.New("mesh: not connected to this peer")
	ErrCongested    = errors.New("mesh: too much is queued for this peer")
	ErrTooBig       = errors.New("mesh: the message is larger than MaxMessage")
	// ErrLost: the connection ended before the answer: the fate of the request is unknown.
	ErrLost   = errors.New("mesh: the connection was lost before the answer")
	ErrClosed = errors.New("mesh: closed")
)

// RemoteError is what a handler of the other side returned.
type RemoteError struct {
	Peer, Method, Text string
}

func (e *RemoteError) Error() string { return e.Peer + ": " + e.Method + ": " + e.Text }

// PeerStatus is one peer as this node sees it.
type PeerStatus struct {
	ID, Address       string // Address "": not known, the peer dials us
	Connected         bool
	Since             time.Time // of the connection, or of its loss; zero: never connected
	Session           uint64
	Incarnation       uint64
	BytesIn, BytesOut uint64        // of all connections since the Mesh began
	Queued            int           // bytes that wait to be written
	RTT               time.Duration // of the last ping that was answered
	LastError         string        // why the last dial or connection ended; "" while connected
}

// MessageHandler takes a message. It runs in the goroutine that reads the connection
// and must not block; data is its to keep.
type MessageHandler func(from Peer, data []byte)

// CallHandler answers a call, in a goroutine of its own. ctx ends with the call and
// with the connection.
type CallHandler func(ctx context.Context, from Peer, req []byte) ([]byte, error)

// StreamHandler takes a stream, in a goroutine of its own. r gives io.EOF only after
// all that was sent has come; whatever else ends it is another error. A handler may
// return before the end: the sender then stops. r may not be used afterwards.
type StreamHandler func(ctx context.Context, from Peer, head []byte, size int64, r io.Reader) ([]byte, error)
