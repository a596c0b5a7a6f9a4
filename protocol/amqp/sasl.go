package amqp

import (
	"bytes"
	"slices"
	"strconv"

	"entrepot/protocol/amqp/wire"
)

// onSASL handles a SASL frame [amqp-security 5.3.2].
func (c *Conn) onSASL(ev *Event, body []byte) bool {
	d, err := wire.PeekDescriptor(body)
	if err != nil {
		return c.saslFailed(undecodable(ScopeConnection, err))
	}
	switch {
	case d == wire.DescSASLInit && c.cfg.Role == Accepting:
		return c.onSASLInit(ev, body)
	case d == wire.DescSASLMechanisms && c.cfg.Role == Dialling:
		return c.onSASLMechanisms(body)
	case d == wire.DescSASLOutcome && c.cfg.Role == Dialling:
		return c.onSASLOutcome(body)
	}
	return c.saslFailed(&Error{Condition: wire.CondNotAllowed, Description: d.String() + ": has no place in this dialogue"})
}

func (c *Conn) onSASLInit(ev *Event, body []byte) bool {
	var f wire.SASLInit
	r := wire.NewReader(body)
	if err := f.Decode(&r); err != nil {
		return c.saslFailed(undecodable(ScopeConnection, err))
	}
	// [amqp-security 5.3.3.2] A mechanism that was not offered ends in the outcome
	// auth.
	if !slices.Contains(c.cfg.SASL.Mechanisms, f.Mechanism) {
		return c.denied("the mechanism was not offered")
	}
	init := SASLInit{Mechanism: f.Mechanism, Hostname: f.Hostname}
	if f.Mechanism == MechanismPlain {
		var ok bool
		if init.User, init.Password, ok = parsePlain(f.InitialResponse); !ok {
			return c.denied("the PLAIN response is malformed")
		}
	}
	c.phase = phaseSASLWait
	ev.Kind, ev.SASL = EventSASLInit, init
	return true
}

// parsePlain takes apart [RFC 4616]: authzid NUL authcid NUL passwd. To act for
// somebody else (another authzid) is not offered.
func parsePlain(p []byte) (user, password string, ok bool) {
	parts := bytes.Split(p, []byte{0})
	if len(parts) != 3 || len(parts[1]) == 0 {
		return "", "", false
	}
	if len(parts[0]) > 0 && !bytes.Equal(parts[0], parts[1]) {
		return "", "", false
	}
	return string(parts[1]), string(parts[2]), true
}

// Authenticate answers EventSASLInit. After false the connection is over, with
// EventClosed. If it is called after Next has returned false, call Next again:
// input was waiting.
func (c *Conn) Authenticate(ok bool) {
	switch {
	case c.phase != phaseSASLWait:
	case !ok:
		c.denied("the user or the password is wrong")
	default:
		c.sendSASL(&wire.SASLOutcome{Code: wire.SASLOK})
		c.authenticated = true
		c.phase = phaseHeader
	}
}

// denied ends the dialogue with the outcome auth. [amqp-security 5.3.2] A failed
// authentication closes the socket after the outcome.
func (c *Conn) denied(reason string) bool {
	c.sendSASL(&wire.SASLOutcome{Code: wire.SASLAuth})
	return c.saslFailed(&Error{Condition: wire.CondUnauthorizedAccess, Description: reason})
}

func (c *Conn) saslFailed(err *Error) bool {
	err.Scope = ScopeConnection
	c.finish(Event{Err: err})
	c.phase = phaseClosed
	return false
}

// onSASLMechanisms chooses at the dialling end.
func (c *Conn) onSASLMechanisms(body []byte) bool {
	var f wire.SASLMechanisms
	r := wire.NewReader(body)
	if err := f.Decode(&r); err != nil {
		return c.saslFailed(undecodable(ScopeConnection, err))
	}
	sasl := &c.cfg.SASL
	init := wire.SASLInit{Mechanism: MechanismAnonymous, Hostname: c.cfg.Hostname}
	if sasl.User != "" {
		init.Mechanism = MechanismPlain
		init.InitialResponse = []byte("\x00" + sasl.User + "\x00" + sasl.Password)
	}
	if !slices.Contains(f.SASLServerMechanisms, init.Mechanism) {
		return c.saslFailed(&Error{Condition: wire.CondUnauthorizedAccess,
			Description: "sasl-mechanisms: the peer does not offer " + string(init.Mechanism)})
	}
	c.sendSASL(&init)
	return false
}

func (c *Conn) onSASLOutcome(body []byte) bool {
	var f wire.SASLOutcome
	r := wire.NewReader(body)
	if err := f.Decode(&r); err != nil {
		return c.saslFailed(undecodable(ScopeConnection, err))
	}
	if f.Code != wire.SASLOK {
		return c.saslFailed(&Error{Condition: wire.CondUnauthorizedAccess, Description: "sasl-outcome: the peer did not let us in, code " + strconv.Itoa(int(f.Code))})
	}
	c.authenticated = true
	c.phase = phaseHeader
	c.out = wire.AppendProtocolHeader(c.out, wire.ProtocolAMQP)
	return false
}

func (c *Conn) sendSASL(p wire.Composite) {
	start := len(c.out)
	c.out = p.Append(wire.BeginFrame(c.out, wire.FrameSASL, 0))
	wire.EndFrame(c.out, start)
}
