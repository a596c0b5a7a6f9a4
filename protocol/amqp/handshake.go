package amqp

import "entrepot/protocol/amqp/wire"

// dial speaks first.
func (c *Conn) dial() {
	if c.cfg.SASL.User == "" && c.cfg.SASL.Bare {
		c.out = wire.AppendProtocolHeader(c.out, wire.ProtocolAMQP)
		return
	}
	c.out = wire.AppendProtocolHeader(c.out, wire.ProtocolSASL)
}

// stepHeader consumes the peer's protocol header; false while it is not complete.
func (c *Conn) stepHeader() bool {
	p := c.in.peek(wire.ProtocolHeaderSize)
	if p == nil {
		// Who sends something else is told with its first wrong byte.
		if _, _, err := wire.ParseProtocolHeader(c.in.partial()); err != nil {
			c.rejectHeader()
		}
		return false
	}
	id, _, err := wire.ParseProtocolHeader(p)
	if err != nil || !c.onHeader(id) {
		c.rejectHeader()
		return false
	}
	c.in.skip(wire.ProtocolHeaderSize)
	return true
}

// onHeader goes on by a protocol header; false if it has no place here.
func (c *Conn) onHeader(id wire.ProtocolID) bool {
	sasl := &c.cfg.SASL
	if c.cfg.Role == Dialling {
		switch {
		case id == wire.ProtocolSASL && !c.authenticated && (sasl.User != "" || !sasl.Bare):
			c.phase = phaseSASL
		case id == wire.ProtocolAMQP && (c.authenticated || sasl.User == "" && sasl.Bare):
			c.sendOpen()
			c.phase = phaseOpen
		default:
			return false
		}
		return true
	}
	switch {
	case id == wire.ProtocolSASL && !c.authenticated && len(sasl.Mechanisms) > 0:
		c.out = wire.AppendProtocolHeader(c.out, wire.ProtocolSASL)
		c.sendSASL(&wire.SASLMechanisms{SASLServerMechanisms: sasl.Mechanisms})
		c.phase = phaseSASL
	case id == wire.ProtocolAMQP && (c.authenticated || sasl.AllowBare):
		c.out = wire.AppendProtocolHeader(c.out, wire.ProtocolAMQP)
		c.phase = phaseOpen
	default:
		return false
	}
	return true
}

// rejectHeader gives up on a peer that speaks another protocol.
// [amqp-transport 2.2] If the requested version is not supported, the partner
// writes a header that it does support, and closes the socket.
func (c *Conn) rejectHeader() {
	if c.cfg.Role == Accepting {
		want := wire.ProtocolAMQP
		if !c.authenticated && len(c.cfg.SASL.Mechanisms) > 0 {
			want = wire.ProtocolSASL
		}
		c.out = wire.AppendProtocolHeader(c.out, want)
	}
	c.finish(Event{Err: &Error{Scope: ScopeConnection, Condition: wire.CondFramingError,
		Description: "the protocol header is not one that has a place here"}})
	c.phase = phaseClosed
	c.in.discard()
}
