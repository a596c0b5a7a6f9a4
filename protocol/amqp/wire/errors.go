package wire

import (
	"fmt"
	"strings"
)

// Error conditions [amqp-transport 2.8.15-2.8.18, amqp-transactions 4.5.8].
const (
	CondInternalError         Symbol = "amqp:internal-error"
	CondNotFound              Symbol = "amqp:not-found"
	CondUnauthorizedAccess    Symbol = "amqp:unauthorized-access"
	CondDecodeError           Symbol = "amqp:decode-error"
	CondResourceLimitExceeded Symbol = "amqp:resource-limit-exceeded"
	CondNotAllowed            Symbol = "amqp:not-allowed"
	CondInvalidField          Symbol = "amqp:invalid-field"
	CondNotImplemented        Symbol = "amqp:not-implemented"
	CondResourceLocked        Symbol = "amqp:resource-locked"
	CondPreconditionFailed    Symbol = "amqp:precondition-failed"
	CondResourceDeleted       Symbol = "amqp:resource-deleted"
	CondIllegalState          Symbol = "amqp:illegal-state"
	CondFrameSizeTooSmall     Symbol = "amqp:frame-size-too-small"

	CondConnectionForced   Symbol = "amqp:connection:forced"
	CondFramingError       Symbol = "amqp:connection:framing-error"
	CondConnectionRedirect Symbol = "amqp:connection:redirect"

	CondWindowViolation  Symbol = "amqp:session:window-violation"
	CondErrantLink       Symbol = "amqp:session:errant-link"
	CondHandleInUse      Symbol = "amqp:session:handle-in-use"
	CondUnattachedHandle Symbol = "amqp:session:unattached-handle"

	CondDetachForced          Symbol = "amqp:link:detach-forced"
	CondTransferLimitExceeded Symbol = "amqp:link:transfer-limit-exceeded"
	CondMessageSizeExceeded   Symbol = "amqp:link:message-size-exceeded"
	CondLinkRedirect          Symbol = "amqp:link:redirect"
	CondStolen                Symbol = "amqp:link:stolen"

	CondTransactionUnknownID Symbol = "amqp:transaction:unknown-id"
	CondTransactionRollback  Symbol = "amqp:transaction:rollback"
	CondTransactionTimeout   Symbol = "amqp:transaction:timeout"
)

// DecodeError says what is wrong with bytes that came. Every error of this
// package is one.
type DecodeError struct {
	// Condition goes on the wire: amqp:decode-error for bytes that are no value
	// or a value of the wrong type, amqp:invalid-field for a value that the field
	// must not have or a mandatory one that is absent, and
	// amqp:connection:framing-error for a frame or protocol header.
	Condition Symbol
	// Composite and Field name the place as the specification does, "transfer"
	// and "delivery-tag"; empty outside of composites.
	Composite, Field string
	// Reason is for people.
	Reason string
}

func (e *DecodeError) Error() string { return string(e.Condition) + ": " + e.Description() }

// Description is the text for an Error's description field.
func (e *DecodeError) Description() string {
	var b strings.Builder
	b.WriteString(e.Composite)
	if e.Field != "" {
		if e.Composite != "" {
			b.WriteByte('.')
		}
		b.WriteString(e.Field)
	}
	if b.Len() > 0 {
		b.WriteString(": ")
	}
	b.WriteString(e.Reason)
	return b.String()
}

func decodeError(reason string) error {
	return &DecodeError{Condition: CondDecodeError, Reason: reason}
}

func invalidField(reason string) error {
	return &DecodeError{Condition: CondInvalidField, Reason: reason}
}

func unknownCode(c byte) error {
	return decodeError(fmt.Sprintf("the format code 0x%02x is unknown", c))
}

// located returns the error with its place. If it has one already, that is inside
// of the field: attach.source.address.
func located(err error, composite, field string) error {
	inner, ok := err.(*DecodeError)
	if !ok {
		return err
	}
	e := *inner
	e.Composite, e.Field = composite, field
	if inner.Composite != "" && inner.Field != "" {
		e.Field += "." + inner.Field
	}
	return &e
}
