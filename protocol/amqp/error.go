package amqp

import (
	"errors"
	"unicode/utf8"

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
	// ErrTooLarge: the message is larger than the peer takes on this link, or the tag
	// has more than 32 bytes, or an attach is larger than the peer's frames.
	ErrTooLarge = errors.New("amqp: too large for the peer")
	// ErrNoChannel: the peer's channel-max is reached.
	ErrNoChannel = errors.New("amqp: no free channel")
	// ErrNoHandle: the peer's handle-max or our MaxLinks is reached.
	ErrNoHandle = errors.New("amqp: no free handle")
)

// Error says scope, condition and description.
func (e *Error) Error() string {
	text := "amqp " + e.Scope.String() + ": " + string(e.Condition)
	if e.Description != "" {
		text += ": " + e.Description
	}
	return text
}

func (s Scope) String() string {
	switch s {
	case ScopeLink:
		return "link"
	case ScopeSession:
		return "session"
	default:
		return "connection"
	}
}

// maxDescription is how many bytes of a description are sent: with it every
// performative that carries an error fits into the smallest frame, 512 bytes.
const maxDescription = 300

// toWire is the error as it is sent; nil stays nil.
func (e *Error) toWire() *wire.Error {
	if e == nil {
		return nil
	}
	return &wire.Error{Condition: e.Condition, Description: clip(e.Description), Info: e.Info}
}

// shortened is the error without what may be long.
func shortened(e *wire.Error) *wire.Error {
	if e == nil {
		return nil
	}
	return &wire.Error{Condition: e.Condition[:min(len(e.Condition), 100)], Description: clip(e.Description)}
}

// clip shortens a text to maxDescription bytes, at the border of a character.
func clip(s string) string {
	if len(s) <= maxDescription {
		return s
	}
	n := maxDescription
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// fromWire is the error that the peer sent; nil stays nil.
func fromWire(scope Scope, e *wire.Error) *Error {
	if e == nil {
		return nil
	}
	return &Error{Scope: scope, Condition: e.Condition, Description: e.Description, Info: e.Info}
}

// undecodable is the error for a performative that can't be decoded.
func undecodable(scope Scope, err error) *Error {
	e := &Error{Scope: scope, Condition: wire.CondDecodeError, Description: err.Error()}
	var d *wire.DecodeError
	if errors.As(err, &d) {
		e.Condition, e.Description = d.Condition, d.Description()
	}
	return e
}
