package amqp

import (
	"errors"

	"entrepot/protocol/amqp/wire"
)

// Scope is what an Error ends.
type Scope uint8

// Scopes, from the smallest.
const (
	ScopeLink Scope = iota
	ScopeSession
	ScopeConnection
)

// Error is a fault of the protocol, or a reason that one end gave the other. It
// goes on the wire as wire.Error.
type Error struct {
	Scope     Scope
	Condition wire.Symbol
	// Description is for people; it names the performative and the field.
	Description string
	Info        wire.Map
}

// Errors of actions. None of them changes anything.
var (
	// ErrNotOpen: the connection is not open yet, or no more.
	ErrNotOpen = errors.New("amqp: the connection is not open")
	// ErrEnded: the session has ended or is ending.
	ErrEnded = errors.New("amqp: the session has ended")
	// ErrDetached: the link is not attached, or not any more.
	ErrDetached = errors.New("amqp: the link is not attached")
	// ErrNotReady: the link has no credit, or the session's window is closed.
	ErrNotReady = errors.New("amqp: no credit or no window")
	// ErrTooLarge: the message is larger than the peer takes on this link.
	ErrTooLarge = errors.New("amqp: the message exceeds the peer's max-message-size")
	// ErrNoChannel: the peer's channel-max is reached.
	ErrNoChannel = errors.New("amqp: no free channel")
	// ErrNoHandle: the peer's handle-max or our MaxLinks is reached.
	ErrNoHandle = errors.New("amqp: no free handle")
)
